//! The implementation for Windows: finds a certificate and opens its key.
//!
//! The key belongs to CNG or to a provider of the older CryptoAPI. Certificates of Active Directory
//! Certificate Services often have keys of the latter.
//! <https://learn.microsoft.com/windows/win32/api/wincrypt/nf-wincrypt-cryptacquirecertificateprivatekey>
#![allow(unsafe_code)] // calls into the operating system

mod certificate_store;
mod signature;

use std::io;
use std::ptr::null;

use windows_sys::Win32::Security::Cryptography::{
    CERT_NCRYPT_KEY_SPEC, CERT_SYSTEM_STORE_CURRENT_USER, CERT_SYSTEM_STORE_LOCAL_MACHINE,
    CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG, CRYPT_ACQUIRE_SILENT_FLAG,
    CryptAcquireCertificatePrivateKey, CryptReleaseContext, NCryptFreeObject,
};

use self::certificate_store::{Certificate, CertificateStore};
use super::{Padding, Thumbprint};
use crate::context::Context;
use crate::error::{Error, Kind};

/// A handle to a key.
#[derive(Debug)]
pub(super) struct Key {
    handle: usize,
    /// [`CERT_NCRYPT_KEY_SPEC`] for a key of CNG, otherwise the key spec of a CryptoAPI provider.
    spec: u32,
    /// Whether the handle must be freed; otherwise it is valid as long as the certificate.
    must_be_freed: bool,
    thumbprint: Thumbprint,
    certificate: Certificate,
}

impl Key {
    pub(super) fn find(thumbprint: &Thumbprint, option: &str, cx: &Context) -> Result<Key, Error> {
        let what = format!(
            "the certificate {thumbprint} does not exist in the store of the user or of the machine"
        );
        let mut failure = Error::new(Kind::Configuration, what)
            .fix(format!("check {option}, and {}", Thumbprint::FIX));
        for (place, name) in [
            (CERT_SYSTEM_STORE_CURRENT_USER, r"CurrentUser\My"),
            (CERT_SYSTEM_STORE_LOCAL_MACHINE, r"LocalMachine\My"),
        ] {
            let Some(certificate) =
                CertificateStore::open(place).and_then(|store| store.find(thumbprint))
            else {
                continue;
            };
            match Key::of(certificate, thumbprint.clone()) {
                Ok(key) => {
                    cx.log.line(format!(r"signing with the certificate {thumbprint} in {name}"));
                    return Ok(key);
                }
                Err(error) => failure = unusable(thumbprint, name, &error),
            }
        }
        Err(failure)
    }

    fn of(certificate: Certificate, thumbprint: Thumbprint) -> io::Result<Key> {
        let (mut handle, mut spec, mut must_be_freed) = (0, 0, 0);
        // SAFETY: the certificate outlives the call; each of the other pointers is valid for one
        // value.
        let acquired = unsafe {
            CryptAcquireCertificatePrivateKey(
                certificate.as_ptr(),
                CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG | CRYPT_ACQUIRE_SILENT_FLAG,
                null(),
                &mut handle,
                &mut spec,
                &mut must_be_freed,
            )
        };
        if acquired == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Key { handle, spec, must_be_freed: must_be_freed != 0, thumbprint, certificate })
    }

    /// The certificate in DER.
    pub(super) fn certificate(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// Signs with SHA-256.
    pub(super) fn sign(&self, padding: Padding, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = match (self.spec, padding) {
            (CERT_NCRYPT_KEY_SPEC, _) => signature::by_cng(self.handle, padding, message),
            (spec, Padding::Pkcs1) => signature::by_crypto_api(self.handle, spec, message),
            (_, Padding::Pss) => Err(io::Error::other("its provider does not support PSS")),
        };
        signature.map_err(|error| {
            let what = format!(
                "cannot sign with RSA and SHA-256 and the key of the certificate {}",
                self.thumbprint
            );
            Error::new(Kind::Configuration, what).cause(error).fix(
                "use an RSA certificate, or if the provider of its key does not support SHA-256 or PSS, \
                 import the certificate again with certutil \
                 -csp \"Microsoft Software Key Storage Provider\" -importpfx FILE",
            )
        })
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        if !self.must_be_freed {
            return;
        }
        match self.spec {
            // SAFETY: the handle belongs to CNG and is freed once.
            CERT_NCRYPT_KEY_SPEC => drop(unsafe { NCryptFreeObject(self.handle) }),
            // SAFETY: the handle belongs to a CryptoAPI provider and is released once.
            _ => drop(unsafe { CryptReleaseContext(self.handle, 0) }),
        }
    }
}

fn unusable(thumbprint: &Thumbprint, store: &str, error: &io::Error) -> Error {
    let what = format!(r"cannot use the key of the certificate {thumbprint} in {store}");
    Error::new(Kind::Configuration, what).cause(error).fix(
        "import the certificate with its private key and without strong private key protection, \
         and give this account read access to the key (Manage Private Keys in certlm.msc)",
    )
}
