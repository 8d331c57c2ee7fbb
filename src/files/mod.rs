//! Reads files with a size limit, and writes whole files that only their owner can access.
//!
//! A new file has the mode 0600. On Windows it has an access control list that inherits nothing and
//! contains only the user and SYSTEM. The file has these permissions from its creation.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod private;

pub mod ownership;
mod pinned;
mod replace;
#[cfg(any(windows, test))]
mod sddl;
#[cfg(windows)]
mod security;
mod seen;
mod temporary;
mod waiting;

pub use self::private::{
    is_executable, is_on_noexec, is_own_directory, is_same, is_shared, is_shared_directory,
    may_write, no_writers_command, other_owner, own_command, owner_only_command, private_directory,
    writable_by_others,
};
pub use self::replace::{
    create_new, leftovers, publish, remove, remove_leftovers, replace, update,
};
#[cfg(windows)]
pub use self::security::{SYSTEM, user, user_of_process};
pub use self::seen::{
    forget_seen, has_seen_all, note, note_in_state, note_stored, note_unknown, seen, state,
};
pub use self::temporary::TemporaryDirectory;
pub use self::waiting::{STDIN, Waiting, before_the_first_wait, blaming_file, may_wait};

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::ownership::Refusal;
use crate::error::{Error, Kind};
use crate::formats;
use crate::secret::Secret;
use crate::shell;
use crate::show;

/// The largest file, response or program output that is read, in bytes.
pub const LIMIT: usize = 1024 * 1024;

/// The beginning of a PEM block.
const PEM: &[u8] = b"-----BEGIN ";

/// The fix if the operating system refuses to open one more file or socket.
pub const MORE_FILES: &str = if cfg!(windows) {
    "close programs that hold many open handles, or restart this host"
} else {
    "raise the limit on open files (ulimit -n)"
};

/// The absolute form of a path, which need not exist.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether a path names standard output.
pub fn is_stdout(path: &Path) -> bool {
    [Path::new("-"), Path::new("/dev/stdout")].contains(&path)
}

/// Whether there is a file at a path.
pub fn exists(path: &Path) -> bool {
    let _waiting = Waiting::new(path);
    seen::note(path);
    path.exists()
}

/// Reads everything from a reader; `None` if there are more than `limit` bytes.
pub fn read_limited(reader: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    reader.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Reads a text file that an option names: at most [`LIMIT`] bytes of UTF-8, without a byte order
/// mark. The text around PEM blocks may have another encoding. `missing` is the kind of error for a
/// file that does not exist.
///
/// # Errors
/// `missing` if the file does not exist, `CONFIGURATION` if it is unreadable, too large or not
/// UTF-8.
pub fn read_text(path: &Path, option: &str, missing: Kind) -> Result<Secret, Error> {
    text(path, |path| File::open(path), option, missing)
}

/// Whether a file begins with a byte order mark, which [`read_text`] skips and other programs do not.
pub fn has_byte_order_mark(path: &Path) -> bool {
    let mut start = [0; 3];
    let read = open_regular(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"\xef\xbb\xbf"
}

/// Reads a text file like [`read_text`], but only a regular file. It is used before the deadline is
/// set, when a pipe could make the run wait forever.
///
/// # Errors
/// The errors of [`read_text`].
pub fn read_regular(path: &Path, option: &str) -> Result<Secret, Error> {
    text(path, open_regular, option, Kind::Configuration)
}

/// Reads a file that an option names: at most [`LIMIT`] bytes.
///
/// # Errors
/// `CONFIGURATION` if the file does not exist, is unreadable or too large.
pub fn read_bytes(path: &Path, option: &str) -> Result<Vec<u8>, Error> {
    bytes(path, |path| File::open(path), option, Kind::Configuration)
}

fn text(
    path: &Path,
    open: fn(&Path) -> io::Result<File>,
    option: &str,
    missing: Kind,
) -> Result<Secret, Error> {
    let bytes = Zeroizing::new(bytes(path, open, option, missing)?);
    let text = match str::from_utf8(&bytes) {
        Ok(text) => Secret::new(text),
        // Data outside PEM blocks is permitted and ignored (RFC 7468, section 2).
        Err(_) if bytes.windows(PEM.len()).any(|part| part == PEM) => {
            Secret::new(String::from_utf8_lossy(&bytes))
        }
        Err(_) => {
            let (what, fix) = formats::other_text(&bytes);
            let file = shell::quoted(&path.to_string_lossy()).into_owned();
            return Err(Error::new(Kind::Configuration, format!("{} {what}", path.display()))
                .fix(formats::filled(fix, &file, option)));
        }
    };
    Ok(text.expose().strip_prefix('\u{feff}').map(Secret::new).unwrap_or(text))
}

fn bytes(
    path: &Path,
    open: fn(&Path) -> io::Result<File>,
    option: &str,
    missing: Kind,
) -> Result<Vec<u8>, Error> {
    let shown = path.display();
    let check = format!("check {option}");
    let _waiting = Waiting::new(path);
    seen::note(path);
    let bytes = open(path).and_then(|file| read_limited(file, LIMIT)).map_err(|error| {
        if let Some(error) = not_a_path(path.as_os_str(), option) {
            return error;
        }
        let failure = |kind, what| Error::new(kind, what).fix(check.clone());
        match error.kind() {
            io::ErrorKind::NotFound => {
                let absent = failure(missing, format!("{shown} does not exist"));
                match mistaken_path(&shown.to_string(), option) {
                    Some((cause, fix)) => absent.cause(cause).fix(fix),
                    None => absent,
                }
            }
            io::ErrorKind::PermissionDenied => {
                failure(Kind::Configuration, format!("this user cannot read {shown}"))
                    .fix(format!("allow this user to read the file, or {check}"))
            }
            io::ErrorKind::IsADirectory => {
                failure(Kind::Configuration, format!("{shown} is a directory"))
            }
            _ => failure(Kind::Configuration, format!("cannot read {shown}")).cause(error),
        }
    })?;
    bytes.ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{shown} is larger than 1 MiB")).fix(check)
    })
}

/// Explains why a value of `option` is not the path of a file on this host, with the fix.
pub fn mistaken_path(value: &str, option: &str) -> Option<(String, String)> {
    let path = Path::new(value);
    if path.is_symlink() && !path.exists() {
        let what = "it is a link to a file that does not exist".to_owned();
        return Some((what, format!("restore the target of the link, or check {option}")));
    }
    if value.trim() != value {
        let what = "the path begins or ends with a space".to_owned();
        return Some((what, format!("remove the space from {option}")));
    }
    if let Some((_, path)) = value.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        let fix = match value.strip_prefix("file://") {
            Some(_) if path.starts_with('/') => format!("set {option} to {path}"),
            _ => format!("set {option} to the path of a file"),
        };
        return Some(("it is a URL, not a path".to_owned(), fix));
    }
    if let Some(system) = another_system(value) {
        let fix = format!("set {option} to a path on this host");
        return Some((format!("it is a {system} path, but this host does not run {system}"), fix));
    }
    if value.starts_with(['"', '\'']) {
        let fix = format!("write the path in {option} without quotes");
        return Some(("the quotes are part of this path".to_owned(), fix));
    }
    if value.contains(" --") {
        let fix = "in an arguments file, write each option on a separate line".to_owned();
        return Some(("the value contains another option".to_owned(), fix));
    }
    let (text, _) = shell::expansion(value)?;
    Some((format!("only a shell expands {text}"), format!("set {option} to the absolute path")))
}

fn is_scheme(text: &str) -> bool {
    matches!(text, "file" | "http" | "https")
}

/// The operating system whose paths look like `path`, Unix or Windows, if this host runs the other
/// one.
pub fn another_system(path: &str) -> Option<&'static str> {
    let mut start = path.chars();
    let drive = matches!((start.next(), start.next(), start.next()),
        (Some(letter), Some(':'), Some('/' | '\\')) if letter.is_ascii_alphabetic());
    let windows = drive || path.starts_with(r"\\");
    match cfg!(windows) {
        true => path.starts_with('/').then_some("Unix"),
        false => windows.then_some("Windows"),
    }
}

/// The error for a value of `option` that may be the content of a file and not its path.
pub fn not_a_path(value: &OsStr, option: &str) -> Option<Error> {
    let what = show::looks_like(&value.to_string_lossy())?;
    let error = Error::new(Kind::Configuration, format!("{option} is not the path of a file"));
    let content = match what {
        show::Content::Base64Json => "the decoded content",
        _ => "this content",
    };
    Some(
        error
            .cause(format!("the value looks like {what}"))
            .fix(format!("set {option} to the path of a file with {content}")),
    )
}

/// Opens a file for appending. The file must be new or empty, or `is_ours` must recognize its
/// beginning. A new file is accessible only to its owner. An existing one must belong to this user
/// or to the system administrator, and on Unix no other user may write to it; links are not
/// followed.
///
/// # Errors
/// Why the file is not used.
pub fn open_to_append(path: &Path, is_ours: impl Fn(&[u8]) -> bool) -> Result<File, Refusal> {
    let _waiting = Waiting::new(path);
    ownership::require_appendable(path, is_ours)?;
    Ok(regular(private::append(path).map_err(|error| Refusal::of(path, error))?)?)
}

/// Opens a regular file for reading. A pipe or device is an error, so that the run does not wait.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits() as i32,
    );
    let _waiting = Waiting::new(path);
    regular(options.open(path)?)
}

/// Opens a regular file for reading like [`open_regular`]. A link is an error too.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    match path.symlink_metadata()?.is_symlink() {
        true => Err(io::Error::other("it is a link")),
        false => open_regular(path),
    }
}

fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Makes a write beyond the limit of `ulimit -f` fail. Otherwise a signal would kill this process,
/// and Node clients fail if a signal kills their child process.
#[cfg(unix)]
pub fn survive_size_limit() {
    let noticed = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, noticed);
}

/// Does nothing, because this platform has no such limit.
#[cfg(not(unix))]
pub fn survive_size_limit() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_limit() {
        assert_eq!(read_limited(&b"12345"[..], 5).unwrap().unwrap(), b"12345");
        assert_eq!(read_limited(&b"123456"[..], 5).unwrap(), None);
    }
}
