//! Files for their owner alone: mode 0600. Links are not followed, and nothing waits for a pipe.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

/// Opens a file to append to it, or makes it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().append(true).create(true), path)
}

/// Opens a file to read and write, or makes it.
pub(super) fn read_write(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true).write(true).create(true), path)
}

/// Makes a file that is not there yet.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().write(true).create_new(true), path)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits() as i32).open(path)
}

/// Makes a folder, and those above it, for its owner alone.
///
/// # Errors
/// Those of the operating system.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether others than the owner may read or write a key or secret file.
pub fn is_shared(path: &Path) -> bool {
    mode(path) & 0o077 != 0
}

/// Who beside the owner may write a file, or replace what is in a folder: `None` for nobody. The
/// sticky bit of a folder protects what others put there. A group with the number of the owner has
/// that one member, by the custom of most distributions.
pub fn writable_by_others(path: &Path) -> Option<&'static str> {
    let metadata = path.metadata().ok()?;
    match metadata.mode() {
        mode if mode & 0o1000 != 0 => None,
        mode if mode & 0o002 != 0 => Some("everyone"),
        mode if mode & 0o020 != 0 && metadata.gid() != metadata.uid() => Some("the group"),
        _ => None,
    }
}

/// Whether everyone may make files in a folder, as in `/tmp`.
pub fn is_shared_folder(path: &Path) -> bool {
    mode(path) & 0o002 != 0
}

/// Whether a file may be run.
pub fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Whether this user may write a file or in a folder.
pub fn may_write(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
}

/// The mode of what a path leads to; 0 where there is nothing.
fn mode(path: &Path) -> u32 {
    path.metadata().map_or(0, |metadata| metadata.permissions().mode())
}
