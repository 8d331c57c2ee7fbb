//! How a client proves who it is at the token endpoint.
//!
//! `client_secret_basic` and `client_secret_post` (RFC 6749, section 2.3.1), `private_key_jwt`
//! (RFC 7523, section 2.2), `tls_client_auth` (RFC 8705, section 2), or not at all.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::discovery::Metadata;
use super::{AuthMethod, Options};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{ClientCert, Request, Url, form};
use crate::options::{SecretRef, missing};
use crate::random;
use crate::secret::Secret;
use crate::signing_key::SigningKey;

/// How long an assertion lives, in seconds: it is used at once and only once.
const ASSERTION_LIFE: i64 = 60;

#[derive(Debug)]
pub(in crate::source) enum ClientAuth {
    Basic(SecretRef),
    Post(SecretRef),
    PrivateKeyJwt { key: PathBuf, audience: Option<String> },
    Mtls { key: PathBuf, certificate: PathBuf },
    None,
}

impl ClientAuth {
    /// Reads `--auth` and the options that belong to it.
    ///
    /// # Errors
    /// `USAGE` where one of these is missing.
    pub(super) fn new(options: &Options) -> Result<ClientAuth, Error> {
        let secret = || options.client_secret.clone().ok_or_else(|| missing("client-secret"));
        let key = || options.client_key.clone().ok_or_else(|| missing("client-key"));
        let certificate = || options.client_cert.clone().ok_or_else(|| missing("client-cert"));
        let method = options.auth.unwrap_or({
            match (&options.client_secret, &options.client_key, &options.client_cert) {
                (Some(_), ..) => AuthMethod::Basic,
                (None, _, Some(_)) => AuthMethod::Mtls,
                (None, Some(_), None) => AuthMethod::PrivateKeyJwt,
                (None, None, None) => AuthMethod::None,
            }
        });
        Ok(match method {
            AuthMethod::Basic => ClientAuth::Basic(secret()?),
            AuthMethod::Post => ClientAuth::Post(secret()?),
            AuthMethod::PrivateKeyJwt => ClientAuth::PrivateKeyJwt {
                key: key()?,
                audience: options.assertion_audience.clone(),
            },
            AuthMethod::Mtls => ClientAuth::Mtls { key: key()?, certificate: certificate()? },
            AuthMethod::None => ClientAuth::None,
        })
    }

    /// A context that presents the client certificate, for the method that has one.
    pub(in crate::source) fn narrowed(&self, cx: &Context) -> Result<Option<Context>, Error> {
        let ClientAuth::Mtls { key, certificate } = self else {
            return Ok(None);
        };
        cx.log.warn_if_shared(key);
        let chain = files::read_text(certificate, "--client-cert", Kind::Configuration)?;
        let key = files::read_text(key, "--client-key", Kind::Configuration)?;
        let place = "--client-cert and --client-key";
        let client_cert = ClientCert::new(&chain, &key, place)?;
        Ok(Some(cx.narrowed(|_, http| http.tls.client_cert = Some(client_cert))))
    }

    /// The address of this endpoint for a client with this proof, where the issuer has one.
    pub(super) fn endpoint(&self, name: &str, metadata: &Metadata) -> Result<Option<Url>, Error> {
        let own = match self {
            ClientAuth::Mtls { .. } => metadata.mtls_endpoint(name)?,
            _ => None,
        };
        own.map_or_else(|| metadata.endpoint(name), |own| Ok(Some(own)))
    }

    /// Adds the proof to a request. `issuer` is what the issuer calls itself.
    pub(in crate::source) fn prove<'a>(
        &self,
        request: Request<'a>,
        client_id: &str,
        issuer: &str,
        cx: &Context,
    ) -> Result<Request<'a>, Error> {
        Ok(match self {
            ClientAuth::Basic(secret) => {
                let secret = secret.read("--client-secret", cx)?;
                let header = basic(client_id, &secret);
                request.header("Authorization", header).hiding(secret)
            }
            ClientAuth::Post(secret) => {
                let secret = secret.read("--client-secret", cx)?;
                request.field("client_id", client_id).field("client_secret", secret)
            }
            ClientAuth::PrivateKeyJwt { key, audience } => {
                let key = SigningKey::read(key, "--client-key", Kind::Configuration, cx)?;
                let audience = audience.as_deref().unwrap_or(issuer);
                let assertion = assertion(&key, client_id, audience, cx.clock.now())?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                request
                    .field("client_id", client_id)
                    .field("client_assertion_type", kind)
                    .field("client_assertion", assertion)
            }
            ClientAuth::Mtls { .. } | ClientAuth::None => request.field("client_id", client_id),
        })
    }

    /// What to change when the issuer does not believe it.
    pub(in crate::source) fn fix(&self) -> &'static str {
        match self {
            ClientAuth::Basic(_) => "check --client-id and --client-secret, or take --auth=post",
            ClientAuth::Post(_) => "check --client-id and --client-secret, or take --auth=basic",
            ClientAuth::PrivateKeyJwt { .. } => {
                "check --client-id, that the issuer knows the public half of --client-key, and \
                 this host's clock; some issuers want their token endpoint as --assertion-audience"
            }
            ClientAuth::Mtls { .. } => "check --client-id, --client-cert and --client-key",
            ClientAuth::None => {
                "check --client-id, or prove the client with --client-secret, \
                                 --client-key or --client-cert"
            }
        }
    }
}

/// The header of `client_secret_basic`: id and secret are form-encoded before they are joined.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let (id, secret) = (form::escape(client_id), form::escape(secret.expose()));
    let pair = Secret::new(format!("{id}:{secret}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

fn assertion(key: &SigningKey, client_id: &str, audience: &str, now: i64) -> Result<Secret, Error> {
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": random::hex()?,
        "iat": now,
        "exp": now + ASSERTION_LIFE,
    });
    key.sign(&claims, key.given_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        let header = basic("a:b", &Secret::new("p+ss/w%rd é"));
        let pair = STANDARD.decode(header.expose().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(str::from_utf8(&pair).unwrap(), "a%3Ab:p%2Bss%2Fw%25rd%20%C3%A9");
    }
}
