//! The calls of GSSAPI, behind guards that release what the library gave them.
#![allow(unsafe_code)] // calls into a C library

use std::ffi::{CStr, CString, c_int};
use std::ptr::{null, null_mut};

use zeroize::Zeroizing;

use super::ffi::{
    Buffer, ChannelBindings, Gss, Handle, KRB5, KeyValue, KeyValueSet, Oid, OidDesc, OidSet, SPNEGO,
};

/// Both sides prove themselves.
const MUTUAL_FLAG: u32 = 2;
/// The client says that it binds to the channel; libraries older than MIT 1.19 ignore it.
const CHANNEL_BOUND_FLAG: u32 = 2048;
const INITIATE: c_int = 1;
const INDEFINITE: u32 = u32::MAX;
const GSS_CODE: c_int = 1;
const MECH_CODE: c_int = 2;

/// The account whose credentials are wanted.
pub(super) enum Wanted<'a> {
    /// Those that the library finds by itself, perhaps of the named account.
    Default(Option<&'a Name>),
    /// Those of a store: pairs such as `client_keytab` and its file.
    Store(Option<&'a Name>, &'a [(&'static CStr, CString)]),
    /// Those that the password brings.
    Password(&'a Name, &'a [u8]),
}

/// What the library said when a call failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// RFC 2744 §3.9.1: calling error, routine error, supplementary bits.
    pub(super) major: u32,
    /// The mechanism's own number.
    pub(super) minor: u32,
    /// Both in words, as the library has them.
    pub(super) words: String,
}

impl Gss {
    /// A name in the form that `form` says.
    pub(super) fn name(self, text: &str, form: Oid) -> Result<Name, Failure> {
        let (text, form) = (Buffer::of(text.as_bytes()), OidDesc::of(form));
        let mut name = Name { gss: self, handle: null_mut() };
        let mut minor = 0;
        // SAFETY: the inputs outlive the call, which copies them; the guard owns what it gives.
        let major = unsafe { (self.import_name)(&mut minor, &text, &form, &mut name.handle) };
        self.check(major, minor, KRB5)?;
        Ok(name)
    }

    /// Credentials to start a sign-on by `mechanism`; `None` where the library cannot take this
    /// kind of account.
    pub(super) fn credential(
        self,
        wanted: &Wanted<'_>,
        mechanism: Oid,
    ) -> Option<Result<Credential, Failure>> {
        let oid = OidDesc::of(mechanism);
        let oids = OidSet { count: 1, elements: &oid };
        let mut credential = Credential { gss: self, handle: null_mut() };
        let out = &mut credential.handle;
        let (no_oids, no_time) = (null_mut(), null_mut());
        let handle = |name: &Option<&Name>| name.map_or(null_mut(), |name| name.handle);
        let mut minor = 0;
        let major = match wanted {
            Wanted::Default(name) => {
                let name = handle(name);
                // SAFETY: name and set are valid for the call; the guard owns what it gives.
                unsafe {
                    (self.acquire_cred)(
                        &mut minor, name, INDEFINITE, &oids, INITIATE, out, no_oids, no_time,
                    )
                }
            }
            Wanted::Store(name, pairs) => {
                let acquire = self.acquire_cred_from?;
                let pairs: Vec<KeyValue> = pairs
                    .iter()
                    .map(|(key, value)| KeyValue { key: key.as_ptr(), value: value.as_ptr() })
                    .collect();
                let count = u32::try_from(pairs.len()).ok()?;
                let store = KeyValueSet { count, elements: pairs.as_ptr() };
                let name = handle(name);
                // SAFETY: name, set and store are valid for the call, which copies what it keeps;
                // the guard owns what it gives.
                unsafe {
                    acquire(
                        &mut minor, name, INDEFINITE, &oids, INITIATE, &store, out, no_oids,
                        no_time,
                    )
                }
            }
            Wanted::Password(name, password) => {
                let acquire = self.acquire_cred_with_password?;
                // gss-ntlmssp, where it is installed, reads on to a zero; the length is without it.
                let zero_ended = Zeroizing::new([*password, b"\0"].concat());
                let password = Buffer { length: password.len(), ..Buffer::of(&zero_ended) };
                // SAFETY: name, password and set are valid for the call, which copies what it
                // keeps and wipes its copy; the guard owns what it gives.
                unsafe {
                    acquire(
                        &mut minor,
                        name.handle,
                        &password,
                        INDEFINITE,
                        &oids,
                        INITIATE,
                        out,
                        no_oids,
                        no_time,
                    )
                }
            }
        };
        let acquired = self.check(major, minor, mechanism);
        if acquired.is_ok() && mechanism == SPNEGO {
            return Some(self.only_kerberos(&credential).map(|()| credential));
        }
        Some(acquired.map(|()| credential))
    }

    /// Lets SPNEGO offer Kerberos and nothing else. Where a plugin adds NTLM, a failure of Kerberos
    /// would end in a token of NTLM instead of an error.
    fn only_kerberos(self, credential: &Credential) -> Result<(), Failure> {
        let Some(set_neg_mechs) = self.set_neg_mechs else { return Ok(()) };
        let oid = OidDesc::of(KRB5);
        let oids = OidSet { count: 1, elements: &oid };
        let mut minor = 0;
        // SAFETY: the credential is the library's; the set outlives the call, which copies it.
        let major = unsafe { set_neg_mechs(&mut minor, credential.handle, &oids) };
        self.check(major, minor, SPNEGO)
    }

    /// A sign-on that has not begun.
    pub(super) fn context(self) -> SecContext {
        SecContext { gss: self, handle: null_mut() }
    }

    fn check(self, major: u32, minor: u32, mechanism: Oid) -> Result<(), Failure> {
        if major >> 16 == 0 {
            return Ok(());
        }
        let mut words = self.words(minor, MECH_CODE, mechanism);
        if minor == 0 || matches!(words.as_str(), "" | "Success" | "Unknown error") {
            words = self.words(major, GSS_CODE, mechanism);
        }
        Err(Failure { major, minor, words })
    }

    fn words(self, status: u32, kind: c_int, mechanism: Oid) -> String {
        let oid = OidDesc::of(mechanism);
        let (mut words, mut more) = (Vec::new(), 0);
        // Each call gives one message; no library has many for one status.
        for _ in 0..4 {
            let mut text = Output { gss: self, buffer: Buffer::empty() };
            let mut minor = 0;
            // SAFETY: all pointers are valid for the call; the guard owns the text.
            let major = unsafe {
                (self.display_status)(&mut minor, status, kind, &oid, &mut more, &mut text.buffer)
            };
            if major >> 16 != 0 {
                break;
            }
            words.push(String::from_utf8_lossy(&text.bytes()).into_owned());
            if more == 0 {
                break;
            }
        }
        words.join(", ")
    }
}

/// A name that the library keeps.
#[derive(Debug)]
pub(super) struct Name {
    gss: Gss,
    handle: Handle,
}

impl Drop for Name {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the handle is the library's and is released once; this clears it.
            unsafe { (self.gss.release_name)(&mut 0, &mut self.handle) };
        }
    }
}

/// Credentials that the library keeps.
#[derive(Debug)]
pub(super) struct Credential {
    gss: Gss,
    handle: Handle,
}

impl Drop for Credential {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the handle is the library's and is released once; this clears it.
            unsafe { (self.gss.release_cred)(&mut 0, &mut self.handle) };
        }
    }
}

/// A sign-on that the library keeps.
#[derive(Debug)]
pub(super) struct SecContext {
    gss: Gss,
    handle: Handle,
}

impl SecContext {
    /// The next token.
    pub(super) fn step(
        &mut self,
        credential: &Credential,
        target: &Name,
        mechanism: Oid,
        channel_binding: Option<&[u8]>,
        challenge: Option<&[u8]>,
    ) -> Result<Vec<u8>, Failure> {
        let oid = OidDesc::of(mechanism);
        let bindings = channel_binding.map(|application_data| ChannelBindings {
            initiator_addrtype: 0, // GSS_C_AF_UNSPEC, as Windows has it
            initiator_address: Buffer::empty(),
            acceptor_addrtype: 0,
            acceptor_address: Buffer::empty(),
            application_data: Buffer::of(application_data),
        });
        let bound = if bindings.is_some() { CHANNEL_BOUND_FLAG } else { 0 };
        let input = challenge.map(Buffer::of);
        let mut token = Output { gss: self.gss, buffer: Buffer::empty() };
        let (mut minor, mut flags) = (0, 0);
        // SAFETY: credential, name, oid, bindings and input outlive the call; the guards own the
        // context and the token; null is the documented absence of the rest.
        let major = unsafe {
            (self.gss.init_sec_context)(
                &mut minor,
                credential.handle,
                &mut self.handle,
                target.handle,
                &oid,
                MUTUAL_FLAG | bound,
                0,
                bindings.as_ref().map_or(null(), |bindings| bindings),
                input.as_ref().map_or(null(), |input| input),
                null_mut(),
                &mut token.buffer,
                &mut flags,
                null_mut(),
            )
        };
        self.gss.check(major, minor, mechanism)?;
        Ok(token.bytes())
    }
}

impl Drop for SecContext {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the handle is the library's and is deleted once; this clears it. No token
            // for the other side is asked for.
            unsafe { (self.gss.delete_sec_context)(&mut 0, &mut self.handle, null_mut()) };
        }
    }
}

/// Bytes that the library made.
struct Output {
    gss: Gss,
    buffer: Buffer,
}

impl Output {
    fn bytes(&self) -> Vec<u8> {
        if self.buffer.value.is_null() {
            return Vec::new();
        }
        let (value, length) = (self.buffer.value.cast::<u8>(), self.buffer.length);
        // SAFETY: the library filled the buffer with `length` bytes at `value`, which live until
        // this guard releases them.
        unsafe { std::slice::from_raw_parts(value, length) }.to_vec()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: the buffer is empty or the library's, and is released once.
        unsafe { (self.gss.release_buffer)(&mut 0, &mut self.buffer) };
    }
}
