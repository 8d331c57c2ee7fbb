//! What authenticates a client to Microsoft Entra ID.
//!
//! A client secret is sent as it is. With a certificate, the client sends an assertion: a JWT
//! signed with PS256, whose header contains the thumbprint of the certificate. A workload identity
//! sends the token in a file, which Kubernetes renews, as the assertion.
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Url};
use crate::options::{KeyRef, SecretRef};
use crate::random;
use crate::secret::Secret;
use crate::show;
use crate::signing_key::SigningKey;
use crate::token;

/// The variable that names a certificate file.
pub(super) const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The lifetime of an assertion in seconds, which allows for clocks that differ.
const ASSERTION_LIFETIME: i64 = 300;

/// A credential of a client. `option` is the option or variable that names the file.
pub(super) enum ClientCredential {
    Secret(SecretRef),
    Certificate { certificate: PathBuf, key: KeyRef, option: &'static str },
    TokenFile(PathBuf, &'static str),
}

impl ClientCredential {
    /// Adds the credential to a token request of this client.
    ///
    /// # Errors
    /// `CONFIGURATION` if the secret or a file cannot be used.
    pub(super) fn add_to<'a>(
        &self,
        request: http::Request<'a>,
        client: &str,
        endpoint: &Url,
        cx: &Context,
    ) -> Result<http::Request<'a>, Error> {
        let assertion = match self {
            ClientCredential::Secret(secret) => {
                return Ok(request.field("client_secret", secret.read("--client-secret", cx)?));
            }
            ClientCredential::Certificate { certificate, key, option } => {
                let is_in_certificate = key.file() == Some(certificate);
                let key_option = if is_in_certificate { option } else { "--client-key" };
                let certificate = read_certificate(certificate, option, cx)?;
                let key = SigningKey::read(key, key_option, Kind::Configuration, cx)?;
                let now = cx.clock.now();
                let claims = json!({
                    "iss": client,
                    "sub": client,
                    "aud": endpoint.as_typed(),
                    "jti": random::hex()?,
                    "nbf": now,
                    "iat": now,
                    "exp": now + ASSERTION_LIFETIME,
                });
                key.sign_certified(&claims, &certificate, key_option)?
            }
            ClientCredential::TokenFile(path, option) => read_token(path, option)?,
        };
        Ok(request
            .field("client_assertion_type", ASSERTION_TYPE)
            .field("client_assertion", assertion))
    }
}

fn read_token(path: &Path, option: &'static str) -> Result<Secret, Error> {
    let text = files::read_text(path, option, Kind::Configuration)?;
    token::assertion(&text, format!("the file {}", show::path(path)), option)
}

/// Reads the first certificate in a PEM file.
fn read_certificate(
    path: &Path,
    option: &'static str,
    cx: &Context,
) -> Result<CertificateDer<'static>, Error> {
    let convert = "convert a PFX file with openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";
    if option == CERTIFICATE && cx.env.text(PASSWORD)?.is_some() {
        return Err(Error::new(Kind::Configuration, format!("{PASSWORD} is not supported"))
            .fix(format!("{convert}, and unset {PASSWORD}")));
    }
    let pem = files::read_text(path, option, Kind::Configuration)?;
    CertificateDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| {
        let what = format!("{} does not contain a certificate in PEM format", show::path(path));
        Error::new(Kind::Configuration, what).fix(format!("check {option}, or {convert}"))
    })
}
