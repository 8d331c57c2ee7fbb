//! Private keys that sign JWTs and XML.
//!
//! JWTs are signed with an RSA key (RS256) or a P-256 key (ES256). The key is a JWK or PEM: PKCS#8
//! (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`), or a key in a token
//! ([`pkcs11`]). XML is signed with an RSA key, which can also belong to a certificate in the Windows
//! certificate store.
//! <https://www.rfc-editor.org/rfc/rfc7515>, <https://www.rfc-editor.org/rfc/rfc7517>,
//! <https://www.rfc-editor.org/rfc/rfc7638>

mod certificate;
mod jws;
mod pair;
mod pkcs11;
mod read;
#[cfg(test)]
mod test_vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use self::certificate::CertificateKey;
use self::pair::Pair;
use self::pkcs11::KeyType;
pub use self::pkcs11::TokenKey;
use self::read::Refusal;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::formats;
use crate::options::{KeyRef, Pkcs11Uri};
use crate::random;
use crate::secret::Secret;
use crate::shell::quoted;
use crate::show;

/// The variables by which PKCS#11 modules find their tokens.
pub const VARIABLES: [&str; 2] = ["SOFTHSM2_CONF", "TPM2_PKCS11_STORE"];

/// A key that signs with RSASSA-PKCS1-v1_5 and SHA-256, which XML signatures require.
pub trait RsaSha256 {
    /// Signs a message.
    ///
    /// # Errors
    /// `CONFIGURATION` if the key is not an RSA key.
    fn rsa_sha256(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A key pair, and the key ID if the JWK has one.
#[derive(Debug)]
pub struct SigningKey {
    pair: Pair,
    given_id: Option<String>,
}

impl SigningKey {
    /// Reads the key file of `option`, or opens the key in a token or in the certificate store.
    /// `missing` is the kind of the error if it does not exist.
    ///
    /// # Errors
    /// `missing`, or `CONFIGURATION` if the file does not contain a supported key; the errors of the
    /// token.
    pub fn read(
        key: &KeyRef,
        option: &str,
        missing: Kind,
        cx: &Context,
    ) -> Result<SigningKey, Error> {
        let path = match key {
            KeyRef::File(path) => path,
            KeyRef::Token(uri) => {
                let key = TokenKey::open(uri, option, missing, false, cx)?;
                return SigningKey::in_token(key, option);
            }
            KeyRef::Store(thumbprint) => {
                let key = CertificateKey::find(thumbprint, option, cx)?;
                return Ok(SigningKey { pair: Pair::Store(key), given_id: None });
            }
        };
        cx.log.warn_if_shared(path);
        let text = files::read_text(path, option, missing)?;
        SigningKey::parse(&text).map_err(|Refusal(why, fix)| {
            let what = format!("{} does not contain a supported private key", show::path(path));
            Error::new(Kind::Configuration, what).cause(why).fix(match fix {
                Some(fix) => formats::filled(fix, &quoted(&show::path(path)), option),
                None => {
                    format!(
                        "set {option} to a file with an RSA key of 2048 to 4096 bits or a P-256 key"
                    )
                }
            })
        })
    }

    fn in_token(key: TokenKey, option: &str) -> Result<SigningKey, Error> {
        match key.key_type() {
            KeyType::Rsa | KeyType::P256 => {
                Ok(SigningKey { pair: Pair::Token(key), given_id: None })
            }
            KeyType::P384 => {
                let what = format!("the key in {option} is a P-384 key, which cannot sign tokens");
                Err(Error::new(Kind::Configuration, what).fix("use an RSA key or a P-256 key"))
            }
        }
    }

    /// Creates a P-256 key in a token, unless the key exists.
    ///
    /// # Errors
    /// The errors of [`SigningKey::read`].
    pub fn in_token_or_new(
        uri: &Pkcs11Uri,
        option: &str,
        cx: &Context,
    ) -> Result<SigningKey, Error> {
        SigningKey::in_token(TokenKey::open(uri, option, Kind::Absent, true, cx)?, option)
    }

    /// Reads a key from PEM; `None` if it is not a supported key.
    pub fn from_pem(text: &Secret) -> Option<SigningKey> {
        SigningKey::parse(text).ok()
    }

    fn parse(text: &Secret) -> Result<SigningKey, Refusal> {
        let (pair, given_id) = read::pair(text)?;
        Ok(SigningKey { pair, given_id })
    }

    /// Generates a P-256 key and returns it as PEM (PKCS#8).
    ///
    /// # Errors
    /// `INTERNAL` if the operating system does not provide random numbers.
    pub fn generate() -> Result<Secret, Error> {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| random::no_random_numbers())?;
        let body = Zeroizing::new(STANDARD.encode(pkcs8.as_ref()));
        let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)).chain(['\n']));
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem.as_str()))
    }

    /// The key ID in [`SigningKey::jwks`]: the `kid` of the JWK, otherwise the thumbprint of the
    /// key.
    ///
    /// # Errors
    /// The errors of the token.
    pub fn id(&self) -> Result<String, Error> {
        self.given_id.clone().map_or_else(|| self.pair.thumbprint(), Ok)
    }

    /// The `kid` of the JWK. A verifier that got the public key by means other than
    /// [`SigningKey::jwks`] knows only this key ID.
    pub fn given_id(&self) -> Option<&str> {
        self.given_id.as_deref()
    }

    /// The public key as a JWK set, to upload to the workload identity pool provider.
    ///
    /// # Errors
    /// The errors of the token.
    pub fn jwks(&self) -> Result<Value, Error> {
        let mut key = self.pair.public_members()?;
        key.insert("use".to_owned(), "sig".into());
        key.insert("alg".to_owned(), self.pair.algorithm().into());
        key.insert("kid".to_owned(), self.id()?.into());
        Ok(json!({ "keys": [key] }))
    }
}

impl RsaSha256 for SigningKey {
    fn rsa_sha256(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self.pair.algorithm() {
            "RS256" => self.pair.sign(message),
            _ => {
                let what = "AD FS does not accept signatures with P-256 keys";
                Err(Error::new(Kind::Configuration, what).fix("use an RSA key"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::test_vectors::{EC, RSA, decode, ec_jwk, parse};
    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn the_jwk_set_contains_only_public_members() {
        for (text, alg, names) in [
            (RSA.to_owned(), "RS256", "e kty n use alg kid"),
            (ec_jwk(""), "ES256", "crv kty x y use alg kid"),
        ] {
            let jwks = parse(&text).jwks().unwrap();
            let key = jwks["keys"][0].as_object().unwrap();
            assert_eq!(key.keys().map(String::as_str).collect::<Vec<_>>().join(" "), names);
            assert_eq!(key["alg"], alg);
            let given: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(key.get("n").or(key.get("x")), given.get("n").or(given.get("x")));
        }
    }

    #[test]
    fn the_key_id_of_a_jwk_is_used() {
        assert_eq!(parse(&ec_jwk(r#","kid":"mine""#)).id().unwrap(), "mine");
    }

    #[test]
    fn an_ec_key_in_sec1_form_is_the_same_key() {
        let point = [&[4][..], &decode(EC[0]), &decode(EC[1])].concat();
        // RFC 5915, section 3: version, private key, [0] curve, [1] public key
        let curve = [0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        for parameters in [&curve[..], &[]] {
            let mut body = [&[2, 1, 1, 4, 32][..], &decode(EC[2]), parameters].concat();
            body.extend([&[0xa1, 68, 3, 66, 0][..], &point].concat());
            let der = [&[0x30, body.len() as u8][..], &body].concat();
            assert_eq!(
                parse(&pem("EC PRIVATE KEY", &der)).id().unwrap(),
                parse(&ec_jwk("")).id().unwrap()
            );
        }
    }

    #[test]
    fn a_generated_key_can_be_read() {
        let key = SigningKey::generate().unwrap_or_else(|error| panic!("{error}"));
        assert!(key.expose().lines().all(|line| line.len() <= 64));
        assert!(parse(key.expose()).sign(&json!({}), None).is_ok());
    }

    #[test]
    fn unsupported_keys_are_refused() {
        let p384 = ec_jwk("").replace("P-256", "P-384");
        for text in [
            "",
            "text",
            "{}",
            "[]",
            &p384,
            &RSA.replace(r#""d":"#, r#""x":"#),
            &pem("PRIVATE KEY", b"0"),
        ] {
            assert!(SigningKey::parse(&Secret::new(text)).is_err(), "{text}");
        }
    }
}
