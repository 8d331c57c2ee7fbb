//! The access of a pod to the API server of its cluster.
//!
//! Kubernetes sets the host and port of the API server in variables. It mounts a directory with the
//! token of the pod's service account and the certificate authority of the API server.
//! <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api>

use std::path::Path;

use serde_json::Value;

use super::access::Access;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{Authorities, Url};
use crate::lookup::Lookup;
use crate::secret::Secret;
use crate::token::jwt;
use crate::world::Env;

pub(super) const HOST: &str = "KUBERNETES_SERVICE_HOST";
pub(super) const PORT: &str = "KUBERNETES_SERVICE_PORT";
const DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Finds the access of this pod to the API server.
///
/// # Errors
/// `CONFIGURATION` if a variable or a file cannot be used.
pub(super) fn access(cx: &Context) -> Result<Lookup<Access>, Error> {
    let Some(server) = server(&cx.env)? else {
        return Ok(Lookup::Absent(format!("{HOST} is not set")));
    };
    let token = match file("token") {
        Err(error) if error.kind() == Kind::Absent => {
            return Ok(Lookup::absent(format!("{DIRECTORY}/token does not exist")));
        }
        token => token?,
    };
    let authorities = Some(Authorities::Pem(file("ca.crt")?, format!("{DIRECTORY}/ca.crt")));
    let claims = jwt::claims(token.expose()).unwrap_or_default();
    let service_account = claims.get("sub").and_then(Value::as_str).and_then(parse_subject);
    let (namespace, name) = service_account.ok_or_else(|| {
        let what = format!("{DIRECTORY}/token is not the token of a service account");
        Error::new(Kind::Configuration, what)
            .fix("check the volume with the service account token of the pod")
    })?;
    Ok(Lookup::Found(Access {
        server,
        option: HOST,
        cx: cx.narrowed(|_, http| http.tls.authorities = authorities),
        namespace: namespace.to_owned(),
        service_account: Some(name.to_owned()),
        subject: format!("--serviceaccount={namespace}:{name}"),
        renew: "restart the pod, because its token is no longer valid".to_owned(),
        bearer: Some(token),
    }))
}

/// The URL of the API server; `None` if the variable with the host is not set.
fn server(env: &Env) -> Result<Option<Url>, Error> {
    let Some(host) = env.text(HOST)? else {
        return Ok(None);
    };
    let port = env.text(PORT)?.unwrap_or_else(|| "443".to_owned());
    let address = match host.contains(':') {
        true => format!("https://[{host}]:{port}"),
        false => format!("https://{host}:{port}"),
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    let url = Url::parse(&address).ok().filter(|_| host.chars().all(is_allowed));
    url.map(Some).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{HOST} and {PORT} are not a host and a port"))
            .fix(format!("correct {HOST} and {PORT}, or unset them outside a pod"))
    })
}

/// The namespace and the name in the `sub` claim of a service account.
fn parse_subject(sub: &str) -> Option<(&str, &str)> {
    sub.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Reads a file in the directory that Kubernetes mounts.
fn file(name: &str) -> Result<Secret, Error> {
    let text = files::read_text(&Path::new(DIRECTORY).join(name), HOST, Kind::Absent);
    let text = text.map_err(|error| {
        error.fix(
            "check the volume with the service account token of the pod \
             (automountServiceAccountToken)",
        )
    })?;
    Ok(Secret::new(text.expose().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_read_from_variables() {
        let url = |host: &str, port: &str| {
            let variables = [(HOST, host), (PORT, port)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.into()));
            server(&Env::Map(variables.into())).map(|url| url.unwrap().to_string())
        };
        assert_eq!(url("10.96.0.1", "6443").unwrap(), "https://10.96.0.1:6443/");
        assert_eq!(url("fd00::1", "443").unwrap(), "https://[fd00::1]:443/");
        assert_eq!(
            url("kubernetes.default.svc", "").unwrap(),
            "https://kubernetes.default.svc:443/"
        );
        assert_eq!(url("a/b@", "443").unwrap_err().kind(), Kind::Configuration);
        assert_eq!(server(&Env::Map([].into())).unwrap(), None);
    }

    #[test]
    fn a_subject_contains_namespace_and_name() {
        assert_eq!(parse_subject("system:serviceaccount:prod:app"), Some(("prod", "app")));
        for sub in ["", "jane", "system:node:a", "system:serviceaccount:prod"] {
            assert_eq!(parse_subject(sub), None, "{sub}");
        }
    }
}
