//! GSSAPI credentials: from the default places, from a store, or from a password.
#![allow(unsafe_code)] // calls into a C library

use std::ffi::{CStr, CString, c_int};
use std::ptr::null_mut;

use zeroize::Zeroizing;

use super::ffi::{Buffer, Gss, Handle, KRB5, KeyValue, KeyValueSet, Oid, OidDesc, OidSet, SPNEGO};
use super::library::{Failure, Name};

/// `GSS_C_INITIATE`: the credentials are for a client.
const INITIATE: c_int = 1;
/// `GSS_C_INDEFINITE`: the maximum lifetime.
const INDEFINITE: u32 = u32::MAX;

/// Where to get credentials.
pub(super) enum CredentialSource<'a> {
    /// From the default places of the library; for the named account, if one is given.
    Default(Option<&'a Name>),
    /// From a store: pairs such as `client_keytab` and its file.
    Store(Option<&'a Name>, &'a [(&'static CStr, CString)]),
    /// With a password.
    Password(&'a Name, &'a [u8]),
}

/// The status codes of a call.
struct Status {
    major: u32,
    minor: u32,
}

impl Gss {
    /// Gets credentials for `mechanism`; `None` if the library does not support the source.
    pub(super) fn credential(
        self,
        source: &CredentialSource<'_>,
        mechanism: Oid,
    ) -> Option<Result<Credential, Failure>> {
        let oid = OidDesc::of(mechanism);
        let oids = OidSet { count: 1, elements: &oid };
        let mut credential = Credential { gss: self, handle: null_mut() };
        let output = &mut credential.handle;
        let Status { major, minor } = match source {
            CredentialSource::Default(name) => self.acquire_default(handle(*name), &oids, output),
            CredentialSource::Store(name, pairs) => {
                self.acquire_from_store(handle(*name), pairs, &oids, output)?
            }
            CredentialSource::Password(name, password) => {
                self.acquire_with_password(name.handle, password, &oids, output)?
            }
        };
        let acquired = self.check(major, minor, mechanism);
        if acquired.is_ok() && mechanism == SPNEGO {
            return Some(self.only_kerberos(&credential).map(|()| credential));
        }
        Some(acquired.map(|()| credential))
    }

    fn acquire_default(self, name: Handle, oids: &OidSet, output: &mut Handle) -> Status {
        let (no_oids, no_time) = (null_mut(), null_mut());
        let mut minor = 0;
        // SAFETY: name and set are valid for the call; the caller's guard owns the result.
        let major = unsafe {
            (self.acquire_cred)(
                &mut minor, name, INDEFINITE, oids, INITIATE, output, no_oids, no_time,
            )
        };
        Status { major, minor }
    }

    fn acquire_from_store(
        self,
        name: Handle,
        pairs: &[(&'static CStr, CString)],
        oids: &OidSet,
        output: &mut Handle,
    ) -> Option<Status> {
        let acquire = self.acquire_cred_from?;
        let pairs: Vec<KeyValue> = pairs
            .iter()
            .map(|(key, value)| KeyValue { key: key.as_ptr(), value: value.as_ptr() })
            .collect();
        let count = u32::try_from(pairs.len()).ok()?;
        let store = KeyValueSet { count, elements: pairs.as_ptr() };
        let (no_oids, no_time) = (null_mut(), null_mut());
        let mut minor = 0;
        // SAFETY: name, set and store are valid for the call, which copies what it needs later;
        // the caller's guard owns the result.
        let major = unsafe {
            acquire(&mut minor, name, INDEFINITE, oids, INITIATE, &store, output, no_oids, no_time)
        };
        Some(Status { major, minor })
    }

    fn acquire_with_password(
        self,
        name: Handle,
        password: &[u8],
        oids: &OidSet,
        output: &mut Handle,
    ) -> Option<Status> {
        let acquire = self.acquire_cred_with_password?;
        // The plugin gss-ntlmssp ignores the length and reads up to a NUL character.
        let null_terminated = Zeroizing::new([password, b"\0"].concat());
        let password = Buffer { length: password.len(), ..Buffer::of(&null_terminated) };
        let (no_oids, no_time) = (null_mut(), null_mut());
        let mut minor = 0;
        // SAFETY: name, password and set are valid for the call, which copies what it needs later
        // and wipes its copy of the password; the caller's guard owns the result.
        let major = unsafe {
            acquire(
                &mut minor, name, &password, INDEFINITE, oids, INITIATE, output, no_oids, no_time,
            )
        };
        Some(Status { major, minor })
    }

    /// Restricts SPNEGO to Kerberos. Otherwise, if a plugin adds NTLM, a failure of Kerberos would
    /// result in an NTLM token instead of an error.
    fn only_kerberos(self, credential: &Credential) -> Result<(), Failure> {
        let Some(set_neg_mechs) = self.set_neg_mechs else { return Ok(()) };
        let oid = OidDesc::of(KRB5);
        let oids = OidSet { count: 1, elements: &oid };
        let mut minor = 0;
        // SAFETY: the credential is valid; the set outlives the call, which copies it.
        let major = unsafe { set_neg_mechs(&mut minor, credential.handle, &oids) };
        self.check(major, minor, SPNEGO)
    }
}

fn handle(name: Option<&Name>) -> Handle {
    name.map_or(null_mut(), |name| name.handle)
}

/// Credentials in the memory of the library.
#[derive(Debug)]
pub(super) struct Credential {
    gss: Gss,
    pub(super) handle: Handle,
}

impl Drop for Credential {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the handle belongs to the library and is released once; the call clears it.
            unsafe { (self.gss.release_cred)(&mut 0, &mut self.handle) };
        }
    }
}
