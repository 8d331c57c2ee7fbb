//! Gets the access token of a user who signed in, with a refresh token (RFC 6749, section 6).
//!
//! The client authenticates in the form at the endpoint for Google accounts, and in the header at
//! the endpoint for workforce identity pools, as in Google's libraries. The second endpoint may
//! replace the refresh token: the old one then stops working.
//! <https://developers.google.com/identity/protocols/oauth2/native-app#offline>

use serde_json::Value;

use super::access_token::AccessToken;
use crate::configuration::user::UserCredentials;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response};
use crate::secret::Secret;
use crate::shell::quoted;
use crate::token;

/// The response to a refresh request.
#[derive(Debug)]
pub struct Refreshed {
    /// The access token.
    pub token: AccessToken,
    /// The scopes of the access token, separated by spaces.
    pub scope: Option<String>,
}

/// Gets an access token with this refresh token, and with these scopes if there are any. Without
/// scopes, the access token has all scopes that the user granted. If the response contains a new
/// refresh token, `store` receives it before the rest of the response is checked.
///
/// # Errors
/// `DENIED` if the user must sign in again; otherwise those of [`Context::send`] and of `store`.
/// `PROTOCOL` if the response has no access token.
pub fn refresh(
    user: &UserCredentials,
    refresh_token: &Secret,
    scopes: &[String],
    cx: &Context,
    store: impl FnOnce(&Secret) -> Result<(), Error>,
) -> Result<Refreshed, Error> {
    user.require_google()?;
    let (url, member) = (&user.token_url, user.token_url_member());
    let mut post = Request::post(url, member)
        .header("Accept", "application/json")
        .field("grant_type", "refresh_token");
    if user.is_workforce {
        post = post.basic(&user.client_id, &user.client_secret);
    } else {
        post = post
            .field("client_id", user.client_id.as_str())
            .field("client_secret", user.client_secret.clone());
    }
    post = post.field("refresh_token", refresh_token.clone());
    if !user.is_workforce && !scopes.is_empty() {
        post = post.field("scope", scopes.join(" ").as_str());
    }
    // A refresh token that is used twice may be revoked, so the request is not repeated if the
    // response is lost.
    let response = cx.send(if user.is_workforce { post.once() } else { post })?;
    if let Some(error) = refusal(&response, user, scopes) {
        return Err(error);
    }
    let members = response.require_success()?.json()?;
    let text =
        |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(new) = text("refresh_token").filter(|token| *token != refresh_token.expose()) {
        if !token::is_opaque(new) {
            let what = format!("the new refresh token from {url} is not valid");
            return Err(Error::new(Kind::Protocol, what)
                .cause("it contains control characters or characters that are not in ASCII")
                .fix(format!("check {member}")));
        }
        store(&Secret::new(new))?;
    }
    Ok(Refreshed {
        token: AccessToken::of_oauth(&members, cx.clock.now(), (url, member))?,
        scope: text("scope").map(str::to_owned),
    })
}

/// The command with which the user signs in again, for these scopes if they are not the usual ones.
pub fn sign_in(user: &UserCredentials, scopes: &[String]) -> String {
    let mut command = "gcloud auth application-default login".to_owned();
    if user.is_workforce {
        command.push_str(" --login-config=FILE");
    }
    if !scopes.is_empty() && !user.is_workforce {
        // gcloud needs these two scopes to store the account of the user.
        let scopes = ["openid", "https://www.googleapis.com/auth/userinfo.email"]
            .into_iter()
            .chain(scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        let scopes: Vec<&str> = scopes.collect();
        command.push_str(&format!(" --scopes={}", quoted(&scopes.join(","))));
    }
    command
}

/// Explains a refusal; `None` if the response is not an OAuth error.
fn refusal(response: &Response, user: &UserCredentials, scopes: &[String]) -> Option<Error> {
    if !matches!(response.status, 400 | 401 | 403) {
        return None;
    }
    let code = response.oauth_error()?;
    let what = format!("{} refused the refresh token", user.token_url);
    let subtype = response.oauth_error_subtype().unwrap_or_default();
    let kind = match code.as_str() {
        "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client" => {
            Kind::Configuration
        }
        _ => Kind::Denied,
    };
    let scopes = if code == "invalid_scope" { scopes } else { &[] };
    let is_of_account =
        matches!(code.as_str(), "access_denied" | "admin_policy_enforced" | "org_internal")
            || response.error_text().is_some_and(|text| text.contains("has been deleted"));
    let how = if is_of_account { "with another account" } else { "again" };
    let again = format!("sign in {how}: {}", sign_in(user, scopes));
    let fix = match subtype.contains("rapt") {
        true => format!(
            "{again} (the organization requires this regularly for users, but not for workloads)"
        ),
        false => again,
    };
    Some(response.failure(kind, what).fix(fix))
}
