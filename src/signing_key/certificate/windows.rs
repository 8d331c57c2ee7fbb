//! Finds a certificate and signs with its key.
//!
//! The key belongs to CNG or to a provider of the older CryptoAPI. Certificates of Active Directory
//! Certificate Services often have keys of the latter.
//! <https://learn.microsoft.com/windows/win32/api/wincrypt/nf-wincrypt-cryptacquirecertificateprivatekey>
#![allow(unsafe_code)] // calls into the operating system

use std::ffi::c_void;
use std::io;
use std::ptr::null;

use ring::digest::{SHA256, digest};
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_PKCS1_PADDING_INFO, BCRYPT_SHA256_ALGORITHM, CALG_SHA_256, CERT_CONTEXT, CERT_FIND_HASH,
    CERT_NCRYPT_KEY_SPEC, CERT_STORE_OPEN_EXISTING_FLAG, CERT_STORE_PROV_SYSTEM_W,
    CERT_STORE_READONLY_FLAG, CERT_SYSTEM_STORE_CURRENT_USER, CERT_SYSTEM_STORE_LOCAL_MACHINE,
    CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG, CRYPT_ACQUIRE_SILENT_FLAG, CRYPT_INTEGER_BLOB,
    CertCloseStore, CertFindCertificateInStore, CertFreeCertificateContext, CertOpenStore,
    CryptAcquireCertificatePrivateKey, CryptCreateHash, CryptDestroyHash, CryptHashData,
    CryptReleaseContext, CryptSignHashW, HCERTSTORE, NCRYPT_PAD_PKCS1_FLAG, NCRYPT_SILENT_FLAG,
    NCryptFreeObject, NCryptSignHash, X509_ASN_ENCODING,
};
use windows_sys::core::w;

use super::Thumbprint;
use crate::context::Context;
use crate::error::{Error, Kind};

/// The size of the largest signature in bytes: the largest RSA keys of Windows have 16384 bits.
const LARGEST_SIGNATURE: usize = 2048;

/// A handle to a key.
#[derive(Debug)]
pub(super) struct Key {
    handle: usize,
    /// [`CERT_NCRYPT_KEY_SPEC`] for a key of CNG, otherwise the key spec of a CryptoAPI provider.
    spec: u32,
    /// Whether the handle must be freed; otherwise it is valid as long as the certificate.
    must_be_freed: bool,
    thumbprint: Thumbprint,
    _certificate: Certificate,
}

impl Key {
    pub(super) fn find(thumbprint: &Thumbprint, option: &str, cx: &Context) -> Result<Key, Error> {
        let what = format!(
            "the certificate {thumbprint} does not exist in the store of the user or of the machine"
        );
        let mut failure = Error::new(Kind::Configuration, what).fix(format!(
            r"check {option}, and list the thumbprints with PowerShell, dir Cert:\CurrentUser\My,Cert:\LocalMachine\My"
        ));
        for (place, name) in [
            (CERT_SYSTEM_STORE_CURRENT_USER, r"CurrentUser\My"),
            (CERT_SYSTEM_STORE_LOCAL_MACHINE, r"LocalMachine\My"),
        ] {
            let Some(certificate) = Store::open(place).and_then(|store| store.find(thumbprint))
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
        // SAFETY: the certificate outlives the call; each of the other pointers is valid for one value.
        let acquired = unsafe {
            CryptAcquireCertificatePrivateKey(
                certificate.0,
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
        Ok(Key {
            handle,
            spec,
            must_be_freed: must_be_freed != 0,
            thumbprint,
            _certificate: certificate,
        })
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = match self.spec {
            CERT_NCRYPT_KEY_SPEC => sign_by_cng(self.handle, message),
            spec => sign_by_crypto_api(self.handle, spec, message),
        };
        signature.map_err(|error| {
            let what = format!(
                "cannot sign with RSA and SHA-256 and the key of the certificate {}",
                self.thumbprint
            );
            Error::new(Kind::Configuration, what).cause(error).fix(
                "use an RSA certificate, or if the provider of its key does not support SHA-256, \
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

fn sign_by_cng(key: usize, message: &[u8]) -> io::Result<Vec<u8>> {
    let hash = digest(&SHA256, message);
    let padding = BCRYPT_PKCS1_PADDING_INFO { pszAlgId: BCRYPT_SHA256_ALGORITHM };
    let mut signature = vec![0; LARGEST_SIGNATURE];
    let mut length = 0;
    // SAFETY: the type of the padding matches the flag. The lengths of the hash and of the signature
    // are correct, and all three outlive the call.
    let code = unsafe {
        NCryptSignHash(
            key,
            (&raw const padding).cast(),
            hash.as_ref().as_ptr(),
            hash.as_ref().len() as u32,
            signature.as_mut_ptr(),
            signature.len() as u32,
            &mut length,
            NCRYPT_PAD_PKCS1_FLAG | NCRYPT_SILENT_FLAG,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    signature.truncate(length as usize);
    Ok(signature)
}

fn sign_by_crypto_api(provider: usize, spec: u32, message: &[u8]) -> io::Result<Vec<u8>> {
    let hash = Hash::new(provider)?;
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    // SAFETY: the message has this length and outlives the call.
    checked(unsafe { CryptHashData(hash.0, message.as_ptr(), length, 0) })?;
    let mut signature = vec![0; LARGEST_SIGNATURE];
    let mut length = signature.len() as u32;
    // SAFETY: the signature has this length and outlives the call.
    let signed =
        unsafe { CryptSignHashW(hash.0, spec, null(), 0, signature.as_mut_ptr(), &mut length) };
    checked(signed)?;
    signature.truncate(length as usize);
    signature.reverse(); // CryptoAPI returns the least significant byte first.
    Ok(signature)
}

fn checked(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A handle to a SHA-256 hash of a CryptoAPI provider.
struct Hash(usize);

impl Hash {
    fn new(provider: usize) -> io::Result<Hash> {
        let mut handle = 0;
        // SAFETY: `handle` is valid for one handle; this algorithm does not need a key.
        checked(unsafe { CryptCreateHash(provider, CALG_SHA_256, 0, 0, &mut handle) })?;
        Ok(Hash(handle))
    }
}

impl Drop for Hash {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is destroyed once.
        unsafe { CryptDestroyHash(self.0) };
    }
}

/// The store `My` of the user or of the machine.
struct Store(HCERTSTORE);

impl Store {
    fn open(place: u32) -> Option<Store> {
        let flags = place | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG;
        let name: *const c_void = w!("My").cast();
        // SAFETY: the name is null-terminated UTF-16, which this store provider requires.
        let store = unsafe { CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, name) };
        (!store.is_null()).then_some(Store(store))
    }

    fn find(&self, thumbprint: &Thumbprint) -> Option<Certificate> {
        let Thumbprint(bytes) = thumbprint;
        let hash = CRYPT_INTEGER_BLOB {
            cbData: bytes.len() as u32,
            pbData: bytes.as_ptr().cast_mut(), // The call only reads it.
        };
        // SAFETY: the store is open; the type of the hash matches the flag, and it outlives the call.
        let found = unsafe {
            let hash = (&raw const hash).cast();
            CertFindCertificateInStore(self.0, X509_ASN_ENCODING, 0, CERT_FIND_HASH, hash, null())
        };
        (!found.is_null()).then_some(Certificate(found))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is closed once; certificates of the store stay valid.
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// A handle to a certificate.
#[derive(Debug)]
struct Certificate(*const CERT_CONTEXT);

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is freed once.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use windows_sys::Win32::Security::Cryptography::{
        BCRYPT_RSAKEY_BLOB, BCRYPT_RSAPUBLIC_BLOB, MS_KEY_STORAGE_PROVIDER, NCRYPT_LENGTH_PROPERTY,
        NCRYPT_RSA_ALGORITHM, NCryptCreatePersistedKey, NCryptExportKey, NCryptFinalizeKey,
        NCryptOpenStorageProvider, NCryptSetProperty,
    };

    use super::*;

    /// An ephemeral RSA key of CNG, and its public key.
    fn new_key() -> (usize, RsaPublicKeyComponents<Vec<u8>>) {
        let (mut provider, mut key, bits) = (0, 0, 2048_u32.to_ne_bytes());
        let (mut blob, mut length) = (vec![0; 1024], 0);
        // SAFETY: names are null-terminated, the lengths are correct, and all pointers outlive the
        // calls. A key without a name is not stored.
        let codes = unsafe {
            [
                NCryptOpenStorageProvider(&mut provider, MS_KEY_STORAGE_PROVIDER, 0),
                NCryptCreatePersistedKey(provider, &mut key, NCRYPT_RSA_ALGORITHM, null(), 0, 0),
                NCryptSetProperty(key, NCRYPT_LENGTH_PROPERTY, bits.as_ptr(), 4, 0),
                NCryptFinalizeKey(key, 0),
                NCryptExportKey(
                    key,
                    0,
                    BCRYPT_RSAPUBLIC_BLOB,
                    null(),
                    blob.as_mut_ptr(),
                    blob.len() as u32,
                    &mut length,
                    0,
                ),
            ]
        };
        assert_eq!(codes, [0; 5]);
        blob.truncate(length as usize);
        let numbers = &blob[size_of::<BCRYPT_RSAKEY_BLOB>()..];
        let (e, n) = numbers.split_at(numbers.len() - 256);
        (key, RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() })
    }

    #[test]
    fn a_key_of_cng_signs_with_rsa_and_sha256() {
        let (key, public) = new_key();
        let signature = sign_by_cng(key, b"message").unwrap();
        public.verify(&RSA_PKCS1_2048_8192_SHA256, b"message", &signature).unwrap();
        assert!(public.verify(&RSA_PKCS1_2048_8192_SHA256, b"another", &signature).is_err());
    }
}
