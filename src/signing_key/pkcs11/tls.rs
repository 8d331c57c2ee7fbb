//! A key in a token for TLS client authentication.
//!
//! TLS 1.3 requires PSS signatures for RSA keys. ECDSA signatures are in DER (RFC 8446, section
//! 4.2.3).

use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;

use super::{KeyType, PublicKey, Scheme, TokenKey};
use crate::der;

/// The schemes for TLS, the preferred ones first.
const SCHEMES: [(SignatureScheme, Scheme); 4] = [
    (SignatureScheme::RSA_PSS_SHA256, Scheme::RsaPssSha256),
    (SignatureScheme::RSA_PKCS1_SHA256, Scheme::RsaPkcs1Sha256),
    (SignatureScheme::ECDSA_NISTP256_SHA256, Scheme::EcdsaSha256),
    (SignatureScheme::ECDSA_NISTP384_SHA384, Scheme::EcdsaSha384),
];

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_usable = |(tls, scheme): &&(_, _)| offered.contains(tls) && self.supports(*scheme);
        let (tls, scheme) = *SCHEMES.iter().find(is_usable)?;
        Some(Box::new(TokenSigner { key: self.clone(), tls, scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let (algorithm, key) = match TokenKey::public_key(self).ok()? {
            PublicKey::Rsa { n, e } => (alg_id::RSA_ENCRYPTION, pair(&n, &e)),
            PublicKey::Ec(point) if self.key_type() == KeyType::P384 => (alg_id::ECDSA_P384, point),
            PublicKey::Ec(point) => (alg_id::ECDSA_P256, point),
        };
        Some(public_key_to_spki(&algorithm, key))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.key_type() {
            KeyType::Rsa => SignatureAlgorithm::RSA,
            KeyType::P256 | KeyType::P384 => SignatureAlgorithm::ECDSA,
        }
    }
}

/// A key with the scheme that was chosen for a connection.
#[derive(Debug)]
struct TokenSigner {
    key: TokenKey,
    tls: SignatureScheme,
    scheme: Scheme,
}

impl Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature = TokenKey::sign(&self.key, self.scheme, message)
            .map_err(|error| rustls::Error::Other(OtherError(Arc::new(error))))?;
        Ok(match self.scheme {
            Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => signature,
            Scheme::EcdsaSha256 | Scheme::EcdsaSha384 => {
                let (r, s) = signature.split_at(signature.len() / 2);
                pair(r, s)
            }
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}

/// Encodes two numbers in DER, as in an RSA key or an ECDSA signature.
fn pair(first: &[u8], second: &[u8]) -> Vec<u8> {
    let numbers = [der::number(first), der::number(second)];
    der::encoded(der::SEQUENCE, &numbers.each_ref().map(|number| number.as_slice()).concat())
        .to_vec()
}
