//! A program and its children, as a job that ends with this process.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::thread;
use std::time::Duration;

use win32job::{ExtendedLimitInfo, Job};
use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

use crate::world::World;

/// The pause between two checks of the program.
const POLL: Duration = Duration::from_millis(10);

pub(super) struct Group {
    child: Child,
    job: Option<Job>,
}

impl Group {
    /// Starts the program in a job that is killed when its last handle is closed, for example
    /// because this process ends. In its own process group, the program does not get the Ctrl-C that
    /// is meant for the command of `exec`.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Group> {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&limits).map_err(io::Error::other)?;
        let child = command.creation_flags(CREATE_NEW_PROCESS_GROUP).spawn()?;
        job.assign_process(child.as_raw_handle() as isize).map_err(io::Error::other)?;
        Ok(Group { child, job: Some(job) })
    }

    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the program. At the deadline, returns false.
    pub(super) fn wait(&mut self, world: &World) -> bool {
        while matches!(self.child.try_wait(), Ok(None)) {
            if world.deadline.has_passed() {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }

    /// Closes the job, which kills all processes in it.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.job.take();
        self.child.wait()
    }

    /// Returns false, because no process can leave the job.
    pub(super) fn kill_outside(&mut self) -> bool {
        false
    }
}
