//! The ID token of a user whose kubeconfig has `auth-provider: {name: oidc}`.
//!
//! kubectl renews the token and writes the new tokens into the kubeconfig. The refresh token may be
//! valid only once, so only kubectl uses it.
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#option-1-oidc-authenticator>

use super::access::Credentials;
use super::entry::Entry;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::time::rfc3339;
use crate::token::jwt;

/// How many seconds before its expiry kubectl renews a token.
const EXPIRES_SOON: i64 = 10;

/// Reads the credentials of a user with this `auth-provider`.
///
/// # Errors
/// `CONFIGURATION` if kubectl does not support the provider either, `EXPIRED` if kubectl must renew
/// the token.
pub(super) fn credentials(
    provider: &Entry,
    user: &Entry,
    cx: &Context,
) -> Result<Credentials, Error> {
    let name = provider.text("name")?.unwrap_or_default();
    if name != "oidc" {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        return Err(user
            .error(format!(
                "has the auth-provider {shown:?}, which kubectl does not support since version 1.26"
            ))
            .fix("replace auth-provider with the exec plugin of that provider"));
    }
    let config = provider.part("config");
    let token = config.as_ref().map_or(Ok(None), |config| config.text("id-token"))?;
    let renew = "run kubectl auth whoami in this context: kubectl renews the token and writes it to \
                 the kubeconfig";
    let Some(token) = token else {
        return Err(provider.error("has no id-token").of_kind(Kind::Expired).fix(renew));
    };
    match jwt::expiry(token) {
        None => Err(provider.error("has an id-token that is not a JWT with an expiry").fix(renew)),
        Some(expiry) if expiry - EXPIRES_SOON <= cx.clock.now() => {
            let what = format!("the id-token of {} expired at {}", user.place(), rfc3339(expiry));
            Err(Error::new(Kind::Expired, what).fix(renew).depending_on(expiry))
        }
        Some(_) => Ok(Credentials { bearer: Some(Secret::new(token)), client_cert: None }),
    }
}
