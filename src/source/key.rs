//! Creates the subject token itself: a JWT that is signed with a private key. The public key is
//! uploaded to the workload identity pool provider as a JWK set.
//!
//! This source is for hosts without an identity provider, and for trying out workload identity
//! federation. The private key is a long-lived secret, but it never leaves the host, and it is
//! valid for one pool provider only.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#manage-oidc-keys>

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Existing, Refusal};
use crate::options::{Issuer, Pair, Seconds, Values};
use crate::show;
use crate::signing_key::SigningKey;
use crate::token::{SubjectToken, TokenType};

/// The default of `--lifetime`, in seconds. A short lifetime is enough: clients exchange the token
/// at once.
const LIFETIME: u64 = 600;

options! {
    /// Options of `key`.
    struct Options {
        /// file with the private key (RSA or P-256, as PEM or JWK)
        key: PathBuf = "--key=PEM",
        /// iss claim: the issuer URI that is configured in the pool provider
        issuer: Issuer = "--issuer",
        /// sub claim
        subject: String = "--subject=NAME",
        /// add a claim; a value that is valid JSON is added as JSON
        claim: Vec<Pair> = "--claim",
        /// lifetime of the token in seconds (default: 600)
        lifetime: Option<Seconds<10, 86_400>> = "--lifetime",
        /// create the key if it does not exist, and a .jwks.json file next to it
        generate: bool = "--generate",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "key",
    also: &["jwt", "pem", "self-signed", "certificate", "cert", "jwk"],
    summary: "a JWT signed with a local key, without an identity provider",
    options: &[Options::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token key --key=/etc/my-app/key.pem --issuer=https://my-app.example.com \\\n  --subject=my-app --generate",
    build,
};

#[derive(Debug)]
struct Key {
    path: PathBuf,
    issuer: String,
    subject: String,
    claims: Map<String, Value>,
    lifetime: u64,
    generate: bool,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
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
        path: options.key,
        // Not normalized: the pool provider compares the iss claim exactly.
        issuer: options.issuer.0.as_typed().to_owned(),
        subject: options.subject,
        claims,
        lifetime: options.lifetime.map_or(LIFETIME, |Seconds(seconds)| seconds),
        generate: options.generate,
    }))
}

impl Source for Key {
    fn trust(&self) -> Trust {
        let jwks = self.path.with_extension("jwks.json");
        let trust = Trust::issuer(&self.issuer).with_jwks(jwks);
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
        if self.generate {
            self.generate(cx)?;
        }
        let key = SigningKey::read(&self.path, "--key", Kind::Absent, cx)
            .map_err(|error| self.suggest_generate(error))?;
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
        Ok(SubjectToken { text: key.sign(&claims, Some(&key.id()))?, expiry: Some(expiry) })
    }
}

impl Key {
    /// Creates the key file if it does not exist, and writes the JWK set file if it does not
    /// contain the key. If several runs do this at the same time, they all use the key of the
    /// first.
    fn generate(&self, cx: &Context) -> Result<(), Error> {
        let jwks_path = self.path.with_extension("jwks.json");
        // Without a place for the public key, the private key would be of no use.
        ownership::require_replaceable(&jwks_path, is_jwks)
            .map_err(|refusal| not_created(&jwks_path, &refusal))?;
        if !files::exists(&self.path) {
            match files::create_new(&self.path, SigningKey::generate()?.expose().as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(not_created(&self.path, &Refusal::of(&self.path, error)));
                }
                _ => {}
            }
        }
        let key = SigningKey::read(&self.path, "--key", Kind::Absent, cx)?;
        let known = files::read_text(&jwks_path, "--key", Kind::Absent);
        if !known.is_ok_and(|jwks| jwks.expose().contains(&key.id())) {
            let jwks = format!("{:#}\n", key.jwks());
            files::publish(&jwks_path, jwks.as_bytes(), is_jwks)
                .map_err(|refusal| not_created(&jwks_path, &refusal))?;
        }
        Ok(())
    }

    fn suggest_generate(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Absent => error.fix("check --key, or add --generate to create the key"),
            _ => error,
        }
    }
}

/// Whether a file is a JWK set, which is replaced if it does not contain the key.
fn is_jwks(existing: &Existing<'_>) -> bool {
    let value: Value = serde_json::from_slice(existing.content).unwrap_or_default();
    value.get("keys").is_some_and(Value::is_array)
}

fn not_created(path: &Path, refusal: &Refusal) -> Error {
    Error::new(Kind::Configuration, format!("cannot create {}", show::path(path)))
        .cause(refusal)
        .fix(refusal.fix(path, "--key"))
}
