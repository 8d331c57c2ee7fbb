//! The console events and the exit code of the command on Windows.
//!
//! The console sends Ctrl-C and Ctrl-Break to the command too, so they are not passed on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Child, Command};

use crate::program;
use crate::world::Env;

/// The console events, which this process ignores.
pub(super) struct Signals;

impl Signals {
    /// Starts to ignore console events. The command does not inherit this.
    pub(super) fn catch() -> io::Result<Signals> {
        program::on_console_event(|| {}).map(|()| Signals)
    }
}

/// Creates the command with this name, which is searched for as a command prompt would.
#[allow(clippy::disallowed_methods)] // not a program of a source
pub(super) fn command(name: &OsStr, env: &Env) -> Command {
    program::find_with_pathext(name, env).map_or_else(|| Command::new(name), Command::new)
}

/// Starts the command.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// Converts bytes to a text of the operating system. The bytes come from such texts, split at ASCII
/// characters.
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Waits for the command and returns its exit code.
pub(super) fn wait(mut child: Child, _signals: Signals) -> io::Result<i32> {
    Ok(child.wait()?.code().unwrap_or(i32::MAX))
}
