//! Private keys in tokens: a TPM, a smart card or a hardware security module, through PKCS#11.
//!
//! The vendor of the token provides a library, the module. It is loaded only if an option names a
//! key with a `pkcs11:` URI. The token signs, and the key never leaves it. A statically linked
//! program cannot load a module.
//! <https://docs.oasis-open.org/pkcs11/pkcs11-base/v2.40/os/pkcs11-base-v2.40-os.html>

#[cfg_attr(all(unix, not(target_feature = "crt-static")), path = "dynamic/mod.rs")]
#[cfg_attr(not(all(unix, not(target_feature = "crt-static"))), path = "unsupported.rs")]
mod platform;
mod tls;

pub use self::platform::TokenKey;

/// The type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA of any size.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PSS with SHA-256, and a salt of 32 bytes.
    RsaPssSha256,
    /// ECDSA with SHA-256. The signature is r and s, each as long as the order of the curve.
    EcdsaSha256,
    /// ECDSA with SHA-384. The signature has the same form.
    EcdsaSha384,
}

/// A public key: big-endian numbers without leading zeros, or coordinates of full length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA: the modulus and the exponent.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point: 0x04, then both coordinates (SEC 1, section 2.3.3).
    Ec(Vec<u8>),
}
