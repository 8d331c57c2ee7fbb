//! Requests a SAML assertion with WS-Trust 1.3.
//!
//! The client posts a SOAP 1.2 message, a `RequestSecurityToken`, to an endpoint of AD FS below
//! `services/trust/13/`. Each [`Endpoint`] has its own way to sign in: HTTP Negotiate, or a user
//! name or a signature in the message. The response contains the assertion or a SOAP [`fault`]. The
//! bytes of the assertion are passed on unchanged, because the assertion is signed.
//! <https://docs.oasis-open.org/ws-sx/ws-trust/v1.3/ws-trust.html>

mod endpoint;
mod envelope;
mod fault;
pub(super) mod token_response;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

pub(super) use self::endpoint::{Endpoint, EndpointName};
use self::token_response::Content;
use super::{Adfs, Auth};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Response, Url, retry};
use crate::options::KeyRef;
use crate::secret::Secret;
use crate::show;
use crate::signing_key::SigningKey;
use crate::token::{Origin, SubjectToken};

pub(super) fn get(
    adfs: &Adfs,
    endpoint: Endpoint,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let url = adfs.url(&format!("services/trust/13/{}", endpoint.name()))?;
    let response = send(adfs, endpoint, &url, cx)?;
    let text = str::from_utf8(&response.body).unwrap_or_default();
    let assertion = match token_response::read(text) {
        Content::Assertion(range) => text.get(range).unwrap_or_default(),
        Content::Fault(fault) => return Err(fault.explain(&response, &url, cx.wrong_clock())),
        Content::Other => return Err(no_assertion(response, endpoint, &url)),
    };
    let token = Secret::new(STANDARD.encode(assertion));
    let origin = Origin::new(
        format!("the response from {url}"),
        "--relying-party",
        "check the clocks of this host and of AD FS",
    );
    SubjectToken::read(&token, request.token_type, cx.clock.now(), &origin)
}

/// Sends the request. Repeats it after a status that AD FS sometimes returns without a reason.
fn send(adfs: &Adfs, endpoint: Endpoint, url: &Url, cx: &Context) -> Result<Response, Error> {
    let is_temporary = |response: &Response| {
        let text = str::from_utf8(&response.body).unwrap_or_default();
        let is_fault = matches!(token_response::read(text), Content::Fault(_));
        // A disabled endpoint returns 503.
        !is_fault
            && response.status != 503
            && (response.status == 400 || retry::is_passing(response.status))
    };
    retry::ask(cx.deadline, is_temporary, || {
        let (security, password) = security(adfs, endpoint, cx)?;
        let envelope = envelope::envelope(url.as_typed(), &adfs.relying_party, security.expose())?;
        let envelope = Secret::new(envelope);
        let post = || {
            let post = http::Request::post(url, "--issuer")
                .once()
                .header("User-Agent", adfs.user_agent.as_str())
                .header("Content-Type", "application/soap+xml; charset=utf-8")
                .body(envelope.clone());
            password.iter().cloned().fold(post, http::Request::hiding)
        };
        match endpoint {
            Endpoint::WindowsTransport => adfs.http_negotiate(cx)?.send(url, cx, post),
            _ => cx.send(post()),
        }
    })
}

/// The content of the security header, and the password if the header contains one.
fn security(
    adfs: &Adfs,
    endpoint: Endpoint,
    cx: &Context,
) -> Result<(Secret, Option<Secret>), Error> {
    let timestamp = envelope::timestamp(cx.clock.now());
    Ok(match (&adfs.auth, endpoint) {
        (Auth::Password { user, password }, Endpoint::UsernameMixed) => {
            let password = password.read("--password", cx)?;
            let token = Secret::new(envelope::username_token(user, password.expose()));
            (Secret::new(timestamp + token.expose()), Some(password))
        }
        (Auth::Certificate { key, certificate }, _) => {
            (Secret::new(signed(&timestamp, key, certificate, cx)?), None)
        }
        _ => (Secret::new(""), None),
    })
}

/// Creates the content of the security header for a client certificate: the timestamp, the
/// certificate, and the signature of its key over the timestamp.
fn signed(
    timestamp: &str,
    key: &KeyRef,
    certificate: &Path,
    cx: &Context,
) -> Result<String, Error> {
    let key = SigningKey::read(key, "--client-key", Kind::Configuration, cx)?;
    let pem = files::read_text(certificate, "--client-cert", Kind::Configuration)?;
    let certificate = CertificateDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| {
        let what = format!("{} does not contain a PEM certificate", show::path(certificate));
        Error::new(Kind::Configuration, what).fix("check --client-cert")
    })?;
    Ok(format!("{timestamp}{}", envelope::signed_by(&key, &certificate, timestamp)?))
}

/// The error for a response with neither an assertion nor a fault.
fn no_assertion(response: Response, endpoint: Endpoint, url: &Url) -> Error {
    // AD FS responds with one of these status codes if the endpoint is disabled.
    if matches!(response.status, 403 | 404 | 503) {
        let what = format!("{url} responded with status {}", response.status);
        return Error::new(Kind::Configuration, what).fix(format!(
            "enable the endpoint with Enable-AdfsEndpoint -TargetAddressPath \
             /adfs/services/trust/13/{} and restart AD FS, or check --issuer",
            endpoint.name()
        ));
    }
    let what = format!("the response from {url} has no assertion");
    response.require_success().err().unwrap_or_else(|| {
        Error::new(Kind::Protocol, what).fix(
            "check --issuer, and connect to AD FS directly and not through its Web Application \
             Proxy",
        )
    })
}
