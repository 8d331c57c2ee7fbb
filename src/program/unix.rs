//! A program and its children, as a process group.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::Outcome;
use crate::world::World;

pub(super) struct Group {
    child: Child,
    /// The id of the process group; 0 before it exists and after it was killed.
    id: Arc<AtomicI32>,
    child_changed: Receiver<()>,
}

impl Group {
    /// Starts the program in a new process group. A signal that ends this process kills the group
    /// first, because the group would continue to run.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Group> {
        let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM])?;
        let (sender, child_changed) = mpsc::channel();
        let id = Arc::new(AtomicI32::new(0));
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
        let child = command.process_group(0).spawn()?;
        id.store(i32::try_from(child.id()).unwrap_or(0), Ordering::SeqCst);
        Ok(Group { child, id, child_changed })
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
}

fn kill(id: &AtomicI32) {
    if let Some(group) = Pid::from_raw(id.swap(0, Ordering::SeqCst)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
