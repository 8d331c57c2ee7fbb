//! The file of a Unix socket at which this process listens.
//!
//! A file at which no process listens any more is replaced. A server creates its file shortly
//! before it listens, so servers that start at the same time take turns: each holds a lock on the
//! directory until it listens.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};

use crate::error::{Error, Kind};
use crate::show;
use crate::world::Deadline;

/// The maximum number of connections that wait in the kernel to be accepted.
pub(super) const BACKLOG: i32 = 1024;

/// How long to wait for another server that starts. Any program can hold the lock of a directory that it can
/// read, so the server starts without the lock after that.
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// The pause between two attempts.
const POLL: Duration = Duration::from_millis(5);

/// The file of a socket, with its device and inode. The file is removed when this value is dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf, (u64, u64));

impl SocketFile {
    /// Listens on a Unix socket to which only its owner can connect.
    ///
    /// # Errors
    /// `CONFIGURATION` if another process listens there, or the file cannot be created.
    pub(super) fn bind(path: &Path) -> Result<(OwnedFd, SocketFile), Error> {
        let shown = show::path(path);
        let _turn = turn(path);
        remove_leftover(path, &shown)?;
        let open = || -> io::Result<(OwnedFd, SocketFile)> {
            let socket = stream(AddressFamily::UNIX)?;
            bind(&socket, &SocketAddrUnix::new(path)?)?;
            // Nobody can connect before the socket listens.
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
            listen(&socket, BACKLOG)?;
            let file = path.symlink_metadata()?;
            Ok((socket, SocketFile(path.to_owned(), (file.dev(), file.ino()))))
        };
        let fix = "set --listen to a path in a directory that this user can write to";
        open().map_err(|error| failed(&shown, &error, fix))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let SocketFile(path, made) = self;
        if path.symlink_metadata().is_ok_and(|file| (file.dev(), file.ino()) == *made) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Opens a stream socket that other programs do not inherit. macOS has no flag for this.
pub(super) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = socket(family, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    Ok(socket)
}

/// Locks the directory of `path`; `None` if it cannot be locked in time.
fn turn(path: &Path) -> Option<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // The flag refuses a pipe, so that the open does not wait for a writer.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::DIRECTORY.bits() as i32);
    let directory = options.open(parent.unwrap_or(Path::new("."))).ok()?;
    let end = Deadline::after(LONGEST_TURN);
    while let Err(error) = fs2::FileExt::try_lock_exclusive(&directory) {
        if error.kind() != io::ErrorKind::WouldBlock || end.until_end().is_zero() {
            return None;
        }
        thread::sleep(POLL);
    }
    Some(directory)
}

/// Removes a socket file at which no process listens.
fn remove_leftover(path: &Path, shown: &str) -> Result<(), Error> {
    let Ok(existing) = path.symlink_metadata() else { return Ok(()) };
    if !existing.file_type().is_socket() {
        let what = format!("{shown} exists and is not a socket");
        return Err(Error::new(Kind::Configuration, what).fix("set --listen to another path"));
    }
    match knock(path) {
        Err(Errno::CONNREFUSED) => {
            let fix = "remove the socket file, or set --listen to another path";
            std::fs::remove_file(path).map_err(|error| failed(shown, &error, fix))
        }
        _ => {
            let what = format!("another process listens on {shown}");
            Err(Error::new(Kind::Configuration, what)
                .fix("stop that process, or set --listen to another path"))
        }
    }
}

/// Connects to a socket. Fails instead of waiting if too many connections wait there already.
fn knock(path: &Path) -> Result<(), Errno> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    ioctl_fionbio(&socket, true)?;
    connect(&socket, &SocketAddrUnix::new(path)?)
}

/// The error for an address at which this process cannot listen.
pub(super) fn failed(shown: &str, error: &io::Error, fix: &str) -> Error {
    Error::new(Kind::Configuration, format!("cannot listen on {shown}")).cause(error).fix(fix)
}
