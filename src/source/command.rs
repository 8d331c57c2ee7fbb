//! A subject token on another program's standard output.
//!
//! The program is run without a shell, with no input, and its errors go nowhere: most clients would
//! merge them into the document. It runs in a process group (on Windows in a job) of its own, which
//! is killed when it ends, at the deadline, and when this run is told to end.

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use self::family::Family;
use super::{Source, SourceInfo, field};
use crate::cli::{Values, missing};
use crate::context::Context;
use crate::contract::request::Request;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "command",
    summary: "another program's output, as text or as a member of JSON",
    options: &[field::OPTION],
    rest: Some("PROGRAM [ARG]..."),
    build,
};

#[derive(Debug)]
struct Program {
    program: OsString,
    args: Vec<OsString>,
    field: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Some((program, args)) = values.rest.split_first() else {
        return Err(Error::new(Kind::Usage, "there is no program to run")
            .hint("write it after two dashes: wif-token command -- PROGRAM [ARG]..."));
    };
    if program.is_empty() {
        return Err(missing("- PROGRAM"));
    }
    let field = values.text("field").map(str::to_owned);
    Ok(Box::new(Program { program: program.clone(), args: args.to_vec(), field }))
}

impl Source for Program {
    fn subject_token(&self, request: &Request, cx: &Context) -> Result<SubjectToken, Error> {
        let what = format!("the output of {}", self.program.display());
        let text = self.output(cx)?;
        if text.expose().trim().is_empty() {
            return Err(Error::new(Kind::Protocol, format!("{what} is empty"))
                .hint("run the program by hand to see why"));
        }
        let text = field::select(&text, self.field.as_deref(), &what)?;
        let renew = "the program gives a token that is over: renew it there".to_owned();
        let origin = Origin { what, option: "the program after --", renew };
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }
}

/// What became of the program.
enum Outcome {
    Ended(io::Result<ExitStatus>),
    TimedOut,
}

impl Program {
    /// Runs the program to its end and takes its standard output.
    fn output(&self, cx: &Context) -> Result<Secret, Error> {
        let shown = self.program.display();
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut family = Family::spawn(&mut command).map_err(|error| self.not_started(&error))?;
        cx.log.line(format!("running {shown}"));

        let output = family.stdout().map(read_on_a_thread);
        let outcome = family.wait(cx);
        family.kill();
        let status = match outcome {
            Outcome::TimedOut => {
                return Err(Error::new(Kind::Unreachable, format!("{shown} did not end in time"))
                    .hint("run the program by hand, or raise --timeout"));
            }
            Outcome::Ended(status) => status.map_err(|error| self.not_started(&error))?,
        };
        // Nobody of its family holds the other end any more.
        let bytes = output.and_then(|output| output.recv_timeout(cx.deadline.remaining()).ok());
        let wrong = |why| {
            Error::new(Kind::Protocol, format!("the output of {shown} {why}"))
                .hint("run the program by hand to see it")
        };
        match bytes {
            Some(Ok(None)) => Err(wrong("is larger than 1 MiB")),
            _ if !status.success() => Err(Error::new(Kind::Unreachable, format!("{shown} failed"))
                .cause(status)
                .hint("run the program by hand to see its own message")),
            Some(Ok(Some(bytes))) => {
                String::from_utf8(bytes).map(Secret::new).map_err(|_| wrong("is not UTF-8 text"))
            }
            Some(Err(_)) | None => Err(wrong("was not closed when it ended")),
        }
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let shown = self.program.display();
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::Absent,
            _ => Kind::Configuration,
        };
        Error::new(kind, format!("cannot run {shown}"))
            .cause(error)
            .hint("check the program after --, and PATH if it is a bare name")
    }
}

/// Reads on a thread of its own, which ends when the writers do, or with this process.
fn read_on_a_thread(stdout: impl Read + Send + 'static) -> Receiver<io::Result<Option<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(files::read_limited(stdout, files::LIMIT)));
    receiver
}

#[cfg(unix)]
mod family {
    //! A program and its children, as a process group.

    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, ChildStdout, Command};
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;

    use rustix::process::{Pid, Signal, kill_process_group};
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::Outcome;
    use crate::context::Context;

    pub(super) struct Family {
        child: Child,
        signals: mpsc::Receiver<i32>,
    }

    impl Family {
        /// Starts the program at the head of a new process group. From then on a signal that would
        /// end this process is caught: the group would outlive it.
        pub(super) fn spawn(command: &mut Command) -> io::Result<Family> {
            let mut caught = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM])?;
            let (sender, signals) = mpsc::channel();
            thread::spawn(move || caught.forever().try_for_each(|signal| sender.send(signal)));
            Ok(Family { child: command.process_group(0).spawn()?, signals })
        }

        pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
            self.child.stdout.take()
        }

        /// Waits for the program, and ends this process too when it is told to.
        pub(super) fn wait(&mut self, cx: &Context) -> Outcome {
            loop {
                match self.child.try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => return Outcome::Ended(Ok(status)),
                    Err(error) => return Outcome::Ended(Err(error)),
                }
                match self.signals.recv_timeout(cx.deadline.remaining()) {
                    Ok(SIGCHLD) => {}
                    Ok(signal) => {
                        self.kill();
                        let _ = emulate_default_handler(signal);
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        return Outcome::TimedOut;
                    }
                }
            }
        }

        /// Kills the whole group: the program, if it still runs, and what it left behind.
        pub(super) fn kill(&mut self) {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

#[cfg(windows)]
mod family {
    //! A program and its children, as a job that ends with this process.

    use std::io;
    use std::os::windows::io::AsRawHandle;
    use std::process::{Child, ChildStdout, Command};
    use std::thread;
    use std::time::Duration;

    use win32job::{ExtendedLimitInfo, Job};

    use super::Outcome;
    use crate::context::Context;

    /// How long to wait between two looks at the program.
    const POLL: Duration = Duration::from_millis(10);

    pub(super) struct Family {
        child: Child,
        job: Option<Job>,
    }

    impl Family {
        /// Starts the program in a job that is killed when its last handle is closed, as at the end
        /// of this process.
        pub(super) fn spawn(command: &mut Command) -> io::Result<Family> {
            let mut limits = ExtendedLimitInfo::new();
            limits.limit_kill_on_job_close();
            let job = Job::create_with_limit_info(&limits).map_err(io::Error::other)?;
            let child = command.spawn()?;
            job.assign_process(child.as_raw_handle() as isize).map_err(io::Error::other)?;
            Ok(Family { child, job: Some(job) })
        }

        pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
            self.child.stdout.take()
        }

        pub(super) fn wait(&mut self, cx: &Context) -> Outcome {
            loop {
                match self.child.try_wait() {
                    Ok(None) if cx.deadline.is_over() => return Outcome::TimedOut,
                    Ok(None) => thread::sleep(POLL),
                    Ok(Some(status)) => return Outcome::Ended(Ok(status)),
                    Err(error) => return Outcome::Ended(Err(error)),
                }
            }
        }

        /// Closes the job, which kills all that is in it.
        pub(super) fn kill(&mut self) {
            self.job.take();
            let _ = self.child.wait();
        }
    }
}
