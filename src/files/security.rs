//! The owner and the access control list of a file, and the user of a process, as Windows states
//! them.
//! <https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format>
#![allow(unsafe_code)] // calls into the operating system

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::{null_mut, slice_from_raw_parts};

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, TOKEN_QUERY,
    TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, READ_CONTROL};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

/// The security identifier of the owner of a file.
pub(super) fn owner(file: &File) -> io::Result<String> {
    let (mut owner, mut descriptor) = (null_mut(), null_mut());
    // SAFETY: the handle is open, and both pointers can store the results that are requested.
    let status = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        )
    };
    succeeded(status)?;
    let _descriptor = Local(descriptor);
    // SAFETY: the identifier is part of the descriptor, which is valid until it is dropped.
    unsafe { text_of(owner) }
}

/// The access control list of a file or directory, as text.
pub(super) fn access_list(path: &Path) -> io::Result<String> {
    // Without this flag, a directory cannot be opened.
    let mut options = OpenOptions::new();
    options.access_mode(READ_CONTROL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    access_list_of(&options.open(path)?)
}

/// The access control list of an open file, as text.
pub(super) fn access_list_of(file: &File) -> io::Result<String> {
    let mut descriptor = null_mut();
    // SAFETY: the handle is open, and `descriptor` can store the result.
    let status = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        )
    };
    succeeded(status)?;
    as_text(&Local(descriptor))
}

fn as_text(descriptor: &Local) -> io::Result<String> {
    let mut text = null_mut();
    // SAFETY: the descriptor is valid, `text` can store a pointer, and no length is requested.
    let made = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &mut text,
            null_mut(),
        )
    };
    match made {
        0 => Err(io::Error::last_os_error()),
        // SAFETY: the system has just allocated this text, which is NUL-terminated.
        _ => Ok(unsafe { owned(text) }),
    }
}

/// Converts the result of a function that returns an error code.
fn succeeded(status: u32) -> io::Result<()> {
    match status {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code as i32)),
    }
}

/// A security descriptor that inherits nothing and allows full access to the user and to SYSTEM.
/// With the flags `OICI`, what is created in a directory inherits the descriptor.
pub(super) fn owner_only(flags: &str) -> io::Result<Local> {
    let user = user()?;
    let text = format!("D:P(A;{flags};FA;;;{user})(A;{flags};FA;;;SY)");
    let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let mut descriptor = null_mut();
    // SAFETY: the text is NUL-terminated, `descriptor` can store a pointer, and no length is
    // requested.
    let made = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &mut descriptor,
            null_mut(),
        )
    };
    match made {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(Local(descriptor)),
    }
}

/// The security identifier of SYSTEM, which can do everything on a host.
pub const SYSTEM: &str = "S-1-5-18";

/// The security identifier of the group of administrators.
pub(super) const ADMINISTRATORS: &str = "S-1-5-32-544";

/// The security identifier of the user of this process, such as `S-1-5-21-…`.
///
/// # Errors
/// The errors of the operating system.
pub fn user() -> io::Result<String> {
    // SAFETY: the pseudo handle of this process is always valid.
    unsafe { user_of(GetCurrentProcess()) }
}

/// The security identifier of the user of another process.
///
/// # Errors
/// The errors of the operating system, for example because this user has no access to that process.
pub fn user_of_process(id: u32) -> io::Result<String> {
    // SAFETY: the call gets no pointers.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, id) };
    if process.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just opened, and nothing else closes it.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: the handle is open.
    unsafe { user_of(process.as_raw_handle()) }
}

/// The security identifier of the user of a process.
///
/// # Safety
/// `process` is an open handle or the pseudo handle of a process.
unsafe fn user_of(process: HANDLE) -> io::Result<String> {
    let mut token = null_mut();
    // SAFETY: the handle is valid, and `token` can store a handle.
    if unsafe { OpenProcessToken(process, TOKEN_QUERY, &mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just opened, and nothing else closes it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // The buffer is aligned and larger than the structure with the longest identifier (84 bytes).
    let mut buffer = [0_u64; 16];
    let (room, mut length) = (size_of_val(&buffer) as u32, 0);
    // SAFETY: `room` is the length of the buffer, and both outlive the call.
    let known = unsafe {
        let buffer = buffer.as_mut_ptr().cast();
        GetTokenInformation(token.as_raw_handle(), TokenUser, buffer, room, &mut length)
    };
    if known == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has filled the buffer with this structure and its identifier.
    unsafe { text_of((*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid) }
}

/// A security identifier as text.
///
/// # Safety
/// `sid` points to a valid security identifier.
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = null_mut();
    // SAFETY: the identifier is valid, and `text` can store a pointer.
    if unsafe { ConvertSidToStringSidW(sid, &mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just allocated this text, which is NUL-terminated.
    Ok(unsafe { owned(text) })
}

/// Converts a text that the system allocated, and frees it.
///
/// # Safety
/// `text` is NUL-terminated, the system allocated it for `LocalFree`, and nothing else frees it.
unsafe fn owned(text: *mut u16) -> String {
    let _text = Local(text.cast());
    // SAFETY: the text is NUL-terminated and valid until `_text` is dropped.
    let units = unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        &*slice_from_raw_parts(text, length)
    };
    String::from_utf16_lossy(units)
}

/// Memory that the system allocated and `LocalFree` frees.
pub(super) struct Local(*mut c_void);

impl Local {
    pub(super) fn as_ptr(&self) -> *mut c_void {
        self.0
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the system allocated the memory for `LocalFree`, and it is freed only here.
        unsafe { LocalFree(self.0) };
    }
}
