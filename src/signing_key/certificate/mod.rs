//! The private key of a certificate in the Windows certificate store.
//!
//! Windows signs with the key, so the key never leaves the system. The certificate is searched for
//! in the store `My` (Personal) of the user, then in that of the machine.

#[cfg_attr(windows, path = "windows/mod.rs")]
#[cfg_attr(not(windows), path = "unsupported.rs")]
mod platform;

use super::RsaSha256;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::options::Thumbprint;
use crate::x509;

/// How an RSA signature is padded; both with SHA-256.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    /// RSASSA-PKCS1-v1_5
    Pkcs1,
    /// RSASSA-PSS
    Pss,
}

/// The key of a certificate in the certificate store.
#[derive(Debug)]
pub struct CertificateKey(platform::Key);

impl CertificateKey {
    /// Finds the certificate of `option`, and opens its key.
    ///
    /// # Errors
    /// `CONFIGURATION` if the certificate does not exist or if its key cannot be used, and on other
    /// operating systems.
    pub fn find(
        thumbprint: &Thumbprint,
        option: &str,
        cx: &Context,
    ) -> Result<CertificateKey, Error> {
        platform::Key::find(thumbprint, option, cx).map(CertificateKey)
    }

    /// Signs a message.
    ///
    /// # Errors
    /// `CONFIGURATION` if the key cannot sign in this way.
    pub(super) fn sign(&self, padding: Padding, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(padding, message)
    }

    /// The modulus and the exponent in the certificate.
    ///
    /// # Errors
    /// `CONFIGURATION` if it is not a certificate with an RSA key.
    pub(super) fn public_key(&self) -> Result<(Vec<u8>, Vec<u8>), Error> {
        x509::rsa_public_key(&self.0.certificate().into()).ok_or_else(|| {
            Error::new(Kind::Configuration, "the key of the certificate is not an RSA key")
                .fix("use a certificate with an RSA key")
        })
    }
}

impl RsaSha256 for CertificateKey {
    fn rsa_sha256(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign(Padding::Pkcs1, message)
    }
}
