//! Gets a SAML response the way a browser does.
//!
//! The request has an `AuthnRequest` in its query and authenticates with HTTP Negotiate. AD FS
//! returns an HTML form that a browser would submit to the service provider. Its hidden field
//! `SAMLResponse` is the subject token.

use super::authn_request::AuthnRequest;
use super::html_page::Page;
use super::http_negotiate::ENABLE_WINDOWS_AUTHENTICATION;
use super::{Adfs, Signer, msis};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, retry};
use crate::secret::Secret;
use crate::signing_key::{CertificateKey, RsaSha256, SigningKey};
use crate::token::{Origin, SubjectToken};

pub(super) fn get(
    adfs: &Adfs,
    acs_url: &str,
    signer: Option<&Signer>,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let key = signer.map(|signer| open(signer, cx)).transpose()?;
    let endpoint = adfs.url("ls/")?;
    let authn_request = AuthnRequest {
        destination: endpoint.as_typed(),
        relying_party: &adfs.relying_party,
        acs_url,
        now: cx.clock.now(),
    };
    let parameter = authn_request.parameter(key.as_deref())?;
    let url = adfs.url(&format!("ls/?SAMLRequest={parameter}"))?;
    let response = send(adfs, &url, cx)?;
    let origin = Origin::new(
        format!("the response from {endpoint}"),
        "--relying-party",
        "check the clocks of this host and of AD FS",
    );
    let text = saml_response(&response, &endpoint)?;
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}

fn open(signer: &Signer, cx: &Context) -> Result<Box<dyn RsaSha256>, Error> {
    Ok(match signer {
        Signer::Key(path) => {
            Box::new(SigningKey::read(path, "--signing-key", Kind::Configuration, cx)?)
        }
        Signer::Certificate(thumbprint) => {
            let found = CertificateKey::find(thumbprint, "--signing-certificate", cx);
            Box::new(found.map_err(|error| match cfg!(windows) {
                true => error,
                false => error.fix("use --signing-key instead of --signing-certificate"),
            })?)
        }
    })
}

/// Sends the request. Repeats it after a status that AD FS sometimes returns without a reason.
fn send(adfs: &Adfs, url: &Url, cx: &Context) -> Result<Response, Error> {
    let negotiate = adfs.http_negotiate(cx)?;
    let is_temporary = |response: &Response| {
        (response.status == 400 || retry::is_passing(response.status))
            && msis::message(response).is_none()
    };
    let mut url = url.clone();
    retry::ask(cx.deadline, is_temporary, || {
        loop {
            let response = negotiate.send(&url, cx, || {
                http::Request::get(&url, "--issuer")
                    .once()
                    .header("User-Agent", adfs.user_agent.as_str())
            })?;
            if response.status != 302 {
                return Ok(response);
            }
            url = match windows_sign_in(&response, &url) {
                Some(next) => next,
                None => return response.require_success(),
            };
        }
    })
}

/// The URL at which AD FS accepts Windows Authentication, if the response redirects to it. This is
/// the only redirect that is followed, and only once.
fn windows_sign_in(response: &Response, from: &Url) -> Option<Url> {
    let is_sign_in = |url: &Url| url.path().to_ascii_lowercase().ends_with("/ls/wia");
    response.same_origin_redirect(from).filter(|to| is_sign_in(to) && !is_sign_in(from))
}

fn saml_response(response: &Response, endpoint: &Url) -> Result<Secret, Error> {
    let page = Page::read(&String::from_utf8_lossy(&response.body));
    if let Some(value) = page.input("SAMLResponse").filter(|value| !value.is_empty()) {
        return Ok(Secret::new(value));
    }
    if let Some(text) = msis::message(response) {
        let fix = msis::fix(&text).unwrap_or(
            "check --relying-party (Get-AdfsRelyingPartyTrust), --acs-url, --signing-key and \
             --signing-certificate",
        );
        return Err(Error::new(Kind::Denied, format!("{endpoint} refused the request"))
            .cause(text)
            .fix(fix));
    }
    if page.is_sign_in() {
        let what = format!("{endpoint} returned its sign-in page");
        let cause = "it does not use Windows Authentication for this request";
        return Err(Error::new(Kind::Denied, what).cause(cause).fix(ENABLE_WINDOWS_AUTHENTICATION));
    }
    let what = format!("the response from {endpoint} has no SAMLResponse");
    Err(Error::new(Kind::Protocol, what).cause(format!("HTTP status {}", response.status)).fix(
        "check --issuer, and that the relying party trust has a SAML assertion consumer endpoint \
         for --acs-url",
    ))
}
