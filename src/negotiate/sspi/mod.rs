//! Negotiate by SSPI, with the logged-on or service account or a named one.
//!
//! The package is Negotiate: Kerberos first, NTLM where there is no domain controller or SPN. Every
//! call gets an output buffer of its own, of the package's largest token.
#![allow(unsafe_code)] // calls into the operating system

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{SEC_E_OK, SEC_I_CONTINUE_NEEDED};
use windows_sys::Win32::Security::Authentication::Identity::{
    AcquireCredentialsHandleW, DeleteSecurityContext, FreeContextBuffer, FreeCredentialsHandle,
    ISC_REQ_MUTUAL_AUTH, InitializeSecurityContextW, QuerySecurityPackageInfoW,
    SEC_CHANNEL_BINDINGS, SECBUFFER_CHANNEL_BINDINGS, SECBUFFER_TOKEN, SECBUFFER_VERSION,
    SECPKG_CRED_OUTBOUND, SECURITY_NATIVE_DREP, SecBuffer, SecBufferDesc, SecPkgInfoW,
};
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::System::Rpc::{SEC_WINNT_AUTH_IDENTITY_UNICODE, SEC_WINNT_AUTH_IDENTITY_W};
use zeroize::Zeroizing;

use super::sspi_status as status;
use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Platform {
    spn: String,
    identity: Identity,
    /// What [`channel_bindings`] made.
    binding: Option<Vec<u8>>,
    credential: Credential,
    context: SecContext,
    largest_token: usize,
}

impl Platform {
    pub(super) fn new(
        identity: &Identity,
        target: &Target,
        cx: &Context,
    ) -> Result<Platform, Error> {
        cx.log.line(format!("negotiate for {} by SSPI", target.spn));
        let explain = |code| status::explain(code, &target.spn, identity);
        let account = match identity {
            Identity::Current { keytab: None, principal: None } => None,
            Identity::Current { .. } => {
                return Err(Error::new(Kind::Configuration, "Windows takes no keytab")
                    .fix("run as the account itself, or give --user and --password"));
            }
            Identity::Password { user, password } => Some(Account::new(user, password.expose())),
        };
        Ok(Platform {
            spn: target.spn.clone(),
            identity: identity.clone(),
            binding: target.channel_binding.as_deref().map(channel_bindings),
            credential: Credential::acquire(account.as_ref()).map_err(explain)?,
            context: SecContext(None),
            largest_token: largest_token().map_err(explain)?,
        })
    }

    pub(super) fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let input: Vec<SecBuffer> =
            [(SECBUFFER_TOKEN, challenge), (SECBUFFER_CHANNEL_BINDINGS, self.binding.as_deref())]
                .into_iter()
                .filter_map(|(kind, bytes)| Some(buffer(kind, bytes?)))
                .collect();
        let step = self.context.step(&self.credential, &self.spn, input, self.largest_token);
        step.map_err(|code| status::explain(code, &self.spn, &self.identity))
    }
}

/// UTF-16 that ends with a zero.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Bytes that a call reads and does not change.
fn buffer(kind: u32, bytes: &[u8]) -> SecBuffer {
    SecBuffer {
        cbBuffer: u32::try_from(bytes.len()).unwrap_or(0),
        BufferType: kind,
        pvBuffer: bytes.as_ptr().cast_mut().cast(),
    }
}

/// A `SEC_CHANNEL_BINDINGS` and the application data behind it.
fn channel_bindings(application_data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = size_of::<SEC_CHANNEL_BINDINGS>() as u32;
    let length = u32::try_from(application_data.len()).unwrap_or(0);
    // Types, lengths and offsets of the initiator and the acceptor; length and offset of the data.
    let header = [0, 0, 0, 0, 0, 0, length, HEADER];
    header.into_iter().flat_map(u32::to_ne_bytes).chain(application_data.iter().copied()).collect()
}

/// The length in bytes of the largest token that Negotiate makes.
fn largest_token() -> Result<usize, i32> {
    let mut info: *mut SecPkgInfoW = null_mut();
    // SAFETY: the name ends with a zero and `info` takes one pointer.
    let code = unsafe { QuerySecurityPackageInfoW(wide("Negotiate").as_ptr(), &mut info) };
    if code != SEC_E_OK {
        return Err(code);
    }
    // SAFETY: on success `info` is null or points to a structure that is freed once, below.
    let length = unsafe { info.as_ref() }.map_or(0, |info| info.cbMaxToken);
    // SAFETY: the structure is the system's, and nothing refers to it any more.
    unsafe { FreeContextBuffer(info.cast()) };
    Ok(usize::try_from(length).unwrap_or(0))
}

/// An account that is not the current one, in UTF-16; wiped when dropped.
struct Account {
    user: Vec<u16>,
    domain: Vec<u16>,
    password: Zeroizing<Vec<u16>>,
}

impl Account {
    /// `DOMAIN\user`; any other form, such as `user@domain`, is a user name as a whole.
    fn new(user: &str, password: &str) -> Account {
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        // All at once: a buffer that grows would leave pieces of the password behind.
        let mut units = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        units.extend(password.encode_utf16().chain([0]));
        Account { user: wide(user), domain: wide(domain), password: units }
    }

    /// The account as the system takes it, for as long as this lives.
    fn as_identity(&self) -> SEC_WINNT_AUTH_IDENTITY_W {
        let length = |text: &[u16]| u32::try_from(text.len().saturating_sub(1)).unwrap_or(0);
        SEC_WINNT_AUTH_IDENTITY_W {
            User: self.user.as_ptr().cast_mut(),
            UserLength: length(&self.user),
            Domain: self.domain.as_ptr().cast_mut(),
            DomainLength: length(&self.domain),
            Password: self.password.as_ptr().cast_mut(),
            PasswordLength: length(&self.password),
            Flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
        }
    }
}

/// Credentials that the system keeps.
struct Credential(SecHandle);

impl Credential {
    fn acquire(account: Option<&Account>) -> Result<Credential, i32> {
        let identity = account.map(Account::as_identity);
        let identity: *const c_void =
            identity.as_ref().map_or(null(), |identity| (&raw const *identity).cast());
        let (mut handle, mut expiry) = (SecHandle::default(), 0);
        // SAFETY: the package's name ends with a zero; `identity` is null, which is the current
        // account, or points to a structure whose texts outlive the call, which copies them.
        let code = unsafe {
            AcquireCredentialsHandleW(
                null(),
                wide("Negotiate").as_ptr(),
                SECPKG_CRED_OUTBOUND,
                null(),
                identity,
                None,
                null(),
                &mut handle,
                &mut expiry,
            )
        };
        if code == SEC_E_OK { Ok(Credential(handle)) } else { Err(code) }
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: the handle was acquired and is freed once.
        unsafe { FreeCredentialsHandle(&self.0) };
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// A sign-on that the system keeps, once it has begun.
struct SecContext(Option<SecHandle>);

impl SecContext {
    /// The next token.
    fn step(
        &mut self,
        credential: &Credential,
        spn: &str,
        mut input: Vec<SecBuffer>,
        largest_token: usize,
    ) -> Result<Vec<u8>, i32> {
        let input_desc = SecBufferDesc {
            ulVersion: SECBUFFER_VERSION,
            cBuffers: u32::try_from(input.len()).unwrap_or(0),
            pBuffers: input.as_mut_ptr(),
        };
        let mut token = vec![0; largest_token];
        let mut output = SecBuffer {
            cbBuffer: u32::try_from(token.len()).unwrap_or(0),
            BufferType: SECBUFFER_TOKEN,
            pvBuffer: token.as_mut_ptr().cast(),
        };
        let mut output_desc =
            SecBufferDesc { ulVersion: SECBUFFER_VERSION, cBuffers: 1, pBuffers: &mut output };
        let begun = self.0;
        let (mut handle, mut attributes, mut expiry) = (begun.unwrap_or_default(), 0, 0);
        // SAFETY: every buffer and the name outlive the call; the output buffer has the length it
        // says; the context is null at the first call and the one that was given after that.
        let code = unsafe {
            InitializeSecurityContextW(
                &credential.0,
                begun.as_ref().map_or(null(), |handle| handle),
                wide(spn).as_ptr(),
                ISC_REQ_MUTUAL_AUTH,
                0,
                SECURITY_NATIVE_DREP,
                if input.is_empty() { null() } else { &input_desc },
                0,
                &mut handle,
                &mut output_desc,
                &mut attributes,
                &mut expiry,
            )
        };
        if code != SEC_E_OK && code != SEC_I_CONTINUE_NEEDED {
            return Err(code);
        }
        self.0 = Some(handle);
        token.truncate(usize::try_from(output.cbBuffer).unwrap_or(0));
        Ok(token)
    }
}

impl Drop for SecContext {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            // SAFETY: the handle was given by the system and is deleted once.
            unsafe { DeleteSecurityContext(handle) };
        }
    }
}

impl std::fmt::Debug for SecContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecContext")
    }
}
