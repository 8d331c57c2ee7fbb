//! A key pair: its signatures and its public JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::{Map, Value, json};

use super::certificate::{CertificateKey, Padding};
use super::pkcs11::{KeyType, PublicKey, Scheme, TokenKey};
use crate::error::{Error, Kind};
use crate::random;

/// RSA, or ECDSA on P-256; in the memory of this process, in a token, or in the certificate store.
#[derive(Debug)]
pub(super) enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Token(TokenKey),
    Store(CertificateKey),
}

impl Pair {
    /// The `alg` of its JWTs (RFC 7518, section 3.1).
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Pair::Rsa(_) | Pair::Store(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Token(key) if key.key_type() == KeyType::Rsa => "RS256",
            Pair::Token(_) => "ES256",
        }
    }

    /// Signs a message with the algorithm in [`Pair::algorithm`].
    ///
    /// # Errors
    /// `CONFIGURATION` if an RSA key is damaged; `INTERNAL` if the operating system does not provide random
    /// numbers; the errors of the token.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Pair::Rsa(pair) => sign_rsa(pair, &RSA_PKCS1_SHA256, message),
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                Ok(signature.map_err(|_| random::no_random_numbers())?.as_ref().to_vec())
            }
            Pair::Store(key) => key.sign(Padding::Pkcs1, message),
            Pair::Token(key) => key.sign(
                match key.key_type() {
                    KeyType::Rsa => Scheme::RsaPkcs1Sha256,
                    _ => Scheme::EcdsaSha256,
                },
                message,
            ),
        }
    }

    /// The public key.
    ///
    /// # Errors
    /// The errors of the token.
    fn public_key(&self) -> Result<PublicKey, Error> {
        Ok(match self {
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::from(pair.public());
                PublicKey::Rsa { n, e }
            }
            Pair::P256(pair) => PublicKey::Ec(pair.public_key().as_ref().to_vec()),
            Pair::Token(key) => key.public_key()?,
            Pair::Store(key) => {
                let (n, e) = key.public_key()?;
                PublicKey::Rsa { n, e }
            }
        })
    }

    /// The required members of the public JWK, in the order of RFC 7638, section 3.2.
    ///
    /// # Errors
    /// The errors of the token.
    pub(super) fn public_members(&self) -> Result<Map<String, Value>, Error> {
        let encode = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let members = match self.public_key()? {
            PublicKey::Rsa { n, e } => json!({ "e": encode(&e), "kty": "RSA", "n": encode(&n) }),
            PublicKey::Ec(point) => {
                let point = point.get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) })
            }
        };
        Ok(members.as_object().cloned().unwrap_or_default())
    }

    /// The JWK thumbprint of the public key, with SHA-256 (RFC 7638).
    ///
    /// # Errors
    /// The errors of the token.
    pub(super) fn thumbprint(&self) -> Result<String, Error> {
        self.public_members().map(|members| thumbprint(&members))
    }
}

/// The error for a failed RSA signature. ring detects only then that the numbers of the key do not
/// match.
/// <https://docs.rs/ring/0.17/ring/rsa/struct.KeyPair.html#method.from_pkcs8>
fn damaged() -> Error {
    Error::new(Kind::Configuration, "the private key cannot sign")
        .cause("it is damaged: its numbers do not belong together")
        .fix("restore the key from a backup, or replace it with a new one")
}

fn thumbprint(members: &Map<String, Value>) -> String {
    let text = Value::from(members.clone()).to_string();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Signs a message with RSA, SHA-256 and this padding.
///
/// # Errors
/// The errors of [`Pair::sign`].
pub(super) fn sign_rsa(
    pair: &RsaKeyPair,
    padding: &'static dyn RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| damaged())?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_matches_rfc_7638() {
        // RFC 7638, section 3.1
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let members = json!({"e": "AQAB", "kty": "RSA", "n": n});
        let print = thumbprint(members.as_object().unwrap());
        assert_eq!(print, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
