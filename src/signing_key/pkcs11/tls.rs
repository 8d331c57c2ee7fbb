//! A key in a token for TLS client authentication.
//!
//! TLS 1.3 requires PSS of RSA keys. ECDSA signatures are in DER (RFC 8446, section 4.2.3).

use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;

use super::{KeyType, PublicKey, Scheme, TokenKey};

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
            PublicKey::Rsa { n, e } => {
                (alg_id::RSA_ENCRYPTION, sequence(&[number(&n), number(&e)].concat()))
            }
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
                sequence(&[number(r), number(s)].concat())
            }
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}

/// A DER INTEGER of a positive number: without leading zeros, unless the top bit is set.
fn number(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|digit| *digit >= 0x80) { &[0] } else { &[] };
    tagged(0x02, &[sign, digits].concat())
}

fn sequence(content: &[u8]) -> Vec<u8> {
    tagged(0x30, content)
}

/// A DER value of at most 65535 bytes.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    let head = match content.len() {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positive_and_as_short_as_possible() {
        for (digits, der) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 1], &[2, 1, 1]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0, 0x80, 1], &[2, 3, 0, 0x80, 1]),
        ] {
            assert_eq!(number(digits), der);
        }
        assert_eq!(sequence(&[5; 200])[..3], [0x30, 0x81, 200]);
        assert_eq!(sequence(&[5; 300])[..4], [0x30, 0x82, 1, 44]);
    }
}
