//! Creates the subject token itself: a JWT that is signed with a private key. The public key is
//! uploaded to the workload identity pool provider as a JWK set.
//!
//! This source is for hosts without an identity provider, and for trying out workload identity
//! federation. The private key is a long-lived secret, but it never leaves the host, and it is
//! valid for one pool provider only.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#manage-oidc-keys>

use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Existing, Refusal};
use crate::options::{Issuer, KeyRef, Pair, Seconds, SecretRef, Values, missing};
use crate::show;
use crate::signing_key::{self, SigningKey};
use crate::token::{SubjectToken, TokenType};

/// The default of `--lifetime`, in seconds. A short lifetime is enough: clients exchange the token
/// at once.
const LIFETIME: u64 = 600;

options! {
    /// Options of `key`.
    struct Options {
        /// private key (RSA or P-256): file with PEM or JWK, pkcs11: URI of a key in a token, or
        /// cert:THUMBPRINT of a certificate in the Windows certificate store
        key: KeyRef = "--key",
        /// PIN of the token with the key, unless the pkcs11: URI has a pin-source
        pin: Option<SecretRef> = "--pin",
        /// iss claim: the issuer URI that is configured in the pool provider; required unless --jwks
        issuer: Option<Issuer> = "--issuer",
        /// sub claim; required unless --jwks
        subject: Option<String> = "--subject=NAME",
        /// add a claim; a value that is valid JSON is added as JSON
        claim: Vec<Pair> = "--claim",
        /// lifetime of the token in seconds (default: 600)
        lifetime: Option<Seconds<10, 86_400>> = "--lifetime",
        /// create the key if it does not exist, and a .jwks.json file next to a key file
        generate: bool = "--generate",
        /// print the public key as a JWK set to upload to the pool provider, and no token
        jwks: bool = "--jwks",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "key",
    also: &["jwt", "pem", "self-signed", "certificate", "cert", "jwk"],
    summary: "a JWT signed with a local key, without an identity provider",
    options: &[Options::TABLE],
    rest: None,
    variables: &signing_key::VARIABLES,
    example: "wif-token key --key=/etc/my-app/key.pem --issuer=https://my-app.example.com \\\n  --subject=my-app --generate",
    build,
};

#[derive(Debug)]
struct Key {
    key: LocalKey,
    issuer: String,
    subject: String,
    claims: Map<String, Value>,
    lifetime: u64,
}

/// `--key` and `--generate`.
#[derive(Debug)]
struct LocalKey {
    key: KeyRef,
    generate: bool,
}

/// Prints the public key.
#[derive(Debug)]
struct Jwks(LocalKey);

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    let key = options.key.with_pin(options.pin, "--key")?;
    if let (KeyRef::Store(_), true) = (&key, options.generate) {
        let what = "--generate cannot create a key in the Windows certificate store";
        return Err(Error::new(Kind::Usage, what)
            .fix("remove --generate, and create a certificate with New-SelfSignedCertificate"));
    }
    let key = LocalKey { key, generate: options.generate };
    if options.jwks {
        return Ok(Box::new(Jwks(key)));
    }
    let issuer = options.issuer.ok_or_else(|| missing(Options::TABLE, "issuer"))?;
    let subject = options.subject.ok_or_else(|| missing(Options::TABLE, "subject"))?;
    let mut claims = Map::new();
    for Pair(name, value) in options.claim {
        if ["iss", "sub", "aud", "iat", "exp"].contains(&name.as_str()) {
            return Err(Error::new(Kind::Usage, format!("--claim cannot set {name}"))
                .fix("use --issuer, --subject, --audience or --lifetime instead"));
        }
        let value = serde_json::from_str(&value).unwrap_or_else(|_| Value::from(value));
        claims.insert(name, value);
    }
    Ok(Box::new(Key {
        key,
        // Not normalized: the pool provider compares the iss claim exactly.
        issuer: issuer.0.as_typed().to_owned(),
        subject,
        claims,
        lifetime: options.lifetime.map_or(LIFETIME, |Seconds(seconds)| seconds),
    }))
}

impl Source for Key {
    fn trust(&self) -> Trust {
        let trust = Trust::issuer(&self.issuer);
        let trust = match &self.key.key {
            KeyRef::File(path) => trust.with_jwks(path.with_extension("jwks.json")),
            KeyRef::Token(_) | KeyRef::Store(_) => trust.with_jwks("JWKS".into()).explain(
                "JWKS",
                "the file with the output of wif-token key --jwks, with the same --key and --pin",
            ),
        };
        Trust { principal: Some(self.subject.clone()), ..trust }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        if request.token_type == TokenType::Saml2 {
            return Err(Error::new(
                Kind::Configuration,
                "the source key cannot create SAML tokens",
            )
            .fix("set subject_token_type to urn:ietf:params:oauth:token-type:jwt"));
        }
        let audience = request.audience()?;
        let key = self.key.open(cx)?;
        let now = cx.clock.now();
        let expiry = now + i64::try_from(self.lifetime).unwrap_or(i64::MAX / 2);
        let mut claims = json!({
            "iss": self.issuer,
            "sub": self.subject,
            "aud": audience.as_str(),
            "iat": now,
            "exp": expiry,
        });
        if let Some(object) = claims.as_object_mut() {
            object.extend(self.claims.clone());
        }
        Ok(SubjectToken { text: key.sign(&claims, Some(&key.id()?))?, expiry: Some(expiry) })
    }
}

impl Source for Jwks {
    fn subject_token(&self, _: &SubjectTokenRequest, _: &Context) -> Result<SubjectToken, Error> {
        Err(Error::new(Kind::Usage, "--jwks does not get a token").fix("remove --jwks"))
    }

    fn instead(&self, cx: &Context) -> Result<Option<String>, Error> {
        Ok(Some(format!("{:#}\n", self.0.open(cx)?.jwks()?)))
    }
}

impl LocalKey {
    /// Opens the key. With `--generate`, creates the key if it does not exist.
    fn open(&self, cx: &Context) -> Result<SigningKey, Error> {
        match &self.key {
            KeyRef::File(path) if self.generate => generate(path, cx)?,
            KeyRef::Token(uri) if self.generate => {
                return SigningKey::in_token_or_new(uri, "--key", cx);
            }
            _ => {}
        }
        SigningKey::read(&self.key, "--key", Kind::Absent, cx).map_err(|error| {
            match (error.kind(), &self.key) {
                (Kind::Absent, KeyRef::File(_)) => {
                    error.fix("check --key, or add --generate to create the key")
                }
                _ => error,
            }
        })
    }
}

/// Creates the key file if it does not exist, and writes the JWK set file if it does not contain
/// the key. If several runs create the key at the same time, they all use the key of the first run.
fn generate(path: &Path, cx: &Context) -> Result<(), Error> {
    let jwks_path = path.with_extension("jwks.json");
    // Without a place for the public key, the private key would be of no use.
    ownership::require_replaceable(&jwks_path, is_jwks)
        .map_err(|refusal| not_created(&jwks_path, &refusal))?;
    if !files::exists(path) {
        match files::create_new(path, SigningKey::generate()?.expose().as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(not_created(path, &Refusal::of(path, error)));
            }
            _ => {}
        }
    }
    let key = SigningKey::read(&KeyRef::File(path.to_owned()), "--key", Kind::Absent, cx)?;
    let known = files::read_text(&jwks_path, "--key", Kind::Absent);
    let id = key.id()?;
    if !known.is_ok_and(|jwks| jwks.expose().contains(&id)) {
        let jwks = format!("{:#}\n", key.jwks()?);
        files::publish(&jwks_path, jwks.as_bytes(), is_jwks)
            .map_err(|refusal| not_created(&jwks_path, &refusal))?;
    }
    Ok(())
}

/// Whether a file is a JWK set. Such a file is replaced if it does not contain the key.
fn is_jwks(existing: &Existing<'_>) -> bool {
    let value: Value = serde_json::from_slice(existing.content).unwrap_or_default();
    value.get("keys").is_some_and(Value::is_array)
}

fn not_created(path: &Path, refusal: &Refusal) -> Error {
    Error::new(Kind::Configuration, format!("cannot create {}", show::path(path)))
        .cause(refusal)
        .fix(refusal.fix(path, "--key"))
}
