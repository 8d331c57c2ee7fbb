//! Negotiate with SSPI, for the account of this process or for a user name and a password.
//!
//! The security package is Negotiate: it uses Kerberos, or NTLM if there is no domain controller or
//! if the SPN is unknown. Every call has its own output buffer with the maximum token size of the
//! package. <https://learn.microsoft.com/windows/win32/secauthn/sspi>
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
    /// The result of [`channel_bindings`].
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
        cx.log.line(format!("getting a Negotiate token for {} with SSPI", target.spn));
        let explain = |code| status::explain(code, &target.spn, identity);
        let account = match identity {
            Identity::Current { keytab: None, principal: None } => None,
            Identity::Current { .. } => {
                let what = "--keytab and --principal are not supported on Windows";
                return Err(Error::new(Kind::Configuration, what)
                    .fix("run wif-token as the account, or use --user and --password"));
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

/// Null-terminated UTF-16.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// An input buffer. The call does not change its content.
fn buffer(kind: u32, bytes: &[u8]) -> SecBuffer {
    SecBuffer {
        cbBuffer: u32::try_from(bytes.len()).unwrap_or(0),
        BufferType: kind,
        pvBuffer: bytes.as_ptr().cast_mut().cast(),
    }
}

/// A `SEC_CHANNEL_BINDINGS` structure, followed by the application data.
fn channel_bindings(application_data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = size_of::<SEC_CHANNEL_BINDINGS>() as u32;
    let length = u32::try_from(application_data.len()).unwrap_or(0);
    // The address type, length and offset of the initiator and of the acceptor, then the length and
    // the offset of the application data.
    let header = [0, 0, 0, 0, 0, 0, length, HEADER];
    header.into_iter().flat_map(u32::to_ne_bytes).chain(application_data.iter().copied()).collect()
}

/// The maximum size of a token in bytes.
fn largest_token() -> Result<usize, i32> {
    let mut info: *mut SecPkgInfoW = null_mut();
    // SAFETY: the name is null-terminated, and `info` is valid for one pointer.
    let code = unsafe { QuerySecurityPackageInfoW(wide("Negotiate").as_ptr(), &mut info) };
    if code != SEC_E_OK {
        return Err(code);
    }
    // SAFETY: after success, `info` is null or points to a structure, which is freed once, below.
    let length = unsafe { info.as_ref() }.map_or(0, |info| info.cbMaxToken);
    // SAFETY: the system allocated the structure, and no reference to it is left.
    unsafe { FreeContextBuffer(info.cast()) };
    Ok(usize::try_from(length).unwrap_or(0))
}

/// A user name and a password in UTF-16. The password is wiped when this value is dropped.
struct Account {
    user: Vec<u16>,
    domain: Vec<u16>,
    password: Zeroizing<Vec<u16>>,
}

impl Account {
    /// Splits `DOMAIN\user`. Any other form, such as `user@domain`, is a complete user name.
    fn new(user: &str, password: &str) -> Account {
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        // The buffer has its full capacity from the start, because growing would leave copies of
        // parts of the password in memory.
        let mut units = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        units.extend(password.encode_utf16().chain([0]));
        Account { user: wide(user), domain: wide(domain), password: units }
    }

    /// The structure that the system requires. It is valid as long as this value.
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

/// A handle to credentials.
struct Credential(SecHandle);

impl Credential {
    fn acquire(account: Option<&Account>) -> Result<Credential, i32> {
        let identity = account.map(Account::as_identity);
        let identity: *const c_void =
            identity.as_ref().map_or(null(), |identity| (&raw const *identity).cast());
        let (mut handle, mut expiry) = (SecHandle::default(), 0);
        // SAFETY: the name of the package is null-terminated. `identity` is null, which means the
        // current account, or points to a structure whose strings outlive the call, which copies
        // them.
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
        // SAFETY: the handle is valid and is freed once.
        unsafe { FreeCredentialsHandle(&self.0) };
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// A handle to a security context; `None` before the first step.
struct SecContext(Option<SecHandle>);

impl SecContext {
    /// Creates the next token.
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
        let previous = self.0;
        let (mut handle, mut attributes, mut expiry) = (previous.unwrap_or_default(), 0, 0);
        // SAFETY: all buffers and the name outlive the call, and the size of the output buffer is
        // correct. The context is null in the first call and the handle of the first call later.
        let code = unsafe {
            InitializeSecurityContextW(
                &credential.0,
                previous.as_ref().map_or(null(), |handle| handle),
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
            // SAFETY: the handle is valid and is deleted once.
            unsafe { DeleteSecurityContext(handle) };
        }
    }
}

impl std::fmt::Debug for SecContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecContext")
    }
}
