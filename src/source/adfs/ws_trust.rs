//! An assertion by WS-Trust 1.3, whose endpoints stand below `services/trust/13/`.
//!
//! The assertion's bytes are passed on as they came: it is signed.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::options::EndpointName;
use super::soap::{self, Answer};
use super::{Adfs, Auth, signature};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Response, Url, retry};
use crate::secret::Secret;
use crate::signing_key::SigningKey;
use crate::token::{Origin, SubjectToken};

/// An endpoint, by how it signs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// HTTP Negotiate.
    WindowsTransport,
    /// A user name and password in the message.
    UsernameMixed,
    /// A signature in the message.
    CertificateMixed,
}

impl Endpoint {
    /// The endpoint of `--ws-trust-endpoint`, by default that of `--auth`.
    ///
    /// # Errors
    /// `USAGE` where they do not fit, or for the one that cannot be used.
    pub(super) fn new(chosen: Option<EndpointName>, auth: &Auth) -> Result<Endpoint, Error> {
        let of_auth = match auth {
            Auth::Password { .. } => Endpoint::UsernameMixed,
            Auth::Certificate { .. } => Endpoint::CertificateMixed,
            Auth::Integrated | Auth::Client(_) => Endpoint::WindowsTransport,
        };
        match (chosen, auth) {
            (None, _) => Ok(of_auth),
            (Some(EndpointName::WindowsMixed), _) => Err(Error::new(
                Kind::Usage,
                "windowsmixed negotiates inside of SOAP messages, which only WCF speaks",
            )
            .fix(
                "use windowstransport (Enable-AdfsEndpoint -TargetAddressPath \
                 /adfs/services/trust/13/windowstransport), or --protocol=saml-post",
            )),
            (Some(EndpointName::WindowsTransport), Auth::Password { .. }) => {
                Ok(Endpoint::WindowsTransport)
            }
            (Some(name), _) if name.word() == of_auth.name() => Ok(of_auth),
            (Some(name), _) => {
                Err(Error::new(Kind::Usage, format!("{} does not fit --auth", name.word())).fix(
                    "usernamemixed goes with --auth=password, certificatemixed with \
                     --auth=certificate, windowstransport with the others",
                ))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Endpoint::WindowsTransport => "windowstransport",
            Endpoint::UsernameMixed => "usernamemixed",
            Endpoint::CertificateMixed => "certificatemixed",
        }
    }
}

pub(super) fn get(
    adfs: &Adfs,
    endpoint: Endpoint,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let url = adfs.address(&format!("services/trust/13/{}", endpoint.name()))?;
    let response = ask(adfs, endpoint, &url, cx)?;
    let text = str::from_utf8(&response.body).unwrap_or_default();
    let assertion = match soap::read(text) {
        Answer::Assertion(range) => text.get(range).unwrap_or_default(),
        Answer::Fault { code, reason } => return Err(fault(&code, &reason, &response, &url)),
        Answer::Neither => return Err(no_answer(response, endpoint, &url)),
    };
    let token = Secret::new(STANDARD.encode(assertion));
    let origin = Origin {
        what: format!("the answer of {url}"),
        option: "--relying-party",
        renew: "the clocks of this host and of AD FS may differ".to_owned(),
    };
    SubjectToken::read(&token, request.token_type, cx.clock.now(), &origin)
}

fn ask(adfs: &Adfs, endpoint: Endpoint, url: &Url, cx: &Context) -> Result<Response, Error> {
    let passes = |response: &Response| {
        let fault = matches!(
            soap::read(str::from_utf8(&response.body).unwrap_or_default()),
            Answer::Fault { .. }
        );
        // 503 is a disabled endpoint.
        !fault
            && response.status != 503
            && (response.status == 400 || retry::is_passing(response.status))
    };
    retry::ask(cx.deadline, passes, || {
        let (security, password) = security(adfs, endpoint, cx)?;
        let envelope = soap::envelope(url.as_typed(), &adfs.relying_party, security.expose())?;
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
            Endpoint::WindowsTransport => adfs.sign_on(cx)?.send(url, cx, post),
            _ => cx.send(post()),
        }
    })
}

/// The content of the security header, and the password in it.
fn security(
    adfs: &Adfs,
    endpoint: Endpoint,
    cx: &Context,
) -> Result<(Secret, Option<Secret>), Error> {
    let timestamp = soap::timestamp(cx.clock.now());
    Ok(match (&adfs.auth, endpoint) {
        (Auth::Password { user, password }, Endpoint::UsernameMixed) => {
            let password = password.read("--password", cx)?;
            let token = soap::username_token(user, password.expose());
            (Secret::new(timestamp + &token), Some(password))
        }
        (Auth::Certificate { key, certificate }, _) => {
            (Secret::new(signed(&timestamp, key, certificate, cx)?), None)
        }
        _ => (Secret::new(""), None),
    })
}

/// A timestamp signed with the certificate that is shown along with it.
fn signed(timestamp: &str, key: &Path, certificate: &Path, cx: &Context) -> Result<String, Error> {
    let key = SigningKey::read(key, "--client-key", Kind::Configuration, cx)?;
    let pem = files::read_text(certificate, "--client-cert", Kind::Configuration)?;
    let certificate = CertificateDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| {
        let what = format!("{} holds no certificate in PEM form", certificate.display());
        Error::new(Kind::Configuration, what).fix("check --client-cert")
    })?;
    let wss = soap::WSS;
    let encoded = STANDARD.encode(&certificate);
    let shown = format!(
        "<o:BinarySecurityToken xmlns:u=\"{wss}-wssecurity-utility-1.0.xsd\" u:Id=\"_1\" \
         EncodingType=\"{wss}-soap-message-security-1.0#Base64Binary\" \
         ValueType=\"{wss}-x509-token-profile-1.0#X509v3\">{encoded}</o:BinarySecurityToken>"
    );
    let key_info = format!(
        "<ds:KeyInfo><o:SecurityTokenReference><o:Reference URI=\"#_1\" \
         ValueType=\"{wss}-x509-token-profile-1.0#X509v3\"></o:Reference>\
         </o:SecurityTokenReference></ds:KeyInfo>"
    );
    let signature = signature::element(&key, soap::TIMESTAMP_ID, timestamp, false, &key_info)?;
    Ok(format!("{timestamp}{shown}{signature}"))
}

fn fault(code: &str, reason: &str, response: &Response, url: &Url) -> Error {
    let (kind, fix) = match code {
        "InvalidScope" => (
            Kind::Configuration,
            "check --relying-party: it has to be an identifier of a relying party trust \
             (Get-AdfsRelyingPartyTrust), letter by letter",
        ),
        "FailedAuthentication" => {
            (Kind::Denied, "check --user and --password, or the account of this process")
        }
        "MessageExpired" | "InvalidSecurity" => {
            (Kind::Configuration, "set this host's clock, and check --user or --client-cert")
        }
        _ => (Kind::Denied, "check the issuance authorization rules of the relying party trust"),
    };
    let cause = response.redacted(&format!("{code}: {reason}"));
    Error::new(kind, format!("{url} refused the request")).cause(cause).fix(fix)
}

fn no_answer(response: Response, endpoint: Endpoint, url: &Url) -> Error {
    if matches!(response.status, 403 | 404 | 503) {
        let what = format!("{url} is not enabled");
        return Error::new(Kind::Configuration, what)
            .cause(format!("status {}", response.status))
            .fix(format!(
                "run Enable-AdfsEndpoint -TargetAddressPath /adfs/services/trust/13/{} and restart \
                 AD FS",
                endpoint.name()
            ));
    }
    let what = format!("the answer of {url} holds no assertion");
    response.require_success().err().unwrap_or_else(|| {
        Error::new(Kind::Protocol, what)
            .fix("check --issuer, and that a proxy (WAP) does not stand in front of AD FS")
    })
}
