//! Records what the result of this thread depends on: the files that the thread has read, each with
//! its state at that time, so that a later run can find out whether one of them has changed; and
//! whether the result also depends on something whose changes cannot be observed, such as another
//! program.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::show;

thread_local! {
    static SEEN: RefCell<BTreeMap<PathBuf, String>> = const { RefCell::new(BTreeMap::new()) };
    static IS_ALL: Cell<bool> = const { Cell::new(true) };
}

/// Notes that a file is read now. A file that does not exist is noted too, because it may be
/// created later. A relative path stays relative, because it names another file in another
/// directory. The noted paths are written to files. A path that may be the content of a file is
/// therefore not noted, but counts as something that cannot be observed.
pub fn note(path: &Path) {
    if may_be_content(path) {
        return note_unknown();
    }
    let state = state(path);
    SEEN.with_borrow_mut(|seen| {
        seen.entry(path.to_owned()).or_insert(state);
    });
}

/// Notes that the result is stored in this file, which has this state. A later run uses the file
/// until it changes, even if the result depends on something that cannot be observed.
pub fn note_stored(path: &Path, state: String) {
    if may_be_content(path) {
        return note_unknown();
    }
    SEEN.with_borrow_mut(|seen| seen.insert(path.to_owned(), state));
    IS_ALL.set(true);
}

fn may_be_content(path: &Path) -> bool {
    show::looks_like(&path.to_string_lossy()).is_some()
}

/// Notes a file that was read earlier, and its state at that time.
pub fn note_in_state(path: &str, state: &str) {
    SEEN.with_borrow_mut(|seen| {
        seen.entry(path.into()).or_insert_with(|| state.to_owned());
    });
}

/// Notes the new state of a file that this process has just written.
pub(super) fn note_own(path: &Path) {
    let written = path.canonicalize().ok();
    SEEN.with_borrow_mut(|seen| {
        for (path, known) in seen.iter_mut().filter(|(path, _)| path.canonicalize().ok() == written)
        {
            *known = state(path);
        }
    });
}

/// Notes that the result depends on something that cannot be observed.
pub fn note_unknown() {
    IS_ALL.set(false);
}

/// The files that were read so far, with their states.
pub fn seen() -> BTreeMap<PathBuf, String> {
    SEEN.with_borrow(BTreeMap::clone)
}

/// Whether the result depends on these files and on nothing that cannot be observed.
pub fn has_seen_all() -> bool {
    IS_ALL.get()
}

/// Forgets everything that was noted, for a thread that makes another request.
pub fn forget_seen() {
    SEEN.with_borrow_mut(BTreeMap::clear);
    IS_ALL.set(true);
}

/// The state of a file: its size and modification time, and on Unix its inode number and change
/// time, which no program can set; empty if there is no file.
pub fn state(path: &Path) -> String {
    let Ok(metadata) = path.metadata() else { return String::new() };
    #[cfg(unix)]
    let more = {
        use std::os::unix::fs::MetadataExt;
        format!("{}, {}.{:09} s", metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
    };
    #[cfg(not(unix))]
    let more = "";
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("{} bytes, {modified} ns, {more}", metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_creation_or_removal_changes_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        forget_seen();
        note(&path);
        assert_eq!(seen()[&path], "");
        let mut states = vec![String::new()];
        for content in ["one", "two"] {
            let _ = std::fs::remove_file(&path);
            std::fs::copy(tempfile_with(&dir, content), &path).unwrap();
            assert!(!states.contains(&state(&path)));
            states.push(state(&path));
        }
        let before = path.metadata().unwrap().modified().unwrap();
        let mut file = std::fs::File::options().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"six").unwrap();
        file.set_modified(before).unwrap();
        drop(file);
        assert!(cfg!(windows) || !states.contains(&state(&path)));
        note(&path);
        assert_eq!(seen()[&path], "", "the first state counts");
        crate::files::update(&path, b"three").unwrap();
        assert_eq!(seen()[&path], state(&path), "a change by this process updates the state");
        assert!(has_seen_all());
        note_unknown();
        assert!(!has_seen_all());
        note_stored(&path, "a state".to_owned());
        assert!(has_seen_all() && seen()[&path] == "a state");
        note(Path::new("TOKEN=a"));
        assert!(!has_seen_all(), "a file with this name may have been read");
        forget_seen();
        assert!(seen().is_empty() && has_seen_all());
    }

    fn tempfile_with(dir: &tempfile::TempDir, content: &str) -> PathBuf {
        let path = dir.path().join(content);
        crate::files::create_new(&path, content.as_bytes()).unwrap();
        path
    }
}
