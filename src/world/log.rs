//! The log of `--log-file`, the only place for diagnostics of a successful run.
//!
//! Most clients merge standard error into the document that they parse, so a successful run writes
//! nothing there. The log has one line per step with time, process id and text. It contains no
//! secrets.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Clock;
use crate::error::{Error, one_line};
use crate::files::{self, ownership, ownership::Refusal};
use crate::show::{self, scrubbed};
use crate::time::{parse_rfc3339, rfc3339};

/// Appends lines to a file, to memory, or to nothing.
#[derive(Debug, Clone)]
pub struct Log {
    recorded: Option<Arc<Mutex<Recorded>>>,
    files: Vec<Arc<(PathBuf, File)>>,
    clock: Clock,
}

/// What a log records in memory.
#[derive(Debug, Default)]
struct Recorded {
    lines: Vec<String>,
    /// Files with a secret that other users can access.
    shared: Vec<PathBuf>,
    /// Why tokens were not cached.
    uncached: Vec<Error>,
}

impl Log {
    /// Opens a log that appends to `path`. A new file has the mode 0600. If the file cannot be
    /// opened, the run continues without a log.
    pub fn open(path: Option<&Path>, clock: Clock) -> Log {
        Log { recorded: None, files: path.and_then(open).into_iter().collect(), clock }
    }

    /// Also appends new lines to `path`.
    pub fn also_to(mut self, path: &Path) -> Log {
        self.files.extend(open(path));
        self
    }

    /// Creates a copy of this log that also records new lines in memory.
    pub fn recording(&self) -> Log {
        Log { recorded: Some(Arc::default()), ..self.clone() }
    }

    /// The recorded lines.
    pub fn recorded(&self) -> Vec<String> {
        self.record(|recorded| recorded.lines.clone()).unwrap_or_default()
    }

    /// The recorded files with a secret that other users can access.
    pub fn shared_files(&self) -> Vec<PathBuf> {
        self.record(|recorded| recorded.shared.clone()).unwrap_or_default()
    }

    fn record<T>(&self, with: impl FnOnce(&mut Recorded) -> T) -> Option<T> {
        let recorded = self.recorded.as_ref()?;
        Some(with(&mut recorded.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Writes one line about a step of the run.
    pub fn line(&self, text: impl AsRef<str>) {
        self.record(|recorded| recorded.lines.push(one_line(&scrubbed(text.as_ref()))));
        self.write(text.as_ref());
    }

    /// Removes and returns the recorded reasons why tokens were not cached.
    pub fn uncached(&self) -> Vec<Error> {
        self.record(|recorded| std::mem::take(&mut recorded.uncached)).unwrap_or_default()
    }

    /// Writes why a token was not cached. The run continues without the cache.
    pub fn not_cached(&self, error: Error) {
        self.line(format!("token not cached: {error}"));
        self.record(|recorded| recorded.uncached.push(error));
    }

    /// Writes the error of a failed step. The error is not recorded, because the caller reports it.
    pub fn failure(&self, error: &Error) {
        self.write(&format!("failed: {} {error}", error.kind().code()));
    }

    /// Writes a warning if other users can access a file with a key or secret. Only the path is
    /// recorded.
    pub fn warn_if_shared(&self, path: &Path) {
        if self.note_if_shared(path) {
            let shown = show::path(path);
            let command = files::owner_only_command(path);
            self.write(&format!("warning: other users can access {shown}; run {command}"));
        }
    }

    /// Records a file with a key or secret that other users can access. Returns whether they can.
    pub fn note_if_shared(&self, path: &Path) -> bool {
        let is_shared = files::is_shared(path);
        self.record(|recorded| {
            if is_shared && !recorded.shared.iter().any(|known| known == path) {
                recorded.shared.push(path.to_owned());
            }
        });
        is_shared
    }

    fn write(&self, text: &str) {
        for (path, file) in self.files.iter().map(Arc::as_ref) {
            let mut file = file;
            let _waiting = files::Waiting::new(path);
            let (time, pid) = (rfc3339(self.clock.now()), std::process::id());
            let line = format!("{time} [{pid}] {}\n", one_line(&scrubbed(text)));
            // Each line is one write, so that the lines of concurrent runs are not mixed.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// Checks that the file at `path`, if there is one, may be used as a log.
///
/// # Errors
/// Why the file must not be used as a log.
pub fn require_usable(path: &Path) -> Result<(), Refusal> {
    ownership::require_appendable(path, is_log)
}

/// Whether `beginning` looks like the start of a line of a log: `2026-01-31T…Z [PID] `.
fn is_log(beginning: &[u8]) -> bool {
    let line = String::from_utf8_lossy(beginning);
    line.split_once(" [").is_some_and(|(time, _)| parse_rfc3339(time).is_some())
}

fn open(path: &Path) -> Option<Arc<(PathBuf, File)>> {
    files::open_to_append(path, is_log).ok().map(|file| Arc::new((path.to_owned(), file)))
}
