//! Files that only their owner can access: mode 0600. Links are not followed, and opening a pipe
//! does not wait.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

use crate::shell::quoted;

/// Opens or creates a file for appending.
pub(super) fn append(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().append(true).create(true), path)
}

/// Opens or creates a file for reading and writing.
pub(super) fn read_write(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true).write(true).create(true), path)
}

/// Opens a file for reading. A terminal does not become the controlling terminal.
pub(super) fn read(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Whether a file belongs to this user or to the system administrator.
pub(super) fn is_owned(_file: &File, metadata: &Metadata) -> io::Result<bool> {
    Ok([0, rustix::process::geteuid().as_raw()].contains(&metadata.uid()))
}

/// Whether users other than the owner can write to a file.
pub(super) fn is_writable_by_others(_file: &File, metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

/// Whether a file belongs to this user and nobody else can access it.
pub(super) fn is_private(_file: &File, metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0
}

/// Gives a new file the owner, if possible, the group and the mode of the file that it replaces. If
/// the file cannot have that group, no group gets access: the group of this user may have other
/// members.
pub(super) fn copy_access(from: &Metadata, to: &File) -> io::Result<()> {
    use std::os::unix::fs::fchown;
    let group = Some(from.gid());
    let has_group =
        fchown(to, Some(from.uid()), group).or_else(|_| fchown(to, None, group)).is_ok();
    let kept = if has_group { 0o7777 } else { 0o7707 };
    to.set_permissions(PermissionsExt::from_mode(from.mode() & kept))
}

/// Creates a file that does not exist.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create_new(true), path)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits() as i32).open(path)
}

/// Creates a directory that does not exist, with the mode 0700.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Creates a directory and its parents. New directories are accessible only to their owner.
///
/// # Errors
/// The errors of the operating system.
pub fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether other users can read or write a file.
pub fn is_shared(path: &Path) -> bool {
    mode(path) & 0o077 != 0 || other_owner(path).is_some()
}

/// The owner of a file or directory, if it is neither this user nor the system administrator. The
/// owner can change the file, whatever its mode is.
pub fn other_owner(path: &Path) -> Option<String> {
    let owner = path.metadata().ok()?.uid();
    let is_other = ![0, rustix::process::geteuid().as_raw()].contains(&owner);
    is_other.then(|| format!("the user with the ID {owner}"))
}

/// What to run so that a file or directory belongs to this user. Root may examine the files of the user
/// who runs the client, which must remain readable there.
pub fn own_command(path: &Path) -> String {
    let path = path.display().to_string();
    match rustix::process::geteuid().as_raw() {
        0 => format!("wif-token check as the user of the client, or chown 0 {}", quoted(&path)),
        user => format!("chown {user} {} as root", quoted(&path)),
    }
}

/// Who can write to a file or replace the files in a directory, besides the owner; `None` for
/// nobody. The sticky bit of a directory protects the files of other users. A group with the same
/// number as the owner is ignored, because by convention the owner is its only member.
pub fn writable_by_others(path: &Path) -> Option<&'static str> {
    let metadata = path.metadata().ok()?;
    match metadata.mode() {
        mode if mode & 0o1000 != 0 => None,
        mode if mode & 0o002 != 0 => Some("every user"),
        mode if mode & 0o020 != 0 && metadata.gid() != metadata.uid() => {
            Some("the group of the file")
        }
        _ => None,
    }
}

/// Whether a directory belongs to this user, and no other user can replace the files in it.
pub fn is_own_directory(path: &Path) -> bool {
    let owner = path.metadata().map(|directory| directory.uid());
    owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
        && writable_by_others(path).is_none()
}

/// The command that lets only the owner access a file or directory.
pub fn owner_only_command(path: &Path) -> String {
    let mode = if path.is_dir() { 700 } else { 600 };
    let command = format!("chmod {mode} {}", quoted(&path.display().to_string()));
    match other_owner(path) {
        Some(_) => format!("{}, and then {command}", own_command(path)),
        None => command,
    }
}

/// The command that lets only the owner write to a file or directory.
pub fn no_writers_command(path: &Path) -> String {
    format!("chmod go-w {}", quoted(&path.display().to_string()))
}

/// Whether every user can create files in a directory, as in `/tmp`.
pub fn is_shared_directory(path: &Path) -> bool {
    mode(path) & 0o002 != 0
}

/// Whether two paths lead to the same file, through links and hard links too.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino()));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether this user can execute a file.
pub fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Whether the file system of a file is mounted so that no program on it can be run.
pub fn is_on_noexec(path: &Path) -> bool {
    const NOEXEC: u64 = 8;
    let flags = rustix::fs::statvfs(path).map_or(0, |system| system.f_flag.bits());
    cfg!(target_os = "linux") && flags & NOEXEC != 0
}

/// Whether this user can write to a file, or create files in a directory.
pub fn may_write(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

/// The mode of the file at a path; 0 if it does not exist.
fn mode(path: &Path) -> u32 {
    path.metadata().map_or(0, |metadata| metadata.permissions().mode())
}
