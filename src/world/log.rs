//! The log file of `--log-file`: the only place for diagnostics of a run that succeeds.
//!
//! Most clients merge standard error into the document that they parse, so a run that succeeds
//! writes nothing there. One line a step: time, process id, words. Nothing secret comes this far.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Clock;
use crate::error::{Error, one_line};
use crate::files;
use crate::time::rfc3339;

/// Appends lines to a file, to memory, or to nothing.
#[derive(Debug, Clone)]
pub struct Log {
    kept: Option<Arc<Mutex<Vec<String>>>>,
    files: Vec<Arc<File>>,
    clock: Clock,
}

impl Log {
    /// Appends to `path`, made with mode 0600 where it is absent. A file that cannot be opened
    /// costs nobody a token: there is no log then.
    pub fn open(path: Option<&Path>, clock: Clock) -> Log {
        Log { kept: None, files: path.and_then(open).into_iter().collect(), clock }
    }

    /// The same log, its lines also appended to `path` from now on.
    pub fn also_to(mut self, path: &Path) -> Log {
        self.files.extend(open(path));
        self
    }

    /// The same log, its lines kept in memory too, from now on.
    pub fn keeping(&self) -> Log {
        Log { kept: Some(Arc::default()), ..self.clone() }
    }

    /// The lines that were kept.
    pub fn kept(&self) -> Vec<String> {
        let kept =
            self.kept.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.map(|lines| lines.clone()).unwrap_or_default()
    }

    /// Writes one line about a step of the run.
    pub fn line(&self, words: impl AsRef<str>) {
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(one_line(words.as_ref()));
        }
        self.write(words.as_ref());
    }

    /// Writes the failure that ended a step. It is not kept among the steps: the caller reports it.
    pub fn failure(&self, error: &Error) {
        self.write(&format!("failed: {} {error}", error.kind().code()));
    }

    /// Warns that others may read a key or secret file.
    pub fn warn_if_shared(&self, path: &Path) {
        if files::is_shared(path) {
            let shown = path.display();
            self.line(format!("warning: other users may read {shown}; run chmod 600 {shown}"));
        }
    }

    fn write(&self, words: &str) {
        for mut file in self.files.iter().map(Arc::as_ref) {
            let (time, pid) = (rfc3339(self.clock.now()), std::process::id());
            let line = format!("{time} [{pid}] {}\n", one_line(words));
            // One write, so that the lines of concurrent runs do not mix.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn open(path: &Path) -> Option<Arc<File>> {
    files::open_to_append(path).ok().map(Arc::new)
}
