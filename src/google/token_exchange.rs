//! The exchange of a subject token at the Security Token Service (RFC 8693).
//!
//! The request is a form. It has an `Authorization` header only if the configuration names a
//! client. The response contains a federated access token.
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

use serde_json::json;

use super::access_token::{AccessToken, URN};
use super::refusals;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Error;
use crate::http::Request;
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Exchanges a subject token for an access token with these scopes, which are separated by spaces.
///
/// # Errors
/// `DENIED`, `CONFIGURATION` or `EXPIRED` if the service refuses the subject token; otherwise those
/// of [`Context::send`]. `PROTOCOL` if the response has no access token.
pub fn exchange(
    config: &CredentialConfig,
    subject_token: &Secret,
    scope: &str,
    cx: &Context,
) -> Result<AccessToken, Error> {
    let mut post = Request::post(&config.token_url, "token_url")
        .header("Accept", "application/json")
        .field("grant_type", GRANT)
        .field("audience", config.audience.as_str())
        .field("scope", scope)
        .field("requested_token_type", URN)
        .field("subject_token_type", config.token_type.urn())
        .field("subject_token", subject_token.clone());
    if let Some((id, secret)) = &config.client {
        post = post.basic(id, secret);
    } else if let Some(project) = &config.user_project {
        // A client belongs to a project, so the user project applies only without a client.
        post = post.field("options", json!({ "userProject": project }).to_string().as_str());
    }
    let response = cx.send(post)?;
    if matches!(response.status, 400 | 401 | 403 | 429)
        && let Some(error) = refusals::of_exchange(&response, config, subject_token, cx)
    {
        return Err(error);
    }
    let response = response.require_success()?;
    let members = response.json()?;
    AccessToken::of_oauth(&members, cx.clock.now(), (&config.token_url, "token_url"))
}
