//! SSPI credentials, for the current account or for a user name and a password.

use std::ffi::c_void;
use std::ptr::null;

use windows_sys::Win32::Foundation::SEC_E_OK;
use windows_sys::Win32::Security::Authentication::Identity::{
    AcquireCredentialsHandleW, FreeCredentialsHandle, SECPKG_CRED_OUTBOUND,
};
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::System::Rpc::{SEC_WINNT_AUTH_IDENTITY_UNICODE, SEC_WINNT_AUTH_IDENTITY_W};
use zeroize::Zeroizing;

use super::wide;

/// A user name and a password in UTF-16. The password is wiped when this value is dropped.
pub(super) struct Account {
    user: Vec<u16>,
    domain: Vec<u16>,
    password: Zeroizing<Vec<u16>>,
}

impl Account {
    /// Splits `DOMAIN\user`. Any other form, such as `user@domain`, is a complete user name.
    pub(super) fn new(user: &str, password: &str) -> Account {
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
pub(super) struct Credential(SecHandle);

impl Credential {
    /// Gets the credentials of `account`, or of the current account. The error is the SSPI code.
    pub(super) fn acquire(account: Option<&Account>) -> Result<Credential, i32> {
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

impl Credential {
    /// The handle for calls to the system. It is valid as long as this value.
    pub(super) fn handle(&self) -> &SecHandle {
        &self.0
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
