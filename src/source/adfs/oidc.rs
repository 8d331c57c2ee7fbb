//! Client credentials at AD FS, where the client is a Windows account.
//!
//! `use_windows_client_authentication=true` makes AD FS ask for HTTP Negotiate at its token
//! endpoint; below AD FS behaviour level 2 it is ignored. The access token is the subject token.

use super::form::Page;
use super::{Adfs, Auth};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, retry};
use crate::secret::Secret;
use crate::source::oidc::Metadata;
use crate::token::{Origin, SubjectToken};

pub(super) fn get(
    adfs: &Adfs,
    client_id: &str,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let metadata = Metadata::discover(&adfs.issuer, cx)?;
    let endpoint = &metadata.token_endpoint;
    let response = ask(adfs, client_id, endpoint, cx)?;
    let answer = response.json()?;
    let token =
        answer.get("access_token").and_then(serde_json::Value::as_str).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the answer of {endpoint} has no access_token"))
                .fix("check --relying-party and the Web API's application permissions")
        })?;
    let origin = Origin {
        what: format!("the access_token of {endpoint}"),
        option: "--relying-party",
        renew: "the clocks of this host and of AD FS may differ".to_owned(),
    };
    SubjectToken::read(&Secret::new(token), request.token_type, cx.clock.now(), &origin)
}

/// Asks, again after an answer of 400 or 429 without a reason, which AD FS gives now and then.
fn ask(adfs: &Adfs, client_id: &str, endpoint: &Url, cx: &Context) -> Result<Response, Error> {
    let passes = |response: &Response| match response.oauth_error().as_deref() {
        None => response.status == 400 || retry::is_passing(response.status),
        Some(error) => matches!(error, "server_error" | "temporarily_unavailable"),
    };
    let response = retry::ask(cx.deadline, passes, || ask_once(adfs, client_id, endpoint, cx))?;
    let (text, fix) = (msis(&response), fix(&response));
    response.require_success().map_err(|error| {
        let error = text.into_iter().fold(error, |error, text| error.cause(text));
        fix.into_iter().fold(error, |error, fix| error.fix(fix))
    })
}

fn ask_once(adfs: &Adfs, client_id: &str, endpoint: &Url, cx: &Context) -> Result<Response, Error> {
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
            cx.send(client.prove(form(), client_id, audience, cx)?)
        }
        _ => adfs.sign_on(cx)?.send(endpoint, cx, || {
            form()
                .field("client_id", client_id)
                .field("scope", "openid")
                .field("use_windows_client_authentication", "true")
        }),
    }
}

/// The `MSISnnnn: text` in a page of AD FS, or in its JSON.
pub(super) fn msis(response: &Response) -> Option<String> {
    let mut body = String::from_utf8_lossy(&response.body).into_owned();
    if response.is_html() {
        body = Page::read(&body).text().to_owned();
    }
    let begin = body.match_indices("MSIS").find(|(at, _)| {
        let digits = body.get(at + 4..).unwrap_or_default();
        digits
            .split(':')
            .next()
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })?;
    let text = body.get(begin.0..)?;
    let text = text.split(['<', '"', '\r', '\n']).next()?;
    Some(response.redacted(text))
}

fn fix(response: &Response) -> Option<&'static str> {
    Some(match response.oauth_error()?.as_str() {
        "invalid_client" => {
            "check --client-id (Get-AdfsServerApplication), and that this account is its \
             ADUserPrincipalName or its secret is right"
        }
        "invalid_resource" | "invalid_target" | "invalid_grant" => {
            "check --relying-party (Get-AdfsWebApiApplication)"
        }
        "unauthorized_client" | "access_denied" => {
            "run Grant-AdfsApplicationPermission -ClientRoleIdentifier CLIENT-ID \
             -ServerRoleIdentifier RELYING-PARTY -ScopeNames openid"
        }
        _ => "check --client-id and --relying-party",
    })
}
