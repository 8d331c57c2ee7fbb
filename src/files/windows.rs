//! Files that only their owner can access: they have an access control list that inherits nothing
//! from the directory and allows access to the user of this process and to SYSTEM. A file has this
//! list from its creation.
//! <https://learn.microsoft.com/windows/win32/secauthz/ace-strings>
#![allow(unsafe_code)] // calls into the operating system

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::FromRawHandle;
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_GENERIC_WRITE, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_DATA,
    OPEN_ALWAYS,
};

use super::sddl;
use super::security::{
    ADMINISTRATORS, Local, SYSTEM, access_list, access_list_of, owner, owner_only, user,
};

/// Opens or creates a file for appending.
pub(super) fn append(path: &Path) -> io::Result<File> {
    open(path, FILE_GENERIC_WRITE & !FILE_WRITE_DATA, OPEN_ALWAYS)
}

/// Opens or creates a file for reading and writing.
pub(super) fn read_write(path: &Path) -> io::Result<File> {
    open(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS)
}

/// Opens a file for reading. If the path is a link, opens the link itself.
pub(super) fn read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// Whether a file belongs to this user, to the administrators or to SYSTEM.
pub(super) fn is_owned(file: &File, _metadata: &Metadata) -> io::Result<bool> {
    let owner = owner(file)?;
    Ok(owner == user()? || [ADMINISTRATORS, SYSTEM].contains(&owner.as_str()))
}

/// Whether a group of all users can write to a file.
pub(super) fn is_writable_by_others(file: &File, _metadata: &Metadata) -> bool {
    is_open_to_others(file, sddl::WRITING)
}

/// Whether a file belongs to this user, to the administrators or to SYSTEM, and no group of all
/// users can access it.
pub(super) fn is_private(file: &File, metadata: &Metadata) -> bool {
    is_owned(file, metadata).unwrap_or(false)
        && !is_open_to_others(file, sddl::READING | sddl::WRITING)
}

/// Whether a group of all users has one of these rights, or the list cannot be read.
fn is_open_to_others(file: &File, rights: u32) -> bool {
    access_list_of(file).map_or(true, |list| !sddl::groups_with(&list, rights).is_empty())
}

/// Does nothing, because the new file already has an access control list from its creation.
pub(super) fn copy_access(_from: &Metadata, _to: &File) -> io::Result<()> {
    Ok(())
}

/// Creates a file that does not exist.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    open(path, GENERIC_WRITE, CREATE_NEW)
}

/// Creates a directory and its parents, with the permissions that they inherit.
///
/// # Errors
/// The errors of the operating system.
pub fn private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Whether other users can read or write a file.
pub fn is_shared(path: &Path) -> bool {
    !groups_with(path, sddl::READING | sddl::WRITING).is_empty()
}

/// The owner is not examined: programs usually belong to an account of the system or of an installer.
pub fn other_owner(_path: &Path) -> Option<String> {
    None
}

/// The command that makes this user the owner of a file or directory.
pub fn own_command(path: &Path) -> String {
    format!("takeown /f \"{}\"", path.display())
}

/// Who can write to a file or replace the files in a directory, besides the owner and
/// administrators; `None` for nobody. Only groups of all users are examined.
pub fn writable_by_others(path: &Path) -> Option<&'static str> {
    groups_with(path, writing(path)).first().map(|(_, _, name)| *name)
}

/// Whether a directory is one in which no group of all users can replace files. The directory for
/// application data inherits the access control list of the user's profile, so its owner is not
/// examined.
pub fn is_own_directory(path: &Path) -> bool {
    path.is_dir() && writable_by_others(path).is_none()
}

/// Whether every user can create files in a directory.
pub fn is_shared_directory(path: &Path) -> bool {
    !groups_with(path, sddl::CREATING).is_empty()
}

/// The command that lets only this user and SYSTEM access a file or directory.
pub fn owner_only_command(path: &Path) -> String {
    let user = user().map_or_else(|_| "%USERNAME%".to_owned(), |user| format!("*{user}"));
    let groups: Vec<String> = sddl::GROUPS.iter().map(|(_, sid, _)| format!("*{sid}")).collect();
    let inherit = if path.is_dir() { "(OI)(CI)" } else { "" };
    format!(
        "icacls \"{}\" /inheritance:r /remove:g {} /grant:r \"{user}:{inherit}F\" \
         \"*S-1-5-18:{inherit}F\"",
        path.display(),
        groups.join(" ")
    )
}

/// The command that lets groups of all users only read a file or directory to which they can write.
pub fn no_writers_command(path: &Path) -> String {
    let inherit = if path.is_dir() { "(OI)(CI)" } else { "" };
    let groups: Vec<String> = groups_with(path, writing(path))
        .into_iter()
        .map(|(_, sid, _)| format!("\"*{sid}:{inherit}RX\""))
        .collect();
    format!("icacls \"{}\" /inheritance:d /grant:r {}", path.display(), groups.join(" "))
}

fn writing(path: &Path) -> u32 {
    if path.is_dir() { sddl::REPLACING } else { sddl::WRITING }
}

/// The groups of all users that have one of these rights; none if the list cannot be read.
fn groups_with(path: &Path, rights: u32) -> Vec<&'static sddl::Group> {
    access_list(path).map_or_else(|_| Vec::new(), |list| sddl::groups_with(&list, rights))
}

/// Whether two paths lead to the same file, through links too.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize();
    matches!((canonical(one), canonical(other)), (Ok(one), Ok(other)) if one == other)
}

/// Does not check whether a file can be executed.
pub fn is_executable(_path: &Path) -> bool {
    true
}

/// Does not check whether the file system of a file allows programs.
pub fn is_on_noexec(_path: &Path) -> bool {
    false
}

/// Whether this user can write to a file, or create files in a directory.
pub fn may_write(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// Creates a directory that does not exist. Only this user and SYSTEM can access the directory and
/// its content.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let name = name(path)?;
    let descriptor = owner_only("OICI")?;
    let attributes = attributes(&descriptor);
    // SAFETY: the name is NUL-terminated. Name, attributes and descriptor outlive the call.
    match unsafe { CreateDirectoryW(name.as_ptr(), &attributes) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn open(path: &Path, access: u32, disposition: u32) -> io::Result<File> {
    let name = name(path)?;
    let descriptor = owner_only("")?;
    let attributes = attributes(&descriptor);
    // SAFETY: the name is NUL-terminated. Name, attributes and descriptor outlive the call.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            access,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &attributes,
            disposition,
            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT,
            null_mut(),
        )
    };
    match handle == INVALID_HANDLE_VALUE {
        true => Err(io::Error::last_os_error()),
        // SAFETY: the handle was just opened for a file, and nothing else closes it.
        false => Ok(unsafe { File::from_raw_handle(handle) }),
    }
}

/// Converts a path to a NUL-terminated name.
fn name(path: &Path) -> io::Result<Vec<u16>> {
    let mut name: Vec<u16> = path.as_os_str().encode_wide().collect();
    if name.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the file name contains a null character",
        ));
    }
    name.push(0);
    Ok(name)
}

/// The attributes of a new file with this descriptor, which must outlive them.
fn attributes(descriptor: &Local) -> SECURITY_ATTRIBUTES {
    SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: descriptor.as_ptr(),
        bInheritHandle: 0,
    }
}
