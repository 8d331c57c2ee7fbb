//! A program and its children, as a process group that ends with this process.
//!
//! A signal that ends this process kills the group first. Linux also kills the program itself if
//! this process ends in any other way, including by a signal that cannot be caught.

mod death;
mod running;
#[cfg(target_os = "linux")]
mod session;
mod signals;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};

pub use self::death::is_ignored;
pub use self::signals::{leave_signals, on_stop};
use crate::world::World;

/// Starts a program that does not end with this process, and that the caller waits for.
///
/// # Errors
/// The errors of the operating system.
pub fn start_beside(command: &mut Command) -> io::Result<Child> {
    signals::handle()?;
    running::start(command, false)
}

pub(super) struct Group {
    child: Child,
    is_ended: bool,
    /// The name of the pipe for standard output.
    #[cfg(target_os = "linux")]
    pipe: Option<String>,
}

impl Group {
    /// Starts the program in a new process group.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Group> {
        signals::handle()?;
        death::with_parent(command.process_group(0));
        #[cfg(target_os = "linux")]
        session::adopt();
        let child = running::start(command, true)?;
        Ok(Group {
            #[cfg(target_os = "linux")]
            pipe: child.stdout.as_ref().and_then(session::name_of),
            child,
            is_ended: false,
        })
    }

    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the program. At the deadline, returns false.
    pub(super) fn wait(&mut self, world: &World) -> bool {
        running::wait(&self.child, world.deadline)
    }

    /// Kills the whole group: the program, if it still runs, and the processes that it started.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.is_ended = true;
        running::end(&mut self.child)
    }

    /// After [`Group::end`], kills the processes that left the group and have standard output open.
    /// Returns whether there were any; systems other than Linux do not report them.
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

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_ended {
            let _ = self.end();
        }
    }
}
