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
        let _ = std::fs::remove_dir(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
    }
}
