//! Reads files with a size limit, and creates files that only their owner can access.
//!
//! A new file has the mode 0600. On Windows it has an access control list that inherits nothing and
//! contains only the user and SYSTEM. The file has these permissions from its creation.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod private;
mod waiting;

pub use waiting::{Waiting, waiting_for};

pub mod ownership;

pub use private::{
    is_executable, is_same, is_shared, is_shared_directory, may_write, private_directory,
    writable_by_others,
};

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use self::ownership::{Existing, Refusal};
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::show;

/// The largest file, response or program output that is read, in bytes.
pub const LIMIT: usize = 1024 * 1024;

/// The absolute form of a path, which does not have to exist.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a path names standard output.
pub fn is_stdout(path: &Path) -> bool {
    [Path::new("-"), Path::new("/dev/stdout")].contains(&path)
}

/// Whether there is a file at a path.
pub fn exists(path: &Path) -> bool {
    let _waiting = Waiting::new(path);
    path.exists()
}

/// Reads everything from a reader; `None` if there are more than `limit` bytes.
pub fn read_limited(reader: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    reader.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Reads a text file that an option names: at most [`LIMIT`] bytes of UTF-8, without a byte order
/// mark. `missing` is the kind of error for a file that does not exist.
///
/// # Errors
/// `missing` if the file does not exist, `CONFIGURATION` if it is unreadable, too large or not
/// UTF-8.
pub fn read_text(path: &Path, option: &str, missing: Kind) -> Result<Secret, Error> {
    text(path, |path| File::open(path), option, missing)
}

/// Reads a text file like [`read_text`], but only a regular file. It is used before the deadline is
/// set, when a pipe could make the run wait forever.
///
/// # Errors
/// As [`read_text`].
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
    let text = String::from_utf8(bytes(path, open, option, missing)?).map_err(|_| {
        Error::new(Kind::Configuration, format!("{} is not UTF-8 text", path.display()))
            .fix(format!("check {option}"))
    })?;
    Ok(Secret::new(text.strip_prefix('\u{feff}').unwrap_or(&text)))
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
    let bytes = open(path).and_then(|file| read_limited(file, LIMIT)).map_err(|error| {
        if let Some(error) = not_a_path(path.as_os_str(), option) {
            return error;
        }
        let failure = |kind, what| Error::new(kind, what).fix(check.clone());
        match error.kind() {
            io::ErrorKind::NotFound => failure(missing, format!("{shown} does not exist")),
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

/// The error for a value of `option` that may be the content of a file and not its path.
pub fn not_a_path(value: &OsStr, option: &str) -> Option<Error> {
    let what = show::looks_like(&value.to_string_lossy())?;
    let error = Error::new(Kind::Configuration, format!("{option} is not the path of a file"));
    Some(
        error
            .cause(format!("the value looks like {what}"))
            .fix(format!("set {option} to the path of a file with this content")),
    )
}

/// Opens a file for appending. A new file is accessible only to its owner. On Unix, links are not
/// followed.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let _waiting = Waiting::new(path);
    regular(private::append(path)?)
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

/// There is no such limit on this platform.
#[cfg(not(unix))]
pub fn survive_size_limit() {}

/// Replaces a file, completely or not at all. The new file is accessible only to its owner.
///
/// The content is written to a randomly named file in the same directory, synced to the disk, and
/// renamed to `path`.
///
/// # Errors
/// Those of [`ownership::require_replaceable`] and of the operating system. `path` is then
/// unchanged.
pub fn replace(
    path: &Path,
    content: &[u8],
    is_ours: impl Fn(&Existing<'_>) -> bool,
) -> Result<(), Refusal> {
    ownership::require_replaceable(path, is_ours)?;
    Ok(rename(temporary(path, content, private::create_new)?, path)?)
}

/// Updates a file of another program, whose format provides for updates: completely or not at all.
/// Links are followed, and the owner and the permissions stay as they are.
///
/// # Errors
/// Those of the operating system. The file is then unchanged.
pub fn update(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = path.canonicalize()?;
    let old = path.metadata()?;
    if !old.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = temporary(&path, content, private::create_new)?;
    private::copy_access(&old, file.as_file())?;
    rename(file, &path)
}

/// How often a rename is repeated while another process reads one of the files, and the pause
/// between.
const RENAMES: usize = 50;
const RENAME_PAUSE: Duration = Duration::from_millis(20);

fn rename(mut file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    let mut retries = RENAMES;
    loop {
        match file.persist(path) {
            Ok(_) => return Ok(()),
            Err(failed) if retries > 0 && is_in_use(&failed.error) => {
                retries -= 1;
                file = failed.file;
                thread::sleep(RENAME_PAUSE);
            }
            Err(failed) => return Err(failed.error),
        }
    }
}

/// Whether Windows refuses to rename because another process reads the old file
/// (`ERROR_ACCESS_DENIED`) or the new file, as virus scanners do (`ERROR_SHARING_VIOLATION`).
fn is_in_use(error: &io::Error) -> bool {
    cfg!(windows) && matches!(error.raw_os_error(), Some(5 | 32))
}

/// Replaces a file like [`replace`] with one that others can read: mode 0644, and on Windows the
/// permissions that are inherited from the directory.
///
/// # Errors
/// As [`replace`].
pub fn publish(
    path: &Path,
    content: &[u8],
    is_ours: impl Fn(&Existing<'_>) -> bool,
) -> Result<(), Refusal> {
    ownership::require_replaceable(path, is_ours)?;
    let create_new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let file = temporary(path, content, create_new)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(rename(file, path)?)
}

/// Creates a complete new file that is accessible only to its owner.
///
/// # Errors
/// `AlreadyExists` if `path` exists; otherwise those of the operating system.
pub fn create_new(path: &Path, content: &[u8]) -> io::Result<()> {
    temporary(path, content, private::create_new)?.persist_noclobber(path)?;
    Ok(())
}

fn temporary(
    path: &Path,
    content: &[u8],
    create_new: impl Fn(&Path) -> io::Result<File>,
) -> io::Result<tempfile::NamedTempFile> {
    let _waiting = Waiting::new(path);
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix(path))
        .suffix(TEMPORARY_SUFFIX)
        .make_in(directory(path), create_new)?;
    file.as_file_mut().write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes a file if it exists.
///
/// # Errors
/// Those of [`ownership::require_replaceable`] and of the operating system. The file then still
/// exists.
pub fn remove(path: &Path, is_ours: impl Fn(&Existing<'_>) -> bool) -> Result<(), Refusal> {
    let _waiting = Waiting::new(path);
    ownership::require_replaceable(path, is_ours)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => Ok(result?),
    }
}

const TEMPORARY_SUFFIX: &str = ".wif-token.tmp";

fn temporary_prefix(path: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Removes the temporary files that killed runs left beside `path`. Only the holder of the lock may
/// do this, because no other run creates such a file at that time.
pub fn remove_leftovers(path: &Path) {
    let prefix = temporary_prefix(path);
    let Ok(entries) = directory(path).read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        let ours = bytes.strip_prefix(prefix.as_encoded_bytes());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && ours.and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX.as_bytes())).is_some_and(
                |random| !random.is_empty() && random.iter().all(u8::is_ascii_alphanumeric),
            )
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leftovers_of_killed_runs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        let left = dir.path().join(".out.json.a1B2c3.wif-token.tmp");
        let others =
            ["out.json", "out.json.lock", ".other.json.a1B2c3.wif-token.tmp", ".out.json.tmp"]
                .map(|name| dir.path().join(name));
        for file in others.iter().chain([&left]) {
            replace(file, b"x", |_| false).unwrap();
        }
        remove_leftovers(&path);
        assert!(!left.exists());
        assert!(others.iter().all(|file| file.exists()));
    }

    #[cfg(unix)]
    #[test]
    fn an_update_follows_links_and_keeps_the_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        create_new(&target, b"old").unwrap();
        std::fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&target, &link).unwrap();
        update(&link, b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        let content = read_limited(File::open(&target).unwrap(), 9).unwrap().unwrap();
        assert_eq!(content, b"new");
        assert!(update(&dir.path().join("none"), b"new").is_err());
        assert!(update(Path::new("/dev/null"), b"new").is_err());
    }

    #[test]
    fn reading_stops_at_the_limit() {
        assert_eq!(read_limited(&b"12345"[..], 5).unwrap().unwrap(), b"12345");
        assert_eq!(read_limited(&b"123456"[..], 5).unwrap(), None);
    }
}
