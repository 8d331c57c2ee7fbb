//! Domain-wide delegation: a service account gets an access token for a user in its domain.
//!
//! The service account signs a JWT with the user as `sub`. The OAuth token endpoint exchanges the
//! JWT for an access token, if an administrator of the domain has authorized the client ID of the
//! service account for the scopes.
//! <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>

use serde_json::json;

use super::access_token::AccessToken;
use super::service_account::ServiceAccount;
use crate::context::Context;
use crate::error::Error;
use crate::http::{Request, Url};

/// The public OAuth token endpoint, which is also the audience of the JWT.
const OAUTH: &str = "https://oauth2.googleapis.com/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The lifetime of the JWT, in seconds. The JWT is used immediately.
const ASSERTION_LIFETIME: i64 = 300;

/// Gets an access token for this user with these scopes, which are separated by spaces. `endpoint`
/// overrides the public token endpoint, and `place` names the setting for it.
///
/// # Errors
/// `DENIED` if the delegation is not authorized, otherwise those of [`ServiceAccount::sign_jwt`]
/// and of [`Context::send`]. `PROTOCOL` if the response has no access token.
pub fn access_token(
    account: &ServiceAccount,
    user: &str,
    scope: &str,
    (endpoint, place): (Option<&Url>, &'static str),
    cx: &Context,
) -> Result<AccessToken, Error> {
    let public = Url::parse(OAUTH).map_err(|why| Error::bug(format!("{OAUTH} {why}")))?;
    let endpoint = endpoint.unwrap_or(&public);
    let now = cx.clock.now();
    let claims = json!({
        "iss": account.account.account,
        "sub": user,
        "scope": scope,
        "aud": OAUTH,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME,
    });
    let assertion = account.sign_jwt(&claims.to_string(), "the user and the scopes")?;
    let post = Request::post(endpoint, place)
        .field("grant_type", JWT_BEARER)
        .field("assertion", assertion.text);
    let response = cx.send(post)?;
    let fix = response.oauth_error().and_then(|code| fix_for(&code));
    let members = response
        .require_success()
        .map_err(|error| fix.into_iter().fold(error, |error, fix| error.fix(fix)))?
        .json()?;
    AccessToken::of_oauth(&members, now, (endpoint, place))
}

/// What to do about an OAuth error.
fn fix_for(code: &str) -> Option<&'static str> {
    match code {
        "unauthorized_client" | "access_denied" => Some(
            "authorize the client ID of the service account for these scopes in the Admin console \
             (Security > API controls > Domain-wide delegation)",
        ),
        "invalid_grant" => {
            Some("use the email address of a user in the Workspace domain as the subject")
        }
        "invalid_scope" => Some("check the requested scopes"),
        _ => None,
    }
}
