//! The files that this process has read, each with its state at that time, so that a later run knows
//! whether one of them was changed since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use crate::show;

static SEEN: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// Notes that a file is read now. A file that does not exist is noted too, because it may be
/// created later. A value that may be the content of a file is not noted, because the noted paths are
/// written to the lock file.
pub(super) fn note(path: &Path) {
    if show::looks_like(&path.to_string_lossy()).is_some() {
        return;
    }
    let (path, state) = (super::absolute(path), state(path));
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_insert(state);
}

/// The files that were read so far, with their states.
pub fn seen() -> BTreeMap<PathBuf, String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The number of a file (on Unix), its size and when it was last modified; empty if there is none.
pub fn state(path: &Path) -> String {
    let Ok(metadata) = path.metadata() else { return String::new() };
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{number}, {} bytes, {} ns", metadata.len(), modified.unwrap_or_default().as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_creation_or_removal_changes_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        note(&path);
        assert_eq!(seen()[&path], "");
        crate::files::replace(&path, b"one", |_| true).unwrap();
        let one = state(&path);
        crate::files::replace(&path, b"two", |_| true).unwrap();
        assert!(![String::new(), one].contains(&state(&path)));
        note(&path);
        assert_eq!(seen()[&path], "", "the first state counts");
    }
}
