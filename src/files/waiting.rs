//! The file that the run waits for, so that the watchdog can name it, and the start of the watchdog.
//!
//! A run that finds its token in the output file waits for nothing, and a thread would cost a tenth
//! of its time. Therefore the first wait starts the watchdog.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use crate::error::Error;

/// The name of standard input, among the files that the run waits for.
pub const STDIN: &str = "standard input";

static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
static START: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Sets what the first wait of this process starts.
pub fn before_the_first_wait(start: impl Fn() + Send + Sync + 'static) {
    // A later call has no effect, because the process has only one exit.
    let _ = START.set(Box::new(start));
}

/// Starts the watchdog, unless it was started before: from now on, the run may wait for a file, a
/// server, a program or a reader.
pub fn may_wait() {
    static STARTED: Once = Once::new();
    if let Some(start) = START.get() {
        STARTED.call_once(start);
    }
}

/// As long as this value exists, the run may wait for a file, for example because its file system
/// does not respond.
#[derive(Debug)]
#[must_use]
pub struct Waiting(Option<PathBuf>);

impl Waiting {
    /// Notes that the run may wait for the file at this path.
    pub fn new(path: &Path) -> Waiting {
        may_wait();
        Waiting(swap(Some(path.to_owned())))
    }
}

/// Notes that the run may still wait for the file that it waited for before.
impl Drop for Waiting {
    fn drop(&mut self) {
        swap(self.0.take());
    }
}

/// The file that the run waits for now.
fn waiting_for() -> Option<PathBuf> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Adds the file that the run waits for, if there is one, to the failure of a run that hangs.
pub fn blaming_file(error: Error) -> Error {
    match waiting_for() {
        Some(path) if path.as_os_str() == STDIN => error
            .cause(format!("still waiting for {STDIN}"))
            .fix("configure the tool to run wif-token, or close standard input after the request"),
        Some(path) => error
            .cause(format!("still waiting for the file {}", path.display()))
            .fix("check that the path is a regular file and that its file system responds"),
        None => error,
    }
}

fn swap(path: Option<PathBuf>) -> Option<PathBuf> {
    std::mem::replace(&mut *FILE.lock().unwrap_or_else(PoisonError::into_inner), path)
}
