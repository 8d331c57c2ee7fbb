//! Signs with RSA and SHA-256, with a key of CNG or of CryptoAPI.

use std::io;
use std::ptr::null;

use ring::digest::{SHA256, digest};
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_PKCS1_PADDING_INFO, BCRYPT_PSS_PADDING_INFO, BCRYPT_SHA256_ALGORITHM, CALG_SHA_256,
    CryptCreateHash, CryptDestroyHash, CryptHashData, CryptSignHashW, NCRYPT_PAD_PKCS1_FLAG,
    NCRYPT_PAD_PSS_FLAG, NCRYPT_SILENT_FLAG, NCryptSignHash,
};

use super::Padding;

/// The size of the largest signature in bytes: the largest RSA keys of Windows have 16384 bits.
const LARGEST_SIGNATURE: usize = 2048;

/// Signs a message with a key of CNG.
pub(super) fn by_cng(key: usize, padding: Padding, message: &[u8]) -> io::Result<Vec<u8>> {
    let hash = digest(&SHA256, message);
    let algorithm = BCRYPT_SHA256_ALGORITHM;
    let pkcs1 = BCRYPT_PKCS1_PADDING_INFO { pszAlgId: algorithm };
    let pss = BCRYPT_PSS_PADDING_INFO { pszAlgId: algorithm, cbSalt: hash.as_ref().len() as u32 };
    let (padding, flag) = match padding {
        Padding::Pkcs1 => ((&raw const pkcs1).cast(), NCRYPT_PAD_PKCS1_FLAG),
        Padding::Pss => ((&raw const pss).cast(), NCRYPT_PAD_PSS_FLAG),
    };
    let mut signature = vec![0; LARGEST_SIGNATURE];
    let mut length = 0;
    // SAFETY: the type of the padding matches the flag. The lengths of the hash and of the
    // signature are correct, and all three outlive the call.
    let code = unsafe {
        NCryptSignHash(
            key,
            padding,
            hash.as_ref().as_ptr(),
            hash.as_ref().len() as u32,
            signature.as_mut_ptr(),
            signature.len() as u32,
            &mut length,
            flag | NCRYPT_SILENT_FLAG,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    signature.truncate(length as usize);
    Ok(signature)
}

/// Signs a message with a key of a CryptoAPI provider; `spec` selects the key of the provider.
pub(super) fn by_crypto_api(provider: usize, spec: u32, message: &[u8]) -> io::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use ring::signature::{
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    };
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
        for (padding, algorithm) in [
            (Padding::Pkcs1, &RSA_PKCS1_2048_8192_SHA256),
            (Padding::Pss, &RSA_PSS_2048_8192_SHA256),
        ] {
            let signature = by_cng(key, padding, b"message").unwrap();
            public.verify(algorithm, b"message", &signature).unwrap();
            assert!(public.verify(algorithm, b"another", &signature).is_err());
        }
    }
}
