//! The GSSAPI security context, which creates the tokens.
#![allow(unsafe_code)] // calls into a C library

use std::ptr::{null, null_mut};

use super::credential::Credential;
use super::ffi::{Buffer, ChannelBindings, Gss, Handle, Oid, OidDesc};
use super::library::{Failure, Name, Output};

/// `GSS_C_MUTUAL_FLAG`: the server must authenticate too.
const MUTUAL_FLAG: u32 = 2;
/// `GSS_C_CHANNEL_BOUND_FLAG`: the client requires channel binding. MIT before 1.19 ignores it.
const CHANNEL_BOUND_FLAG: u32 = 2048;

impl Gss {
    /// Creates the context for a new sign-in.
    pub(super) fn context(self) -> SecContext {
        SecContext { gss: self, handle: null_mut() }
    }
}

/// The state of a sign-in, in the memory of the library.
#[derive(Debug)]
pub(super) struct SecContext {
    gss: Gss,
    handle: Handle,
}

impl SecContext {
    /// Creates the next token from the challenge of the server.
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
            initiator_addrtype: 0, // GSS_C_AF_UNSPEC, as on Windows
            initiator_address: Buffer::empty(),
            acceptor_addrtype: 0,
            acceptor_address: Buffer::empty(),
            application_data: Buffer::of(application_data),
        });
        let bound = if bindings.is_some() { CHANNEL_BOUND_FLAG } else { 0 };
        let input = challenge.map(Buffer::of);
        let mut token = Output::new(self.gss);
        let (mut minor, mut flags) = (0, 0);
        // SAFETY: credential, name, oid, bindings and input outlive the call. The guards own the
        // context and the token. Null is the documented value for absent arguments.
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
            // SAFETY: the handle belongs to the library and is deleted once; the call clears it.
            // The null pointer means that no token for the server is requested.
            unsafe { (self.gss.delete_sec_context)(&mut 0, &mut self.handle, null_mut()) };
        }
    }
}
