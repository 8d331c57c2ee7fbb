//! The credentials of a user in a kubeconfig: a token, a client certificate, an exec plugin that
//! prints one of these, or an ID token that kubectl renews.
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo>

use std::path::Path;

use super::access::Credentials;
use super::entry::Entry;
use super::{auth_provider, exec};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::ClientCert;
use crate::secret::Secret;
use crate::shell::quoted;
use crate::show;

/// Gets the credentials of a user for a cluster.
///
/// # Errors
/// `CONFIGURATION` if the user has no credentials that are supported; otherwise as for
/// [`exec::credentials`].
pub(super) fn credentials(
    user: &Entry,
    cluster: &Entry,
    cx: &Context,
) -> Result<Credentials, Error> {
    let impersonation = ["as", "as-uid", "as-groups", "as-user-extra"];
    if let Some(key) = impersonation.into_iter().find(|key| user.is_set(key)) {
        return Err(user
            .error(format!("impersonates another user ({key}), which is not supported"))
            .fix(
                "set --context to a context whose user can create the token without impersonation",
            ));
    }
    let bearer = bearer(user, cx)?;
    let client_cert = client_cert(user, cx)?;
    if bearer.is_some() || client_cert.is_some() {
        return Ok(Credentials { bearer, client_cert });
    }
    if user.get("exec").is_some() && user.get("auth-provider").is_some() {
        return Err(user
            .error("has both exec and auth-provider")
            .fix("remove exec or auth-provider from the user"));
    }
    if let Some(plugin) = user.part("exec") {
        let plugin = plugin.named(format!("the exec plugin of {}", user.what));
        return exec::credentials(&plugin, cluster, cx);
    }
    if let Some(provider) = user.part("auth-provider") {
        return auth_provider::credentials(&provider, user, cx);
    }
    match user.get("username") {
        Some(_) => Err(user
            .error("has a password, which Kubernetes does not support since version 1.19")
            .fix("add token, client-certificate or exec to the user")),
        // As in kubectl, the server decides what an anonymous user may do.
        None => Ok(Credentials::default()),
    }
}

/// Reads the bearer token. `tokenFile` overrides `token`, because the file can be renewed. If the
/// file cannot be read, `token` is used.
/// <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/#AuthInfo>
fn bearer(user: &Entry, cx: &Context) -> Result<Option<Secret>, Error> {
    let token = user.text("token")?;
    token.map_or(Ok(()), |token| user.refuse_redacted("token", token))?;
    let token = match token {
        Some(token) if token.trim_end().contains(char::is_control) => {
            return Err(user
                .error("has a token on several lines")
                .fix("write the token on one line"));
        }
        token => token.map(|token| Secret::new(token.trim_end())),
    };
    match user.text("tokenFile")?.map(|path| token_in_file(&user.resolve(path), user, cx)) {
        Some(Err(error)) if token.is_some() => {
            cx.log.line(format!("using the token of {}: {error}", user.what));
            Ok(token)
        }
        Some(found) => found.map(Some),
        None => Ok(token),
    }
}

fn token_in_file(path: &Path, user: &Entry, cx: &Context) -> Result<Secret, Error> {
    cx.log.warn_if_shared(path);
    let place = format!("tokenFile of {}", user.place());
    let text = files::read_text(path, &place, Kind::Configuration)?;
    match text.expose().trim() {
        "" => Err(Error::new(Kind::Configuration, format!("{} is empty", show::path(path)))
            .fix(format!("check {place}"))),
        token => Ok(Secret::new(token)),
    }
}

fn client_cert(user: &Entry, cx: &Context) -> Result<Option<ClientCert>, Error> {
    let place = format!("client-certificate and client-key of {}", user.place());
    let path = user.text("client-key")?.map(|path| user.resolve(path));
    path.iter().for_each(|path| cx.log.warn_if_shared(path));
    let path = path.filter(|_| matches!(user.text("client-key-data"), Ok(None)));
    let file = path.map_or("FILE".to_owned(), |path| quoted(&show::path(&path)).into_owned());
    match (user.pem("client-certificate")?, user.pem("client-key")?) {
        (Some((chain, _)), Some((key, _))) => {
            ClientCert::new(&chain, &key, &place, ["client-key", &file]).map(Some)
        }
        (Some(_), None) => Err(user.error("has client-certificate but no client-key")),
        (None, _) => Ok(None),
    }
}
