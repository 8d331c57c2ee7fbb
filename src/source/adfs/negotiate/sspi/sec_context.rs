//! The SSPI security context, which creates the tokens.

use std::ptr::null;

use windows_sys::Win32::Foundation::{SEC_E_OK, SEC_I_CONTINUE_NEEDED};
use windows_sys::Win32::Security::Authentication::Identity::{
    DeleteSecurityContext, ISC_REQ_MUTUAL_AUTH, InitializeSecurityContextW, SEC_CHANNEL_BINDINGS,
    SECBUFFER_TOKEN, SECBUFFER_VERSION, SECURITY_NATIVE_DREP, SecBuffer, SecBufferDesc,
};
use windows_sys::Win32::Security::Credentials::SecHandle;

use super::credential::Credential;
use super::wide;

/// Creates an input buffer. The call does not change its content.
pub(super) fn buffer(kind: u32, bytes: &[u8]) -> SecBuffer {
    SecBuffer {
        cbBuffer: u32::try_from(bytes.len()).unwrap_or(0),
        BufferType: kind,
        pvBuffer: bytes.as_ptr().cast_mut().cast(),
    }
}

/// Creates a `SEC_CHANNEL_BINDINGS` structure, followed by the application data.
pub(super) fn channel_bindings(application_data: &[u8]) -> Vec<u8> {
    const HEADER: u32 = size_of::<SEC_CHANNEL_BINDINGS>() as u32;
    let length = u32::try_from(application_data.len()).unwrap_or(0);
    // The address type, length and offset of the initiator and of the acceptor, then the length and
    // the offset of the application data.
    let header = [0, 0, 0, 0, 0, 0, length, HEADER];
    header.into_iter().flat_map(u32::to_ne_bytes).chain(application_data.iter().copied()).collect()
}

/// A handle to a security context; `None` before the first step.
#[derive(Default)]
pub(super) struct SecContext(Option<SecHandle>);

impl SecContext {
    /// Creates the next token. `input` is the challenge and the channel binding. The error is the
    /// SSPI code.
    pub(super) fn step(
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
        // correct. The context is null in the first call, and the handle from the previous call in
        // later calls.
        let code = unsafe {
            InitializeSecurityContextW(
                credential.handle(),
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
