//! The OAuth client credentials grant of AD FS, for a Windows account or a server application.
//!
//! With `use_windows_client_authentication=true`, the token endpoint requires HTTP Negotiate. AD FS
//! ignores this parameter if its behavior level is below 2. The access token is the subject token.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-oapx> (section 2.2.3.4)

use serde_json::Value;

use super::{Adfs, Auth, msis};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, retry};
use crate::secret::Secret;
use crate::source::oidc::{ClientAuth, Metadata};
use crate::token::{Origin, SubjectToken};

pub(super) fn get(
    adfs: &Adfs,
    client_id: &str,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let metadata = Metadata::discover(&adfs.issuer, cx)?;
    let endpoint = &metadata.token_endpoint;
    let response = send(adfs, client_id, endpoint, cx)?;
    let members = response.json()?;
    let token = members.get("access_token").and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the response from {endpoint} has no access_token"))
            .fix("check --relying-party and the application permissions of the Web API")
    })?;
    let origin = Origin::new(
        format!("the response from {endpoint}"),
        "--relying-party",
        "check the clocks of this host and of AD FS",
    );
    SubjectToken::read(&Secret::new(token), request.token_type, cx.clock.now(), &origin)
}

/// Sends the request. Repeats it after a temporary error, and after the status 400 or 429 without
/// an OAuth error, which AD FS sometimes returns without a reason.
fn send(adfs: &Adfs, client_id: &str, endpoint: &Url, cx: &Context) -> Result<Response, Error> {
    let is_temporary = |response: &Response| match response.oauth_error().as_deref() {
        None => response.status == 400 || retry::is_passing(response.status),
        Some(error) => matches!(error, "server_error" | "temporarily_unavailable"),
    };
    let send = || send_once(adfs, client_id, endpoint, cx);
    let response = retry::ask(cx.deadline, is_temporary, send)?;
    let text = msis::message(&response);
    let fix = text.as_deref().and_then(msis::fix).or_else(|| fix(&response, &adfs.auth));
    response.require_success().map_err(|error| {
        let error = text.into_iter().fold(error, |error, text| error.cause(text));
        fix.into_iter().fold(error, |error, fix| error.fix(fix))
    })
}

fn send_once(
    adfs: &Adfs,
    client_id: &str,
    endpoint: &Url,
    cx: &Context,
) -> Result<Response, Error> {
    let form = || {
        http::Request::post(endpoint, "--issuer")
            .once()
            .header("User-Agent", adfs.user_agent.as_str())
            .header("Accept", "application/json")
            .field("grant_type", "client_credentials")
            .field("resource", adfs.relying_party.as_str())
    };
    match &adfs.auth {
        Auth::Client(client) => {
            let audience = endpoint.as_typed();
            cx.send(client.authenticate(form(), client_id, audience, cx)?)
        }
        _ => adfs.http_negotiate(cx)?.send(endpoint, cx, || {
            form()
                .field("client_id", client_id)
                .field("scope", "openid")
                .field("use_windows_client_authentication", "true")
        }),
    }
}

/// The fix for an OAuth error of AD FS.
fn fix(response: &Response, auth: &Auth) -> Option<&'static str> {
    Some(match (response.oauth_error()?.as_str(), auth) {
        ("invalid_client", Auth::Client(ClientAuth::Post(_))) => {
            "check --client-id and --client-secret"
        }
        ("invalid_client", Auth::Client(_)) => {
            "check --client-id, and that the server application has the public key of --client-key \
             (Get-AdfsServerApplication)"
        }
        ("invalid_client", _) => {
            "check --client-id, and that the account is the ADUserPrincipalName of the server \
             application (Get-AdfsServerApplication)"
        }
        ("invalid_resource" | "invalid_target" | "invalid_grant", _) => {
            "check --relying-party (Get-AdfsWebApiApplication)"
        }
        ("unauthorized_client" | "access_denied", _) => {
            "run Grant-AdfsApplicationPermission -ClientRoleIdentifier CLIENT-ID \
             -ServerRoleIdentifier RELYING-PARTY -ScopeNames openid"
        }
        _ => "check --client-id and --relying-party",
    })
}
