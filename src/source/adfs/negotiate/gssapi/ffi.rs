//! The declarations of GSSAPI (RFC 2744, appendix A), and the loader of the library.
//!
//! Credential stores, passwords and the mechanisms of SPNEGO are extensions (`gssapi_ext.h`). A
//! library without them works if no extension is needed.
#![allow(unsafe_code)] // binds functions of a C library

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use libloading::Library;

/// An object identifier in DER, without tag and length.
pub(super) type Oid = &'static [u8];
/// 1.3.6.1.5.5.2
pub(super) const SPNEGO: Oid = b"\x2b\x06\x01\x05\x05\x02";
/// 1.2.840.113554.1.2.2
pub(super) const KRB5: Oid = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.2.840.113554.1.2.1.4: `HTTP@host`
pub(super) const HOSTBASED_SERVICE: Oid = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04";
/// 1.2.840.113554.1.2.1.1: `user@REALM`
pub(super) const USER_NAME: Oid = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01";
/// 1.2.840.113554.1.2.2.1: `HTTP/host@REALM`
pub(super) const KRB5_PRINCIPAL: Oid = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

/// The file names of the library: MIT, Heimdal, then the names in development packages.
#[cfg(not(target_os = "macos"))]
const LIBRARIES: &[&str] =
    &["libgssapi_krb5.so.2", "libgssapi.so.3", "libgssapi_krb5.so", "libgssapi.so"];
#[cfg(target_os = "macos")]
const LIBRARIES: &[&str] = &["/System/Library/Frameworks/GSS.framework/GSS"];

pub(super) type Handle = *mut c_void;

// On Intel Macs, Apple's headers pack these structures.
#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
pub(super) struct Buffer {
    pub(super) length: usize,
    pub(super) value: *mut c_void,
}

#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
pub(super) struct OidDesc {
    pub(super) length: u32,
    pub(super) elements: *mut c_void,
}

#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
pub(super) struct OidSet {
    pub(super) count: usize,
    pub(super) elements: *const OidDesc,
}

#[cfg_attr(not(all(target_os = "macos", target_arch = "x86_64")), repr(C))]
#[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), repr(C, packed(2)))]
pub(super) struct ChannelBindings {
    pub(super) initiator_addrtype: u32,
    pub(super) initiator_address: Buffer,
    pub(super) acceptor_addrtype: u32,
    pub(super) acceptor_address: Buffer,
    pub(super) application_data: Buffer,
}

#[repr(C)]
pub(super) struct KeyValue {
    pub(super) key: *const c_char,
    pub(super) value: *const c_char,
}

#[repr(C)]
pub(super) struct KeyValueSet {
    pub(super) count: u32,
    pub(super) elements: *const KeyValue,
}

impl Buffer {
    /// Creates an input buffer. The library does not change its content.
    pub(super) fn of(bytes: &[u8]) -> Buffer {
        Buffer { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }

    pub(super) fn empty() -> Buffer {
        Buffer { length: 0, value: null_mut() }
    }
}

impl OidDesc {
    pub(super) fn of(oid: Oid) -> OidDesc {
        let length = u32::try_from(oid.len()).unwrap_or(0);
        OidDesc { length, elements: oid.as_ptr().cast_mut().cast() }
    }
}

pub(super) type ImportName =
    unsafe extern "C" fn(*mut u32, *const Buffer, *const OidDesc, *mut Handle) -> u32;
pub(super) type Release = unsafe extern "C" fn(*mut u32, *mut Handle) -> u32;
pub(super) type ReleaseBuffer = unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32;
pub(super) type DeleteSecContext = unsafe extern "C" fn(*mut u32, *mut Handle, *mut Buffer) -> u32;
pub(super) type DisplayStatus =
    unsafe extern "C" fn(*mut u32, u32, c_int, *const OidDesc, *mut u32, *mut Buffer) -> u32;
pub(super) type AcquireCred = unsafe extern "C" fn(
    *mut u32,
    Handle,
    u32,
    *const OidSet,
    c_int,
    *mut Handle,
    *mut Handle,
    *mut u32,
) -> u32;
pub(super) type AcquireCredFrom = unsafe extern "C" fn(
    *mut u32,
    Handle,
    u32,
    *const OidSet,
    c_int,
    *const KeyValueSet,
    *mut Handle,
    *mut Handle,
    *mut u32,
) -> u32;
pub(super) type AcquireCredWithPassword = unsafe extern "C" fn(
    *mut u32,
    Handle,
    *const Buffer,
    u32,
    *const OidSet,
    c_int,
    *mut Handle,
    *mut Handle,
    *mut u32,
) -> u32;
pub(super) type SetNegMechs = unsafe extern "C" fn(*mut u32, Handle, *const OidSet) -> u32;
pub(super) type InitSecContext = unsafe extern "C" fn(
    *mut u32,
    Handle,
    *mut Handle,
    Handle,
    *const OidDesc,
    u32,
    u32,
    *const ChannelBindings,
    *const Buffer,
    *mut Handle,
    *mut Buffer,
    *mut u32,
    *mut u32,
) -> u32;

/// The functions of the library.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gss {
    /// The file name of the library, for the log.
    pub(super) library: &'static str,
    pub(super) import_name: ImportName,
    pub(super) release_name: Release,
    pub(super) acquire_cred: AcquireCred,
    pub(super) acquire_cred_from: Option<AcquireCredFrom>,
    pub(super) acquire_cred_with_password: Option<AcquireCredWithPassword>,
    pub(super) set_neg_mechs: Option<SetNegMechs>,
    pub(super) release_cred: Release,
    pub(super) init_sec_context: InitSecContext,
    pub(super) delete_sec_context: DeleteSecContext,
    pub(super) release_buffer: ReleaseBuffer,
    pub(super) display_status: DisplayStatus,
}

impl Gss {
    /// Loads the first library that is installed and has all required functions.
    pub(super) fn load() -> Option<Gss> {
        LIBRARIES.iter().find_map(|name| Gss::bind(name))
    }

    fn bind(name: &'static str) -> Option<Gss> {
        // SAFETY: loading runs the initializers of the library. It is the Kerberos library of the
        // system, loaded by its fixed name, and its initializers do not depend on this program.
        let library = unsafe { Library::new(name) }.ok()?;
        // SAFETY: each type matches the declaration in RFC 2744 and in the headers of the
        // libraries.
        let gss = unsafe {
            Gss {
                library: name,
                import_name: *library.get(b"gss_import_name\0").ok()?,
                release_name: *library.get(b"gss_release_name\0").ok()?,
                acquire_cred: *library.get(b"gss_acquire_cred\0").ok()?,
                acquire_cred_from: library.get(b"gss_acquire_cred_from\0").ok().map(|f| *f),
                acquire_cred_with_password: library
                    .get(b"gss_acquire_cred_with_password\0")
                    .ok()
                    .map(|f| *f),
                set_neg_mechs: library.get(b"gss_set_neg_mechs\0").ok().map(|f| *f),
                release_cred: *library.get(b"gss_release_cred\0").ok()?,
                init_sec_context: *library.get(b"gss_init_sec_context\0").ok()?,
                delete_sec_context: *library.get(b"gss_delete_sec_context\0").ok()?,
                release_buffer: *library.get(b"gss_release_buffer\0").ok()?,
                display_status: *library.get(b"gss_display_status\0").ok()?,
            }
        };
        // The library is never unloaded: the pointers above must stay valid, and the library runs
        // functions of its own when threads exit.
        std::mem::forget(library);
        Some(gss)
    }
}
