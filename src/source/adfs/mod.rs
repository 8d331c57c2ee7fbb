//! AD FS: a domain account, with no stored secret, becomes a subject token.
//!
//! Three protocols. `oidc` asks the token endpoint for client credentials and signs on with the
//! Windows account by HTTP Negotiate (MS-OAPX 2.2.3.4). `saml-post` sends an AuthnRequest and reads
//! the `SAMLResponse` from the form that comes back. `ws-trust` asks for an assertion by SOAP
//! (WS-Trust 1.3). Relying party ids are compared letter by letter and never normalised.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-oapx>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-active-directory>

mod authn_request;
mod form;
mod oidc;
mod options;
mod saml_post;
mod sign_on;
mod signature;
mod soap;
mod ws_trust;
mod xml;

use std::path::PathBuf;

use self::sign_on::SignOn;
use super::oidc::ClientAuth;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::SecretRef;
use crate::signing_key::Thumbprint;
use crate::token::{SubjectToken, TokenType};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "adfs",
    summary: "AD FS, signed on with the Windows or Kerberos account",
    options: &[options::Options::TABLE],
    rest: None,
    example: "wif-token adfs --issuer=https://adfs.example.com/adfs \\\n  --relying-party=https://iam.example.com/my-pool --client-id=my-app",
    build: options::build,
};

/// How to sign on.
#[derive(Debug)]
enum Auth {
    /// The account of this process, or of a keytab.
    Integrated,
    /// Another account.
    Password { user: String, password: SecretRef },
    /// A certificate, for WS-Trust.
    Certificate { key: PathBuf, certificate: PathBuf },
    /// The server application itself, for OIDC.
    Client(ClientAuth),
}

/// What signs the request of `saml-post`.
#[derive(Debug)]
enum Signer {
    /// The RSA key in this file.
    Key(PathBuf),
    /// The key of this certificate in the store of Windows.
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
    /// Ends with a slash.
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
            _ => Trust::saml("FEDERATIONMETADATA.XML".into()),
        }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let saml = !matches!(self.protocol, Protocol::Oidc { .. });
        if saml != (request.token_type == TokenType::Saml2) {
            let (gives, expect) = match saml {
                true => ("SAML", "urn:ietf:params:oauth:token-type:saml2"),
                false => ("a JWT", "urn:ietf:params:oauth:token-type:jwt"),
            };
            return Err(Error::new(Kind::Configuration, format!("this --protocol gives {gives}"))
                .fix(format!("set the configuration's subject_token_type to {expect}")));
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
    /// An address below the issuer's.
    fn address(&self, path: &str) -> Result<Url, Error> {
        Url::parse(&format!("{}{path}", self.issuer.as_typed())).map_err(|why| {
            Error::new(Kind::Usage, format!("--issuer {why}")).fix("give it without a query")
        })
    }

    /// How requests are signed on by HTTP Negotiate.
    fn sign_on(&self, cx: &Context) -> Result<SignOn, Error> {
        let identity = match &self.auth {
            Auth::Password { user, password } => crate::negotiate::Identity::Password {
                user: user.clone(),
                password: password.read("--password", cx)?,
            },
            _ => crate::negotiate::Identity::Current {
                keytab: self.keytab.clone(),
                principal: self.principal.clone(),
            },
        };
        Ok(SignOn { identity, spn: self.spn.clone() })
    }
}
