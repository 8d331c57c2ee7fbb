//! A temporary directory that only this user can access.

use std::io;
use std::path::{Path, PathBuf};

use super::private;

/// A directory that is removed with its files when it is dropped.
#[derive(Debug)]
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// Creates an empty directory in the directory for temporary files.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn new() -> io::Result<TemporaryDirectory> {
        let mut builder = tempfile::Builder::new();
        let made = builder.prefix("wif-token-").make(private::create_directory)?;
        made.into_temp_path().keep().map(TemporaryDirectory).map_err(|error| error.error)
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // Unlike `remove_dir_all`, this works even when too many files are open.
        let removed = std::fs::remove_dir(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
        #[cfg(unix)]
        let _ = removed.or_else(|_| {
            open_up(&self.0);
            std::fs::remove_dir_all(&self.0)
        });
        #[cfg(windows)]
        let _ = removed;
    }
}

/// Lets this user remove the files in a directory and in those below it, as far as possible.
#[cfg(unix)]
fn open_up(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}
