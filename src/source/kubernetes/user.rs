//! What a user of a kubeconfig proves itself by: a token, a client certificate, or a program that
//! gets one of these.
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo>

use super::access::Credentials;
use super::entry::Entry;
use super::exec;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::ClientCert;
use crate::secret::Secret;

/// Reads or gets the credentials of a user for a cluster.
pub(super) fn credentials(
    user: &Entry,
    cluster: &Entry,
    cx: &Context,
) -> Result<Credentials, Error> {
    let impersonates = ["as", "as-uid", "as-groups", "as-user-extra"];
    if let Some(key) = impersonates.into_iter().find(|key| user.get(key).is_some()) {
        return Err(user
            .wrong(format!("impersonates another ({key}), which is not done here"))
            .fix("take the context of a user who may create the token"));
    }
    let bearer = bearer(user, cx)?;
    let client_cert = client_cert(user)?;
    if bearer.is_some() || client_cert.is_some() {
        return Ok(Credentials { bearer, client_cert });
    }
    if let Some(plugin) = user.part("exec") {
        return exec::credentials(&plugin, cluster, cx);
    }
    Err(match (user.get("username"), user.get("auth-provider")) {
        (Some(_), _) => user
            .wrong("has a password, which Kubernetes no longer takes (since 1.19)")
            .fix("give it a token, a client certificate or an exec plugin"),
        (None, Some(_)) => user
            .wrong("has an auth-provider, which kubectl no longer knows (since 1.26)")
            .fix("give it the exec plugin of that provider"),
        (None, None) => user
            .wrong("has no credentials")
            .fix("give it a token, a client certificate or an exec plugin"),
    })
}

/// A `tokenFile` beats a `token`: it is kept fresh.
fn bearer(user: &Entry, cx: &Context) -> Result<Option<Secret>, Error> {
    let Some(path) = user.text("tokenFile")? else {
        return Ok(user.text("token")?.map(Secret::new));
    };
    let path = user.resolve(path);
    cx.log.warn_if_shared(&path);
    let place = format!("tokenFile of {}", user.place());
    let text = files::read_text(&path, &place, Kind::Configuration)?;
    match text.expose().trim() {
        "" => Err(user.wrong("has a tokenFile that is empty")),
        token => Ok(Some(Secret::new(token))),
    }
}

fn client_cert(user: &Entry) -> Result<Option<ClientCert>, Error> {
    let place = format!("client-certificate and client-key of {}", user.place());
    match (user.pem("client-certificate")?, user.pem("client-key")?) {
        (Some((chain, _)), Some((key, _))) => ClientCert::new(&chain, &key, &place).map(Some),
        (Some(_), None) => Err(user.wrong("has a client-certificate but no client-key")),
        (None, _) => Ok(None),
    }
}
