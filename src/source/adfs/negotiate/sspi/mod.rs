//! Negotiate with SSPI, for the account of this process or for a user name and a password.
//!
//! The security package is Negotiate: it uses Kerberos, or NTLM if there is no domain controller or
//! if the SPN is unknown. Every call has its own output buffer with the maximum token size of the
//! package. <https://learn.microsoft.com/windows/win32/secauthn/sspi>
#![allow(unsafe_code)] // calls into the operating system

mod credential;
mod sec_context;

use std::ptr::null_mut;

use windows_sys::Win32::Foundation::SEC_E_OK;
use windows_sys::Win32::Security::Authentication::Identity::{
    FreeContextBuffer, QuerySecurityPackageInfoW, SECBUFFER_CHANNEL_BINDINGS, SECBUFFER_TOKEN,
    SecBuffer, SecPkgInfoW,
};

use self::credential::{Account, Credential};
use self::sec_context::{SecContext, buffer, channel_bindings};
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
            context: SecContext::default(),
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

/// Converts text to null-terminated UTF-16.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
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
