//! What a pod has: the API server's address in variables, and in a folder the token of its service
//! account and the authority of the API server.
//! <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api>

use std::path::Path;

use serde_json::Value;

use super::access::Access;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{Authorities, Url};
use crate::secret::Secret;
use crate::source::lookup::Lookup;
use crate::token::jwt;
use crate::world::Env;

const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The access that this pod has.
pub(super) fn access(cx: &Context) -> Result<Lookup<Access>, Error> {
    let Some(server) = server(&cx.env)? else {
        return Ok(Lookup::Absent(format!("{HOST} is not set")));
    };
    let token = match file("token") {
        Err(error) if error.kind() == Kind::Absent => {
            let why =
                format!("{FOLDER}/token does not exist (automountServiceAccountToken: false)");
            return Ok(Lookup::Absent(why));
        }
        token => token?,
    };
    let authorities = Some(Authorities::Pem(file("ca.crt")?, format!("{FOLDER}/ca.crt")));
    let claims = jwt::claims(token.expose()).unwrap_or_default();
    let owner = claims.get("sub").and_then(Value::as_str).and_then(service_account);
    let (namespace, name) = owner.ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{FOLDER}/token is of no service account"))
            .fix("let the pod have the token that Kubernetes mounts there")
    })?;
    Ok(Lookup::Found(Access {
        server,
        option: HOST,
        cx: cx.narrowed(|_, http| http.tls.authorities = authorities),
        namespace: namespace.to_owned(),
        service_account: Some(name.to_owned()),
        subject: format!("--serviceaccount={namespace}:{name}"),
        renew: "start the pod again: its token no longer counts".to_owned(),
        bearer: Some(token),
    }))
}

fn server(env: &Env) -> Result<Option<Url>, Error> {
    let Some(host) = env.text(HOST)? else {
        return Ok(None);
    };
    let port = env.text(PORT)?.unwrap_or_else(|| "443".to_owned());
    let address = match host.contains(':') {
        true => format!("https://[{host}]:{port}"),
        false => format!("https://{host}:{port}"),
    };
    let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    let url = Url::parse(&address).ok().filter(|_| host.chars().all(of_host));
    url.map(Some).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{HOST} and {PORT} make no address"))
            .fix(format!("unset {HOST} if this is no pod"))
    })
}

/// Namespace and name of a service account, as the `sub` claim has them.
fn service_account(sub: &str) -> Option<(&str, &str)> {
    sub.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn file(name: &str) -> Result<Secret, Error> {
    let text = files::read_text(&Path::new(FOLDER).join(name), HOST, Kind::Absent);
    let text = text.map_err(|error| error.fix("let the pod have all of its service account"))?;
    Ok(Secret::new(text.expose().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_comes_from_variables() {
        let address = |host: &str, port: &str| {
            let variables = [(HOST, host), (PORT, port)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.into()));
            server(&Env::Map(variables.into())).map(|url| url.unwrap().to_string())
        };
        assert_eq!(address("10.96.0.1", "6443").unwrap(), "https://10.96.0.1:6443/");
        assert_eq!(address("fd00::1", "443").unwrap(), "https://[fd00::1]:443/");
        assert_eq!(
            address("kubernetes.default.svc", "").unwrap(),
            "https://kubernetes.default.svc:443/"
        );
        assert_eq!(address("a/b@", "443").unwrap_err().kind(), Kind::Configuration);
        assert_eq!(server(&Env::Map([].into())).unwrap(), None);
    }

    #[test]
    fn a_subject_names_its_service_account() {
        assert_eq!(service_account("system:serviceaccount:prod:app"), Some(("prod", "app")));
        for sub in ["", "jane", "system:node:a", "system:serviceaccount:prod"] {
            assert_eq!(service_account(sub), None, "{sub}");
        }
    }
}
