//! The authentication of a client at the token endpoint.
//!
//! The methods are `client_secret_basic` and `client_secret_post` (RFC 6749, section 2.3.1),
//! `private_key_jwt` (RFC 7523, section 2.2), `tls_client_auth` (RFC 8705, section 2) and none.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::discovery::Metadata;
use super::{AuthMethod, Options};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{ClientCert, Request, Url, form};
use crate::options::{KeyRef, SecretRef, missing, not_for_tls, refuse_pin};
use crate::random;
use crate::secret::Secret;
use crate::shell::quoted;
use crate::show;
use crate::signing_key::{SigningKey, TokenKey};

/// The lifetime of a client assertion in seconds. It can be short, because the assertion is sent at
/// once and only once.
const ASSERTION_LIFETIME: i64 = 60;

/// The names of the methods in the metadata of an issuer.
const METHODS: [(&str, AuthMethod); 5] = [
    ("client_secret_basic", AuthMethod::Basic),
    ("client_secret_post", AuthMethod::Post),
    ("private_key_jwt", AuthMethod::PrivateKeyJwt),
    ("tls_client_auth", AuthMethod::Mtls),
    ("none", AuthMethod::None),
];

/// How the client authenticates, with the secrets and files of the method.
#[derive(Debug)]
pub(in crate::source) enum ClientAuth {
    Basic(SecretRef),
    Post(SecretRef),
    PrivateKeyJwt { key: KeyRef, audience: Option<String> },
    Mtls { key: KeyRef, certificate: PathBuf },
    None,
}

impl ClientAuth {
    /// Reads `--auth` and the options that it requires.
    ///
    /// # Errors
    /// `USAGE` if a required option is missing.
    pub(super) fn new(options: &Options) -> Result<ClientAuth, Error> {
        let secret = || {
            options.client_secret.clone().ok_or_else(|| missing(Options::TABLE, "client-secret"))
        };
        if options.client_key.is_none() {
            refuse_pin(options.pin.as_ref(), "--client-key")?;
        }
        let key = || {
            let key = options.client_key.clone();
            let key = key.ok_or_else(|| missing(Options::TABLE, "client-key"))?;
            key.with_pin(options.pin.clone(), "--client-key")
        };
        let certificate =
            || options.client_cert.clone().ok_or_else(|| missing(Options::TABLE, "client-cert"));
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

    /// Creates a context that presents the client certificate, if the method has one.
    ///
    /// # Errors
    /// `CONFIGURATION` if the certificate or its key cannot be read or used.
    pub(in crate::source) fn narrowed(&self, cx: &Context) -> Result<Context, Error> {
        let ClientAuth::Mtls { key, certificate } = self else {
            let how = Some(match self {
                ClientAuth::Basic(_) | ClientAuth::Post(_) => {
                    "replace --client-secret with --client-cert and --client-key"
                }
                _ => "set --client-cert and --client-key",
            });
            return Ok(cx.narrowed(|_, http| http.tls.how_to_identify = how));
        };
        let chain = files::read_text(certificate, "--client-cert", Kind::Configuration)?;
        let (option, place) = ("--client-key", "--client-cert and --client-key");
        let client_cert = match key {
            KeyRef::File(path) => {
                cx.log.warn_if_shared(path);
                let key = files::read_text(path, option, Kind::Configuration)?;
                ClientCert::new(&chain, &key, place, [option, &quoted(&show::path(path))])?
            }
            KeyRef::Token(uri) => {
                let key = TokenKey::open(uri, option, Kind::Configuration, false, cx)?;
                ClientCert::with_signer(&chain, Arc::new(key), place)?
            }
            KeyRef::Store(_) => return Err(not_for_tls(option)),
        };
        Ok(cx.narrowed(|_, http| http.tls.client_cert = Some(client_cert)))
    }

    /// The URL of an endpoint for this method; `None` if the metadata does not contain it.
    pub(super) fn endpoint(&self, name: &str, metadata: &Metadata) -> Result<Option<Url>, Error> {
        let mtls_endpoint = match self {
            ClientAuth::Mtls { .. } => metadata.mtls_endpoint(name)?,
            _ => None,
        };
        mtls_endpoint.map_or_else(|| metadata.endpoint(name), |endpoint| Ok(Some(endpoint)))
    }

    /// Adds the client authentication to a request. `issuer` is the default audience of the client
    /// assertion.
    ///
    /// # Errors
    /// `ABSENT` or `CONFIGURATION` if the secret or the key cannot be read or used.
    pub(in crate::source) fn authenticate<'a>(
        &self,
        request: Request<'a>,
        client_id: &str,
        issuer: &str,
        cx: &Context,
    ) -> Result<Request<'a>, Error> {
        Ok(match self {
            ClientAuth::Basic(secret) => {
                let secret = secret.read("--client-secret", cx)?;
                let (id, encoded) = encoded(client_id, &secret);
                request.basic(&id, &encoded).hiding(secret)
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

    /// Whether the client authenticates with an assertion that contains a time.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self, ClientAuth::PrivateKeyJwt { .. })
    }

    /// The fix if the metadata of the issuer lists other methods, but not this one.
    pub(super) fn other_method(&self, metadata: &Metadata) -> Option<String> {
        let method = match self {
            ClientAuth::Basic(_) => AuthMethod::Basic,
            ClientAuth::Post(_) => AuthMethod::Post,
            ClientAuth::PrivateKeyJwt { .. } => AuthMethod::PrivateKeyJwt,
            ClientAuth::Mtls { .. } => AuthMethod::Mtls,
            ClientAuth::None => AuthMethod::None,
        };
        let listed = metadata.auth_methods();
        let is_listed = |row: &&(&str, AuthMethod)| listed.contains(&row.0);
        let supported: Vec<&str> =
            METHODS.iter().filter(is_listed).map(|(_, method)| method.word()).collect();
        if supported.is_empty() || supported.contains(&method.word()) {
            return None;
        }
        let options = supported.join(" or --auth=");
        Some(format!("use --auth={options}, which the metadata of the issuer lists"))
    }

    /// The fix if the issuer responds with `invalid_client`.
    pub(super) fn fix(&self) -> &'static str {
        match self {
            ClientAuth::Basic(_) => "check --client-id and --client-secret, or use --auth=post",
            ClientAuth::Post(_) => "check --client-id and --client-secret, or use --auth=basic",
            ClientAuth::PrivateKeyJwt { .. } => {
                "check --client-id, the clock of this host, and that the issuer has the public key \
                 of --client-key, or set --assertion-audience to the token endpoint"
            }
            ClientAuth::Mtls { .. } => "check --client-id, --client-cert and --client-key",
            ClientAuth::None => {
                "check --client-id, or add --client-secret, --client-key or --client-cert"
            }
        }
    }
}

/// Form-encodes the client ID and the secret for `client_secret_basic`, as RFC 6749, section 2.3.1,
/// requires.
fn encoded(client_id: &str, secret: &Secret) -> (String, Secret) {
    let secret = Secret::new(form::escape(secret.expose()).to_string());
    (form::escape(client_id).to_string(), secret)
}

/// Creates the client assertion for `private_key_jwt`.
fn assertion(key: &SigningKey, client_id: &str, audience: &str, now: i64) -> Result<Secret, Error> {
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": random::hex()?,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME,
    });
    key.sign(&claims, key.given_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_id_and_secret_are_form_encoded_before_base64() {
        let (id, secret) = encoded("a:b", &Secret::new("p+ss/w%rd é"));
        assert_eq!((id.as_str(), secret.expose()), ("a%3Ab", "p%2Bss%2Fw%25rd%20%C3%A9"));
    }
}
