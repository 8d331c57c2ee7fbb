//! GSSAPI names, errors and buffers. The guards release what the library allocated.
#![allow(unsafe_code)] // calls into a C library

use std::ffi::c_int;
use std::ptr::null_mut;

use super::ffi::{Buffer, Gss, Handle, KRB5, Oid, OidDesc};

/// `GSS_C_GSS_CODE` and `GSS_C_MECH_CODE`: the type of a status code.
const GSS_CODE: c_int = 1;
const MECH_CODE: c_int = 2;

/// The status of a failed call.
#[derive(Debug)]
pub(super) struct Failure {
    /// The GSS status code: calling error, routine error and supplementary bits (RFC 2744, section
    /// 3.9.1).
    pub(super) major: u32,
    /// The status code of the mechanism.
    pub(super) minor: u32,
    /// The message of the library.
    pub(super) message: String,
}

impl Gss {
    /// Imports a name; `form` is the type of the name.
    pub(super) fn name(self, text: &str, form: Oid) -> Result<Name, Failure> {
        let (text, form) = (Buffer::of(text.as_bytes()), OidDesc::of(form));
        let mut name = Name { gss: self, handle: null_mut() };
        let mut minor = 0;
        // SAFETY: the inputs outlive the call, which copies them; the guard owns the result.
        let major = unsafe { (self.import_name)(&mut minor, &text, &form, &mut name.handle) };
        self.check(major, minor, KRB5)?;
        Ok(name)
    }

    /// Returns the failure if `major` contains an error.
    pub(super) fn check(self, major: u32, minor: u32, mechanism: Oid) -> Result<(), Failure> {
        if major >> 16 == 0 {
            return Ok(());
        }
        let mut message = self.message(minor, MECH_CODE, mechanism);
        if minor == 0 || matches!(message.as_str(), "" | "Success" | "Unknown error") {
            message = self.message(major, GSS_CODE, mechanism);
        }
        Err(Failure { major, minor, message })
    }

    /// Returns the message from the library for a status code.
    fn message(self, status: u32, kind: c_int, mechanism: Oid) -> String {
        let oid = OidDesc::of(mechanism);
        let (mut messages, mut more) = (Vec::new(), 0);
        // Each call returns one message. The limit guards against a library that always reports
        // another message.
        for _ in 0..4 {
            let mut text = Output::new(self);
            let mut minor = 0;
            // SAFETY: all pointers are valid for the call; the guard owns the text.
            let major = unsafe {
                (self.display_status)(&mut minor, status, kind, &oid, &mut more, &mut text.buffer)
            };
            if major >> 16 != 0 {
                break;
            }
            messages.push(String::from_utf8_lossy(&text.bytes()).into_owned());
            if more == 0 {
                break;
            }
        }
        messages.join(", ")
    }
}

/// A name in the memory of the library.
#[derive(Debug)]
pub(super) struct Name {
    gss: Gss,
    pub(super) handle: Handle,
}

impl Drop for Name {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the handle belongs to the library and is released once; the call clears it.
            unsafe { (self.gss.release_name)(&mut 0, &mut self.handle) };
        }
    }
}

/// Bytes in the memory of the library.
pub(super) struct Output {
    gss: Gss,
    pub(super) buffer: Buffer,
}

impl Output {
    /// Creates a buffer for the result of a call.
    pub(super) fn new(gss: Gss) -> Output {
        Output { gss, buffer: Buffer::empty() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        if self.buffer.value.is_null() {
            return Vec::new();
        }
        let (value, length) = (self.buffer.value.cast::<u8>(), self.buffer.length);
        // SAFETY: the library wrote `length` bytes to `value`. They are valid until this guard
        // releases them.
        unsafe { std::slice::from_raw_parts(value, length) }.to_vec()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: the buffer is empty or belongs to the library, and is released once.
        unsafe { (self.gss.release_buffer)(&mut 0, &mut self.buffer) };
    }
}
