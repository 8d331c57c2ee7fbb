//! Which files this program may trust, lock, replace and remove.
//!
//! A path may name anything: a device, a link that somebody planted, or another file of the user.
//! Every decision is made here, on the open file and not on its path:
//!
//! - A file is read as a cache, or used as a lock, only if it is a regular file that belongs to this
//!   user or to the system administrator, and that no other user can write to.
//! - A file is replaced or removed only if it is a regular file that has no content of value, or
//!   whose content the caller recognizes as its own.
//!
//! Links are not followed.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{private, read_limited};
use crate::{shell, show};

/// The largest file whose content is examined, in bytes. A token of 1 MiB in base64 fits.
pub const LIMIT: usize = 2 * super::LIMIT;

/// How many more bytes are read while they are white space or NUL characters.
const MOST_BLANKS: u64 = 64 * 1024 * 1024;

/// Why a file is not used.
#[derive(Debug)]
pub enum Refusal {
    /// The operating system refuses.
    Io(io::Error),
    /// It is not a regular file, but of this type.
    NotRegular(&'static str),
    /// It belongs to another user.
    OtherOwner,
    /// Other users can write to it.
    WritableByOthers,
    /// Its content was not written by this program.
    OtherContent,
    /// Its content could be that of this program, but other users can access it.
    NotPrivate,
    /// It cannot be created, because this directory does not exist.
    NoDirectory(PathBuf),
}

impl Refusal {
    /// Explains why a file could not be opened or created.
    pub fn of(path: &Path, error: io::Error) -> Refusal {
        let directory = super::directory(path);
        match error.kind() == io::ErrorKind::NotFound && !directory.is_dir() {
            true => Refusal::NoDirectory(directory.to_owned()),
            false => Refusal::Io(error),
        }
    }

    /// What to do about the file at `path`, which the setting `place` names.
    pub fn fix(&self, path: &Path, place: &str) -> String {
        match self {
            Refusal::Io(_) => format!("check {place}"),
            Refusal::NotRegular(_) => format!("set {place} to the path of a regular file"),
            Refusal::OtherOwner => {
                format!("set {place} to a path in a directory that only this user can write to")
            }
            Refusal::WritableByOthers => format!("run {}", private::no_writers_command(path)),
            Refusal::OtherContent => {
                let shown = path.display().to_string();
                let shown = shell::quoted(&shown);
                format!("set {place} to another path, or remove {shown} if nothing needs it")
            }
            Refusal::NotPrivate => {
                let shown = path.display().to_string();
                format!("remove {} (the next run creates it for this user)", shell::quoted(&shown))
            }
            Refusal::NoDirectory(directory) => {
                let directory = directory.display().to_string();
                if let Some((expanded, _)) = shell::expansion(&directory) {
                    return format!(
                        "set {place} to the absolute path: only a shell expands {expanded}"
                    );
                }
                let directory = shell::quoted(&directory);
                format!("run mkdir -m 700 -p {directory}, or set {place} to another path")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Io(error) => error.fmt(f),
            Refusal::NotRegular(what) => write!(f, "it is {what}, not a regular file"),
            Refusal::OtherOwner => f.write_str("it belongs to another user"),
            Refusal::WritableByOthers => f.write_str("other users can write to it"),
            Refusal::OtherContent => {
                f.write_str("it has unexpected content, so it is left unchanged")
            }
            Refusal::NotPrivate => {
                f.write_str("other users can access it, so it is left unchanged")
            }
            Refusal::NoDirectory(directory) => {
                write!(f, "the directory {} does not exist", show::path(directory))
            }
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Io(error)
    }
}

/// The content of a file that is to be replaced or removed.
#[derive(Debug)]
pub struct Existing<'a> {
    /// The content, without a byte order mark, and without NUL characters and white space at its
    /// ends. At most [`LIMIT`] bytes.
    pub content: &'a [u8],
    /// The same with everything at its ends.
    pub whole: &'a [u8],
    /// Whether the file belongs to this user and nobody else can access it, as with all files that
    /// this program writes.
    pub is_private: bool,
}

/// Reads a file, which must belong to this user or to the system administrator, and to which no
/// other user may have write access; `None` if it does not exist.
///
/// # Errors
/// Why the file is not trusted.
pub fn read_trusted(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    let Some(file) = open(path)? else { return Ok(None) };
    require_trusted(&file, &file.metadata()?)?;
    let bytes = read_limited(file, LIMIT)?;
    let bytes = bytes.ok_or_else(|| io::Error::other("it is larger than 2 MiB"))?;
    Ok(Some(Zeroizing::new(bytes)))
}

/// Opens or creates a lock file for reading and writing. The content is not changed.
///
/// # Errors
/// Why the file is not used as a lock.
pub fn open_lock(path: &Path) -> Result<File, Refusal> {
    let _waiting = super::Waiting::new(path);
    let file = private::read_write(path).map_err(|error| refusal(path, error))?;
    let metadata = file.metadata()?;
    require_regular(&metadata)?;
    require_trusted(&file, &metadata)?;
    Ok(file)
}

/// Checks that the file at `path` may be replaced or removed: it does not exist, has no content but
/// white space and NUL characters, or `is_ours` recognizes its content.
///
/// # Errors
/// Why the file must be left unchanged.
pub fn require_replaceable(
    path: &Path,
    is_ours: impl Fn(&Existing<'_>) -> bool,
) -> Result<(), Refusal> {
    let Some(file) = open(path)? else { return Ok(()) };
    let is_private = private::is_private(&file, &file.metadata()?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    (&file).take(LIMIT as u64).read_to_end(&mut bytes)?;
    let content = trimmed(&bytes);
    let is_blank = content.is_empty() && is_blank_to_the_end(file)?;
    let is_ours = |is_private| is_ours(&Existing { content, whole: &bytes, is_private });
    match is_blank || is_ours(is_private) {
        true => Ok(()),
        false if is_ours(true) => Err(Refusal::NotPrivate),
        false => Err(Refusal::OtherContent),
    }
}

/// Checks that lines may be appended to the file at `path`: it does not exist, or it is trusted and
/// `is_ours` recognizes its beginning, if it has any content.
///
/// # Errors
/// Why the file must be left unchanged.
pub fn require_appendable(path: &Path, is_ours: impl Fn(&[u8]) -> bool) -> Result<(), Refusal> {
    let Some(file) = open(path)? else { return Ok(()) };
    require_trusted(&file, &file.metadata()?)?;
    let mut beginning = [0; 64];
    let length = (&file).read(&mut beginning)?;
    match beginning.get(..length) {
        Some(beginning) if !beginning.is_empty() && !is_ours(beginning) => {
            Err(Refusal::OtherContent)
        }
        _ => Ok(()),
    }
}

/// Whether the rest of a file, which may be large, contains nothing but white space and NUL
/// characters.
fn is_blank_to_the_end(file: File) -> io::Result<bool> {
    let mut rest = file.take(MOST_BLANKS);
    let mut chunk = [0; 16 * 1024];
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(rest.limit() > 0),
            length if is_blank(chunk.get(..length).unwrap_or_default()) => {}
            _ => return Ok(false),
        }
    }
}

/// Whether a file contains nothing but white space and NUL characters.
pub fn is_blank(bytes: &[u8]) -> bool {
    trimmed(bytes).is_empty()
}

/// The content without a byte order mark, and without white space and NUL characters at its ends. A
/// file system may fill a file with NUL characters after a crash.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_filler = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b);
    let start = bytes.iter().position(|byte| !is_filler(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_filler(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// Opens a regular file for reading, without following a link and without waiting for a pipe;
/// `None` if it does not exist.
fn open(path: &Path) -> Result<Option<File>, Refusal> {
    if names_a_directory(path) {
        return Err(Refusal::NotRegular("a directory"));
    }
    let file = match private::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| refusal(path, error))?,
    };
    require_regular(&file.metadata()?)?;
    Ok(Some(file))
}

/// Whether a path ends with a separator, so that no regular file can have it.
pub(super) fn names_a_directory(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&byte| std::path::is_separator(char::from(byte)))
}

/// The reason why a file could not be opened. Not every platform has a separate error code for a
/// link, a socket or a directory.
fn refusal(path: &Path, error: io::Error) -> Refusal {
    match path.symlink_metadata().map(|metadata| require_regular(&metadata)) {
        Ok(Err(refusal)) => refusal,
        _ => Refusal::of(path, error),
    }
}

fn require_regular(metadata: &Metadata) -> Result<(), Refusal> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_symlink() => Err(Refusal::NotRegular("a link")),
        () if kind.is_dir() => Err(Refusal::NotRegular("a directory")),
        () if kind.is_file() => Ok(()),
        () => Err(Refusal::NotRegular("a device, pipe or socket")),
    }
}

fn require_trusted(file: &File, metadata: &Metadata) -> Result<(), Refusal> {
    if !private::is_owned(file, metadata)? {
        return Err(Refusal::OtherOwner);
    }
    match private::is_writable_by_others(file, metadata) {
        true => Err(Refusal::WritableByOthers),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // the files of other programs are not written through src/files
mod tests {
    use super::*;

    fn is_ours(existing: &Existing<'_>) -> bool {
        existing.content.starts_with(b"ours")
    }

    #[test]
    fn only_blank_or_recognized_content_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        require_replaceable(&path, is_ours).unwrap();
        let long = vec![b' '; 2 * LIMIT];
        let other = [&long[..], b"x"].concat();
        for (content, replaced) in [
            (&b""[..], true),
            (b" \r\n\t", true),
            (b"\0\0\0", true),
            (b"\xef\xbb\xbf", true),
            (b"ours", true),
            (b"\xef\xbb\xbf\n ours\0", true),
            (b"theirs", false),
            (b"0", false),
            (&long, true),
            (&other, false),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(require_replaceable(&path, is_ours).is_ok(), replaced, "{content:?}");
        }
    }

    #[test]
    fn directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("new/")] {
            let refused = require_replaceable(&path, |_| true).unwrap_err();
            assert!(matches!(refused, Refusal::NotRegular("a directory")), "{refused}");
            assert!(read_trusted(&path).is_err());
        }
        assert!(open_lock(dir.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_devices_pipes_and_sockets_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(at("nothing"), at("broken link")).unwrap();
        std::fs::write(at("file"), "ours").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        for name in ["broken link", "link", "socket", "pipe", "/dev/null"] {
            let refused = require_replaceable(&at(name), |_| true).unwrap_err();
            assert!(matches!(refused, Refusal::NotRegular(_)), "{name}: {refused}");
            assert!(matches!(read_trusted(&at(name)), Err(Refusal::NotRegular(_))), "{name}");
            assert!(matches!(open_lock(&at(name)), Err(Refusal::NotRegular(_))), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_to_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "ours").unwrap();
        for (mode, trusted) in
            [(0o600, true), (0o644, true), (0o400, true), (0o620, false), (0o602, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_trusted(&path).is_ok(), trusted, "{mode:o}");
            assert!(require_replaceable(&path, is_ours).is_ok(), "{mode:o}");
        }
    }
}
