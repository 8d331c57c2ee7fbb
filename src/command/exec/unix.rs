//! The signals and the exit status of the command on Unix.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, getpgrp, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

use crate::program;
use crate::world::Env;

/// The signals that are passed on.
const PASSED: [i32; 7] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, SIGWINCH];

/// The signals that a terminal sends to all processes in the foreground.
const OF_TERMINAL: [i32; 3] = [SIGINT, SIGQUIT, SIGWINCH];

/// The signals that this process has received.
pub(super) struct Signals(SignalsInfo<WithOrigin>);

impl Signals {
    /// Starts to collect the signals.
    pub(super) fn catch() -> io::Result<Signals> {
        program::leave_signals(&PASSED);
        let signals = PASSED.into_iter().filter(|signal| !program::is_ignored(*signal));
        SignalsInfo::new(signals).map(Signals)
    }
}

/// Creates the command with this name, which is searched for as a shell would.
#[allow(clippy::disallowed_methods)] // not a program of a source
pub(super) fn command(name: &OsStr, _env: &Env) -> Command {
    Command::new(name)
}

/// Starts the command.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    program::start_beside(command)
}

/// Converts bytes to a text of the operating system. The bytes come from such texts, split at ASCII
/// characters.
pub(super) fn os_string(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}

/// Waits until the command ends, and passes signals on to it. Returns its exit status.
pub(super) fn wait(child: Child, signals: Signals) -> io::Result<i32> {
    let status = wait_passing(child, signals.0)?;
    let signal = status.signal().map(|signal| 128 + signal);
    Ok(status.code().or(signal).unwrap_or(u8::MAX.into()))
}

fn wait_passing(mut child: Child, mut signals: SignalsInfo<WithOrigin>) -> io::Result<ExitStatus> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return child.wait();
    };
    // Once the child has been waited for, its process ID may be reused.
    let running = Arc::new(Mutex::new(true));
    let handle = signals.handle();
    let is_running = running.clone();
    let passing = thread::Builder::new().spawn(move || {
        for origin in signals.forever() {
            let running = is_running.lock().unwrap_or_else(PoisonError::into_inner);
            if *running && !has_been_delivered(&origin, pid) {
                let _ =
                    Signal::from_named_raw(origin.signal).map(|signal| kill_process(pid, signal));
            }
        }
    })?;
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    *running.lock().unwrap_or_else(PoisonError::into_inner) = false;
    handle.close();
    let _ = passing.join();
    child.wait()
}

/// Whether the terminal has sent the signal to the child too: a terminal sends these signals to
/// every process in the foreground group.
fn has_been_delivered(origin: &Origin, child: Pid) -> bool {
    OF_TERMINAL.contains(&origin.signal)
        && matches!(origin.cause, Cause::Kernel)
        && getpgid(Some(child)).is_ok_and(|group| group == getpgrp())
}
