//! Writes whole files: a reader sees the old content or the new content, never a part.
//!
//! The content is written to a randomly named file in the same directory, synced to the disk, and
//! renamed. What a killed run leaves behind is removed by a later run.

use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::ownership::{self, Existing, Refusal};
use super::pinned::Pinned;
use super::{directory, private, seen, waiting::Waiting};

/// Replaces a file. The new file is accessible only to its owner.
///
/// # Errors
/// The errors of [`ownership::require_replaceable`] and of the operating system. After an error,
/// `path` is unchanged.
pub fn replace(
    path: &Path,
    content: &[u8],
    is_ours: impl Fn(&Existing<'_>) -> bool,
) -> Result<(), Refusal> {
    let _waiting = Waiting::new(path);
    let pinned = Pinned::new(path);
    ownership::require_replaceable(&pinned.path, is_ours)?;
    put(&pinned.path, content, private::create_new)
}

/// How many times a temporary file is written again if it was removed before its rename.
const REPEATS: usize = 2;

/// Writes a file with this content at `path`. Another run, which holds the lock, may remove the
/// temporary file as a leftover; the file is then written again.
fn put(
    path: &Path,
    content: &[u8],
    create_new: impl Fn(&Path) -> io::Result<File>,
) -> Result<(), Refusal> {
    let mut repeats = REPEATS;
    loop {
        let file = temporary(path, content, &create_new);
        match rename(file.map_err(|error| Refusal::of(path, error))?, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && repeats > 0 => repeats -= 1,
            result => return Ok(result?),
        }
    }
}

/// Updates a file that belongs to another program, and whose format provides for updates:
/// completely or not at all. Links are followed, and the owner and the permissions stay as they
/// are.
///
/// # Errors
/// The errors of the operating system. After an error, the file is unchanged.
pub fn update(path: &Path, content: &[u8]) -> io::Result<()> {
    let _waiting = Waiting::new(path);
    let path = path.canonicalize()?;
    let old = path.metadata()?;
    if !old.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = temporary(&path, content, private::create_new)?;
    private::copy_access(&old, file.as_file())?;
    rename(file, &path)
}

/// How many times a rename is repeated while another process reads one of the files, and the pause
/// before each repetition.
const RENAMES: usize = 50;
const RENAME_PAUSE: Duration = Duration::from_millis(20);

fn rename(mut file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    let mut retries = RENAMES;
    loop {
        match file.persist(path) {
            Ok(_) => {
                seen::note_own(path);
                return Ok(());
            }
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
/// The errors of [`replace`].
pub fn publish(
    path: &Path,
    content: &[u8],
    is_ours: impl Fn(&Existing<'_>) -> bool,
) -> Result<(), Refusal> {
    let _waiting = Waiting::new(path);
    let pinned = Pinned::new(path);
    let path = &pinned.path;
    ownership::require_replaceable(path, is_ours)?;
    let create_new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let file = temporary(path, content, create_new);
    let file = file.map_err(|error| Refusal::of(path, error))?;
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
    let _waiting = Waiting::new(path);
    temporary(path, content, private::create_new)?.persist_noclobber(path)?;
    Ok(())
}

fn temporary(
    path: &Path,
    content: &[u8],
    create_new: impl Fn(&Path) -> io::Result<File>,
) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix(path))
        .suffix(TEMPORARY_SUFFIX)
        .make_in(directory(path), create_new)?;
    file.as_file_mut().write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Removes a file if it exists.
///
/// # Errors
/// The errors of [`ownership::require_replaceable`] and of the operating system. After an error,
/// the file still exists.
pub fn remove(path: &Path, is_ours: impl Fn(&Existing<'_>) -> bool) -> Result<(), Refusal> {
    let _waiting = Waiting::new(path);
    let pinned = Pinned::new(path);
    let path = &pinned.path;
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

/// Removes the temporary files that killed runs left next to `path`. Only the holder of the lock
/// may do this. The only other run that can have a temporary file at that time is one that waited
/// too long for the lock, and that run writes its file again.
pub fn remove_leftovers(path: &Path) {
    for left in leftovers(path) {
        let _ = std::fs::remove_file(left);
    }
}

/// The temporary files that killed runs left next to `path`.
pub fn leftovers(path: &Path) -> Vec<PathBuf> {
    let prefix = temporary_prefix(path);
    let is_leftover = |entry: &DirEntry| {
        let name = entry.file_name();
        let ours = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let random = ours.and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX.as_bytes()));
        random.is_some_and(|random| {
            !random.is_empty() && random.iter().all(u8::is_ascii_alphanumeric)
        }) && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    let entries = directory(path).read_dir().into_iter().flatten().flatten();
    entries.filter(is_leftover).map(|entry| entry.path()).collect()
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
    fn a_file_that_is_taken_for_a_leftover_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        for (removals, is_written) in [(1, true), (REPEATS, true), (REPEATS + 1, false)] {
            let left = std::cell::Cell::new(removals);
            let _ = std::fs::remove_file(&path);
            let written = put(&path, b"new", |temporary| {
                let file = private::create_new(temporary)?;
                if left.get() > 0 {
                    left.set(left.get() - 1);
                    remove_leftovers(&path);
                }
                Ok(file)
            });
            assert_eq!((written.is_ok(), path.exists()), (is_written, is_written), "{removals}");
        }
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
        let content = crate::files::read_limited(File::open(&target).unwrap(), 9).unwrap().unwrap();
        assert_eq!(content, b"new");
        assert!(update(&dir.path().join("none"), b"new").is_err());
        assert!(update(Path::new("/dev/null"), b"new").is_err());
    }
}
