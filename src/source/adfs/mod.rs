//! Gets a subject token from AD FS for a domain account, without a stored secret.
//!
//! There are three protocols. `oidc` sends an OAuth client credentials request to the token
//! endpoint and authenticates with the Windows account by HTTP Negotiate (MS-OAPX 2.2.3.4).
//! `saml-post` sends a SAML `AuthnRequest` and reads the `SAMLResponse` from the HTML form in the
//! response. `ws-trust` requests an assertion in a SOAP message (WS-Trust 1.3). AD FS compares
//! relying party identifiers exactly, so they are never normalized.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-oapx>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-active-directory>

mod authn_request;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod html_page;
mod http_negotiate;
mod msis;
// The static program does not support Kerberos.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))]
mod negotiate;
mod oidc;
mod options;
mod saml_post;
mod signature;
mod ws_trust;
mod xml;

use std::path::PathBuf;

use self::http_negotiate::HttpNegotiate;
use self::negotiate::Identity;
use super::oidc::ClientAuth;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{KeyRef, SecretRef, Thumbprint};
use crate::signing_key;
use crate::token::{SubjectToken, TokenType};

/// The variables that the Kerberos libraries and PKCS#11 modules read.
const VARIABLES: &[&str] = &[
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "KRB5_CLIENT_KTNAME",
    "KRB5_KTNAME",
    signing_key::VARIABLES[0],
    signing_key::VARIABLES[1],
];

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "adfs",
    also: &[
        "saml",
        "ws-trust",
        "active-directory",
        "ad",
        "kerberos",
        "ntlm",
        "gssapi",
        "sspi",
        "spnego",
        "windows",
    ],
    summary: "AD FS, usually with the Windows or Kerberos account",
    options: &[options::Options::TABLE],
    rest: None,
    variables: VARIABLES,
    example: "wif-token adfs --issuer=https://adfs.example.com/adfs \\\n  --relying-party=https://iam.example.com/my-pool --client-id=my-app",
    build: options::build,
};

/// How to sign in.
#[derive(Debug)]
enum Auth {
    /// With the account of this process, or with an account in a keytab.
    Integrated,
    /// With the user name and password of an account.
    Password { user: String, password: SecretRef },
    /// With a client certificate; for `ws-trust` only.
    Certificate { key: KeyRef, certificate: PathBuf },
    /// As the server application; for `oidc` only.
    Client(ClientAuth),
}

/// The key that signs the request of `saml-post`.
#[derive(Debug)]
enum Signer {
    /// This RSA key.
    Key(KeyRef),
    /// The key of this certificate in the Windows certificate store.
    Certificate(Thumbprint),
}

#[derive(Debug)]
enum Protocol {
    Oidc { client_id: String },
    SamlPost { acs_url: String, signer: Option<Signer> },
    WsTrust { endpoint: ws_trust::Endpoint },
}

#[derive(Debug)]
struct Adfs {
    /// `--issuer`, with a slash at the end.
    issuer: Url,
    relying_party: String,
    protocol: Protocol,
    auth: Auth,
    keytab: Option<PathBuf>,
    principal: Option<String>,
    spn: Option<String>,
    user_agent: String,
}

impl Source for Adfs {
    fn trust(&self) -> Trust {
        match self.protocol {
            Protocol::Oidc { .. } => {
                let issuer = self.issuer.as_typed().trim_end_matches('/');
                Trust::issuer(issuer).for_audience(&self.relying_party)
            }
            _ => Trust::saml("METADATA".into()).explain(
                "METADATA",
                "the file downloaded from https://ADFS_HOST/FederationMetadata/2007-06/FederationMetadata.xml",
            ),
        }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let saml = !matches!(self.protocol, Protocol::Oidc { .. });
        if saml != (request.token_type == TokenType::Saml2) {
            let (what, expected) = match saml {
                true => {
                    ("the selected --protocol returns a SAML token, not a JWT", TokenType::Saml2)
                }
                false => ("--protocol=oidc returns a JWT, not a SAML token", TokenType::Jwt),
            };
            return Err(Error::new(Kind::Configuration, what)
                .fix(format!("set subject_token_type to {}", expected.urn())));
        }
        match &self.protocol {
            Protocol::Oidc { client_id } => oidc::get(self, client_id, request, cx),
            Protocol::SamlPost { acs_url, signer } => {
                saml_post::get(self, acs_url, signer.as_ref(), request, cx)
            }
            Protocol::WsTrust { endpoint } => ws_trust::get(self, *endpoint, request, cx),
        }
    }
}

impl Adfs {
    /// The URL of a path below the issuer.
    fn url(&self, path: &str) -> Result<Url, Error> {
        Url::parse(&format!("{}{path}", self.issuer.as_typed())).map_err(|why| {
            Error::new(Kind::Usage, format!("--issuer {why}")).fix("remove the query from --issuer")
        })
    }

    /// The account and the service for HTTP Negotiate.
    fn http_negotiate(&self, cx: &Context) -> Result<HttpNegotiate, Error> {
        let identity = match &self.auth {
            Auth::Password { user, password } => Identity::Password {
                user: user.clone(),
                password: password.read("--password", cx)?,
            },
            _ => {
                Identity::Current { keytab: self.keytab.clone(), principal: self.principal.clone() }
            }
        };
        Ok(HttpNegotiate { identity, spn: self.spn.clone() })
    }
}
