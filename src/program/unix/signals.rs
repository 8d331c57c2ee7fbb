//! The one thread that handles signals for all programs.
//!
//! A signal that ends this process kills the programs first. When a child ends, the threads that
//! wait for a program are woken, and the processes that programs left behind are reaped.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGSYS, SIGTERM, SIGTRAP, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGXCPU,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

#[cfg(target_os = "linux")]
use super::session;
use super::{death, running};

/// The signals that end a process and that can be caught, without those of a fault in this process.
/// The standard library makes every program ignore SIGPIPE.
const ENDING: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU, SIGVTALRM, SIGPROF,
    SIGTRAP, SIGSYS, SIGABRT,
];

/// The signals that ask a server to end.
const STOPPING: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

static HANDLING: Mutex<Handling> = Mutex::new(Handling { left: &[], has_thread: false });

struct Handling {
    /// The signals that this process handles in another way.
    left: &'static [i32],
    has_thread: bool,
}

/// Leaves these signals to the caller from now on, even if this process already handles them
/// because it has run a program.
pub fn leave_signals(signals: &'static [i32]) {
    lock().left = signals;
}

/// Makes a signal that asks this process to end kill the running programs and call `action`, in
/// another thread, instead of ending the process. A signal that this process ignores stays ignored.
///
/// # Errors
/// The errors of the operating system.
pub fn on_stop(action: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    leave_signals(&STOPPING);
    let mut signals =
        Signals::new(STOPPING.into_iter().filter(|signal| !death::is_ignored(*signal)))?;
    thread::Builder::new().spawn(move || {
        for _ in signals.forever() {
            running::kill_groups();
            action();
        }
    })?;
    Ok(())
}

/// Starts the thread that handles signals, before the first program. A signal that this process
/// ignores, for example under `nohup`, stays ignored, except `SIGCHLD`: the kernel keeps no exit
/// status while it is ignored.
pub(super) fn handle() -> io::Result<()> {
    let mut handling = lock();
    if handling.has_thread {
        return Ok(());
    }
    let is_ours = |signal: &i32| !handling.left.contains(signal) && !death::is_ignored(*signal);
    let mut signals = Signals::new(ENDING.into_iter().filter(is_ours).chain([SIGCHLD]))?;
    thread::Builder::new().spawn(move || {
        death::unblock(SIGCHLD);
        for signal in signals.forever() {
            if signal == SIGCHLD {
                running::child_changed();
                #[cfg(target_os = "linux")]
                session::collect();
            } else if !lock().left.contains(&signal) {
                running::kill_groups();
                let _ = emulate_default_handler(signal);
            }
        }
    })?;
    handling.has_thread = true;
    Ok(())
}

fn lock() -> MutexGuard<'static, Handling> {
    HANDLING.lock().unwrap_or_else(PoisonError::into_inner)
}
