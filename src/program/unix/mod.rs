//! A program and its children, as a process group that ends with this process.
//!
//! A signal that ends this process kills the group first. Linux also kills the program itself if
//! this process ends in any other way, including by a signal that cannot be caught.

mod death;
#[cfg(target_os = "linux")]
mod session;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGSYS, SIGTERM, SIGTRAP, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGXCPU,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::Outcome;
use crate::world::World;

/// The signals that end a process and that can be caught, without those of a fault in this process.
/// The standard library makes every program ignore SIGPIPE.
const ENDING: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU, SIGVTALRM, SIGPROF,
    SIGTRAP, SIGSYS, SIGABRT,
];

/// Whether this process handles the signals in another way.
static FORWARDED: AtomicBool = AtomicBool::new(false);

/// Leaves all signals to the caller, which passes them on and waits for another program.
pub fn leave_signals() {
    FORWARDED.store(true, Ordering::SeqCst);
}

/// Whether a signal is ignored, for example below `nohup`.
pub fn is_ignored(signal: i32) -> bool {
    death::is_ignored(signal)
}

pub(super) struct Group {
    child: Child,
    /// The id of the process group; `None` before it exists and after it was killed. It is locked
    /// while the program is started, so that a signal at this moment finds the group.
    id: Arc<Mutex<Option<Pid>>>,
    child_changed: Receiver<()>,
    /// The name of the pipe of standard output.
    #[cfg(target_os = "linux")]
    pipe: Option<String>,
}

impl Group {
    /// Starts the program in a new process group. A signal that this process ignores, for example
    /// below `nohup`, stays ignored.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Group> {
        let is_ours = !FORWARDED.load(Ordering::SeqCst);
        let ending = ENDING.into_iter().filter(|signal| is_ours && !death::is_ignored(*signal));
        let mut signals = Signals::new(ending.chain([SIGCHLD]))?;
        let (sender, child_changed) = mpsc::channel();
        let id = Arc::new(Mutex::new(None));
        let id_for_signals = id.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                if signal == SIGCHLD {
                    let _ = sender.send(());
                } else {
                    kill(&id_for_signals);
                    let _ = emulate_default_handler(signal);
                }
            }
        });
        let mut started = id.lock().unwrap_or_else(PoisonError::into_inner);
        death::with_parent(command.process_group(0));
        #[cfg(target_os = "linux")]
        session::adopt();
        let child = command.spawn()?;
        *started = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        drop(started);
        Ok(Group {
            #[cfg(target_os = "linux")]
            pipe: child.stdout.as_ref().and_then(session::name_of),
            child,
            id,
            child_changed,
        })
    }

    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the program until the deadline.
    pub(super) fn wait(&mut self, world: &World) -> Outcome {
        loop {
            match self.child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return Outcome::Ended(Ok(status)),
                Err(error) => return Outcome::Ended(Err(error)),
            }
            match self.child_changed.recv_timeout(world.deadline.remaining()) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Outcome::TimedOut;
                }
            }
        }
    }

    /// Kills the whole group: the program, if it still runs, and the processes that it started.
    pub(super) fn kill(&mut self) {
        kill(&self.id);
        let _ = self.child.wait();
    }

    /// After [`Group::kill`], kills the processes that left the group and have standard output open.
    /// Returns whether there are any; other systems than Linux do not tell.
    pub(super) fn kill_outside(&mut self) -> bool {
        #[cfg(target_os = "linux")]
        return self
            .pipe
            .as_deref()
            .is_some_and(|pipe| session::kill_holders(pipe, self.child.id()));
        #[cfg(not(target_os = "linux"))]
        false
    }
}

fn kill(id: &Mutex<Option<Pid>>) {
    if let Some(group) = id.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
