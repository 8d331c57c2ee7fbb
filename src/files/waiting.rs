//! The file that the run waits for, so that the watchdog can name it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// As long as this value exists, the run may wait for a file, for example because its file system
/// does not respond.
#[derive(Debug)]
#[must_use]
pub struct Waiting(Option<PathBuf>);

impl Waiting {
    /// The run may wait for the file at this path.
    pub fn new(path: &Path) -> Waiting {
        Waiting(swap(Some(path.to_owned())))
    }
}

/// The run may still wait for the file that it waited for before.
impl Drop for Waiting {
    fn drop(&mut self) {
        swap(self.0.take());
    }
}

/// The file that the run waits for now.
pub fn waiting_for() -> Option<PathBuf> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn swap(path: Option<PathBuf>) -> Option<PathBuf> {
    std::mem::replace(&mut *FILE.lock().unwrap_or_else(PoisonError::into_inner), path)
}
