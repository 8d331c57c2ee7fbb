//! A subject token of our own: a JWT signed with a private key whose public half, as a JWK set, was
//! uploaded to the workload identity pool provider.
//!
//! For hosts that have no identity provider, and to try workload identity federation out. It is a
//! key to guard, though one that never leaves the host and works for one pool provider alone.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#manage-oidc-keys>

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::Url;
use crate::options::{Pair, Seconds, Values};
use crate::signing_key::SigningKey;
use crate::token::{SubjectToken, TokenType};

/// How long a token lives without `--lifetime`, in seconds: it is exchanged at once.
const LIFETIME: u64 = 600;

options! {
    /// Options of `key`.
    struct Options {
        /// the private key, RSA or P-256, PEM or JWK
        key: PathBuf = "--key=PEM",
        /// the iss claim, the issuer of the pool provider
        issuer: Url = "--issuer",
        /// the sub claim
        subject: String = "--subject=NAME",
        /// one more claim; a value that is JSON is taken as such
        claim: Vec<Pair> = "--claim",
        /// how long the token lives, 600 by default
        lifetime: Option<Seconds<10, 86_400>> = "--lifetime",
        /// make the key where it is absent, with its .jwks.json beside it
        generate: bool = "--generate",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "key",
    summary: "a JWT signed here, with a key whose JWKS was uploaded to the pool provider",
    options: &[Options::TABLE],
    rest: None,
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
                .fix("use --issuer, --subject, --audience and --lifetime"));
        }
        let value = serde_json::from_str(&value).unwrap_or_else(|_| Value::from(value));
        claims.insert(name, value);
    }
    Ok(Box::new(Key {
        path: options.key,
        // Exactly as it was typed: the pool provider compares it with the token's iss.
        issuer: options.issuer.as_typed().to_owned(),
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
            return Err(Error::new(Kind::Configuration, "this source signs JWTs, not SAML")
                .fix("expect …:jwt as subject_token_type"));
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
    /// Makes the key where it is absent, and its JWK set where that does not hold the key. Of
    /// concurrent runs one makes the key and the others use it.
    fn generate(&self, cx: &Context) -> Result<(), Error> {
        if !self.path.exists() {
            match files::create_new(&self.path, SigningKey::generate()?.expose().as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(not_made(&self.path, &error));
                }
                _ => {}
            }
        }
        let key = SigningKey::read(&self.path, "--key", Kind::Absent, cx)?;
        let path = self.path.with_extension("jwks.json");
        let known = files::read_text(&path, "--key", Kind::Absent);
        if !known.is_ok_and(|jwks| jwks.expose().contains(&key.id())) {
            let jwks = format!("{:#}\n", key.jwks());
            files::publish(&path, jwks.as_bytes()).map_err(|error| not_made(&path, &error))?;
        }
        Ok(())
    }

    fn suggest_generate(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Absent => error.fix("check --key, or add --generate to make one"),
            _ => error,
        }
    }
}

fn not_made(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Configuration, format!("cannot make {}", path.display()))
        .cause(error)
        .fix("check --key: its folder has to exist and be writable")
}
