//! The mechanisms of PKCS#11 for a signature scheme.

use cryptoki_sys::*;
use ring::digest::{Algorithm, SHA256, SHA384, digest};

use super::super::Scheme;

/// The DER encoding of a `DigestInfo` with SHA-256, before the hash (RFC 8017, section 9.2).
const DIGEST_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The data that the token is given to sign.
#[derive(Clone, Copy)]
enum Input {
    /// The message.
    Message,
    /// The hash of the message, after these bytes.
    Hash(&'static Algorithm, &'static [u8]),
}

/// A mechanism for a signature scheme.
pub(super) struct Mechanism {
    mechanism: CK_MECHANISM_TYPE,
    parameter: Option<CK_RSA_PKCS_PSS_PARAMS>,
    input: Input,
}

impl Mechanism {
    /// The mechanism with its parameter.
    pub(super) fn call(&self) -> (CK_MECHANISM_TYPE, Option<CK_RSA_PKCS_PSS_PARAMS>) {
        (self.mechanism, self.parameter)
    }

    /// The data that the token is given to sign.
    pub(super) fn data(&self, message: &[u8]) -> Vec<u8> {
        match self.input {
            Input::Message => message.to_vec(),
            Input::Hash(algorithm, before) => {
                [before, digest(algorithm, message).as_ref()].concat()
            }
        }
    }
}

/// The first mechanism of a scheme that the token has. Many tokens have only the mechanisms that
/// sign a hash, or only the others.
pub(super) fn of(scheme: Scheme, has: &[CK_MECHANISM_TYPE]) -> Option<Mechanism> {
    let hash = |algorithm| Input::Hash(algorithm, &[]);
    let choices = match scheme {
        Scheme::RsaPkcs1Sha256 => [
            (CKM_SHA256_RSA_PKCS, Input::Message),
            (CKM_RSA_PKCS, Input::Hash(&SHA256, DIGEST_INFO)),
        ],
        Scheme::RsaPssSha256 => {
            [(CKM_SHA256_RSA_PKCS_PSS, Input::Message), (CKM_RSA_PKCS_PSS, hash(&SHA256))]
        }
        Scheme::EcdsaSha256 => [(CKM_ECDSA, hash(&SHA256)), (CKM_ECDSA_SHA256, Input::Message)],
        Scheme::EcdsaSha384 => [(CKM_ECDSA, hash(&SHA384)), (CKM_ECDSA_SHA384, Input::Message)],
    };
    let (mechanism, input) = choices.into_iter().find(|(choice, _)| has.contains(choice))?;
    let pss = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 };
    let parameter = (scheme == Scheme::RsaPssSha256).then_some(pss);
    Some(Mechanism { mechanism, parameter, input })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_only_signs_hashes_gets_the_hash() {
        let sha256 = digest(&SHA256, b"m").as_ref().to_vec();
        let rsa = of(Scheme::RsaPkcs1Sha256, &[CKM_RSA_PKCS]).unwrap();
        assert_eq!(rsa.data(b"m"), [DIGEST_INFO, &sha256].concat());
        let both = of(Scheme::RsaPkcs1Sha256, &[CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS]).unwrap();
        assert_eq!(both.data(b"m"), b"m");
        let pss = of(Scheme::RsaPssSha256, &[CKM_RSA_PKCS_PSS]).unwrap();
        assert_eq!((pss.data(b"m"), pss.call().1.map(|it| it.sLen)), (sha256.clone(), Some(32)));
        let ec = of(Scheme::EcdsaSha256, &[CKM_ECDSA, CKM_ECDSA_SHA256]).unwrap();
        assert_eq!((ec.data(b"m"), ec.call().1.is_none()), (sha256, true));
        assert!(of(Scheme::EcdsaSha384, &[CKM_ECDSA_SHA256]).is_none());
    }
}
