//! A SAML response by the browser's way: an AuthnRequest in the query, HTTP Negotiate, and the
//! `SAMLResponse` in the form that a browser would post on.

use super::authn_request::AuthnRequest;
use super::form::Page;
use super::{Adfs, Signer, oidc};
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
    let endpoint = adfs.address("ls/")?;
    let authn_request = AuthnRequest {
        destination: endpoint.as_typed(),
        relying_party: &adfs.relying_party,
        acs_url,
        now: cx.clock.now(),
    };
    let parameter = authn_request.parameter(key.as_deref())?;
    let url = adfs.address(&format!("ls/?SAMLRequest={parameter}"))?;
    let response = ask(adfs, &url, cx)?;
    let origin = Origin {
        what: format!("the SAMLResponse of {endpoint}"),
        option: "--relying-party",
        renew: "the clocks of this host and of AD FS may differ".to_owned(),
    };
    let text = saml_response(&response, &endpoint)?;
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}

fn open(signer: &Signer, cx: &Context) -> Result<Box<dyn RsaSha256>, Error> {
    Ok(match signer {
        Signer::Key(path) => {
            Box::new(SigningKey::read(path, "--signing-key", Kind::Configuration, cx)?)
        }
        Signer::Certificate(thumbprint) => {
            Box::new(CertificateKey::find(thumbprint, "--signing-certificate", cx)?)
        }
    })
}

fn ask(adfs: &Adfs, url: &Url, cx: &Context) -> Result<Response, Error> {
    let sign_on = adfs.sign_on(cx)?;
    let passes = |response: &Response| {
        (response.status == 400 || retry::is_passing(response.status))
            && oidc::msis(response).is_none()
    };
    let mut url = url.clone();
    retry::ask(cx.deadline, passes, || {
        loop {
            let response = sign_on.send(&url, cx, || {
                http::Request::get(&url, "--issuer")
                    .once()
                    .header("User-Agent", adfs.user_agent.as_str())
            })?;
            if response.status != 302 {
                return Ok(response);
            }
            url = match to_windows_sign_on(&response, &url) {
                Some(next) => next,
                None => return response.require_success(),
            };
        }
    })
}

/// Where AD FS signs Windows accounts on. The one redirect that is followed: to this path of the
/// same host, and from another one.
fn to_windows_sign_on(response: &Response, from: &Url) -> Option<Url> {
    let location = response.headers("location").next()?;
    let to = match location.starts_with('/') {
        true => Url::parse(&format!("{}{location}", from.origin())).ok()?,
        false => Url::parse(location).ok()?,
    };
    let is_sign_on = |url: &Url| url.path().to_ascii_lowercase().ends_with("/ls/wia");
    (to.origin() == from.origin() && is_sign_on(&to) && !is_sign_on(from)).then_some(to)
}

fn saml_response(response: &Response, endpoint: &Url) -> Result<Secret, Error> {
    let page = Page::read(&String::from_utf8_lossy(&response.body));
    if let Some(value) = page.input("SAMLResponse").filter(|value| !value.is_empty()) {
        return Ok(Secret::new(value));
    }
    if let Some(text) = oidc::msis(response) {
        return Err(Error::new(Kind::Denied, format!("{endpoint} refused the request"))
            .cause(text)
            .fix(
                "check --relying-party (Get-AdfsRelyingPartyTrust), --acs-url and --signing-key",
            ));
    }
    if page.is_login() {
        return Err(Error::new(Kind::Denied, format!("{endpoint} shows its login form")).fix(
            "enable Windows authentication in AD FS for the intranet, reach AD FS itself and not \
             its proxy (WAP), and let its WiaSupportedUserAgents hold a part of --user-agent",
        ));
    }
    let what = format!("the answer of {endpoint} holds no SAMLResponse");
    Err(Error::new(Kind::Protocol, what).cause(format!("status {}", response.status)).fix(
        "check --issuer, and that the relying party trust has a SAML assertion consumer endpoint \
         for --acs-url",
    ))
}
