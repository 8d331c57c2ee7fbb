//! Finds certificates in a certificate store.

use std::ffi::c_void;
use std::ptr::null;

use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_FIND_HASH, CERT_STORE_OPEN_EXISTING_FLAG, CERT_STORE_PROV_SYSTEM_W,
    CERT_STORE_READONLY_FLAG, CRYPT_INTEGER_BLOB, CertCloseStore, CertFindCertificateInStore,
    CertFreeCertificateContext, CertOpenStore, HCERTSTORE, X509_ASN_ENCODING,
};
use windows_sys::core::w;

use crate::options::Thumbprint;

/// The store `My` of the user or of the machine.
pub(super) struct CertificateStore(HCERTSTORE);

impl CertificateStore {
    /// Opens the store of `place`, one of the `CERT_SYSTEM_STORE_` constants.
    pub(super) fn open(place: u32) -> Option<CertificateStore> {
        let flags = place | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG;
        let name: *const c_void = w!("My").cast();
        // SAFETY: the name is null-terminated UTF-16, which this store provider requires.
        let store = unsafe { CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, name) };
        (!store.is_null()).then_some(CertificateStore(store))
    }

    /// The certificate with this thumbprint.
    pub(super) fn find(&self, thumbprint: &Thumbprint) -> Option<Certificate> {
        let bytes = thumbprint.as_bytes();
        let hash = CRYPT_INTEGER_BLOB {
            cbData: bytes.len() as u32,
            pbData: bytes.as_ptr().cast_mut(), // The call only reads it.
        };
        // SAFETY: the store is open; the type of the hash matches the flag, and it outlives the
        // call.
        let found = unsafe {
            let hash = (&raw const hash).cast();
            CertFindCertificateInStore(self.0, X509_ASN_ENCODING, 0, CERT_FIND_HASH, hash, null())
        };
        (!found.is_null()).then_some(Certificate(found))
    }
}

impl Drop for CertificateStore {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is closed once; certificates of the store stay valid.
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// A handle to a certificate.
#[derive(Debug)]
pub(super) struct Certificate(*const CERT_CONTEXT);

impl Certificate {
    /// The certificate for calls of the system; valid as long as this value.
    pub(super) fn as_ptr(&self) -> *const CERT_CONTEXT {
        self.0
    }

    /// The certificate in DER.
    pub(super) fn der(&self) -> &[u8] {
        // SAFETY: the context is valid as long as this value, and so are its bytes, of this length.
        unsafe {
            let context = &*self.0;
            std::slice::from_raw_parts(context.pbCertEncoded, context.cbCertEncoded as usize)
        }
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is freed once.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}
