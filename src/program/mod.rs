//! Runs another program and takes its standard output.
//!
//! The program is run without a shell, with no input, and its errors go nowhere: most clients would
//! merge them into the document. It runs in a process group (on Windows in a job) of its own, which
//! is killed when it ends, at the deadline, and when this run is told to end.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod family;

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use self::family::Family;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::world::World;

/// A program to run.
#[derive(Debug)]
pub struct Program {
    /// A path, or a name that is looked up in `PATH`.
    pub name: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables beside those of this process.
    pub variables: Vec<(String, OsString)>,
    /// Where it was named, for messages, such as `credential_process`.
    pub place: String,
}

/// How long to wait for what is in the pipe when the program has ended.
const DRAIN: Duration = Duration::from_millis(200);

/// What became of the program.
enum Outcome {
    Ended(io::Result<ExitStatus>),
    TimedOut,
}

impl Program {
    /// Runs the program to its end and takes its standard output, at most 1 MiB of UTF-8.
    ///
    /// # Errors
    /// Those of [`Program::run`], and `UNREACHABLE` where it fails.
    pub fn output(&self, world: &World) -> Result<Secret, Error> {
        match self.run(world)? {
            (status, output) if status.success() => Ok(output),
            (status, _) => Err(self.failed(status)),
        }
    }

    /// The failure of a run that ended with this status.
    pub fn failed(&self, status: ExitStatus) -> Error {
        Error::new(Kind::Unreachable, format!("{} failed", self.name.display()))
            .cause(status)
            .fix(format!("run {} by hand to see its own message", self.place))
    }

    /// The same, whatever status it ends with.
    ///
    /// # Errors
    /// `ABSENT` where there is no such program, `CONFIGURATION` where it cannot be run,
    /// `UNREACHABLE` where it does not end in time, `PROTOCOL` for any other output of a success.
    pub fn run(&self, world: &World) -> Result<(ExitStatus, Secret), Error> {
        let shown = self.name.display();
        let mut command = Command::new(&self.name);
        command.args(&self.args).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut family = Family::spawn(&mut command).map_err(|error| self.not_started(&error))?;
        world.log.line(format!("running {shown}"));

        let output = family.stdout().map(read_on_a_thread);
        let outcome = family.wait(world);
        family.kill();
        let status = match outcome {
            Outcome::TimedOut => {
                return Err(Error::new(Kind::Unreachable, format!("{shown} did not end in time"))
                    .fix(format!("run {} by hand, or raise --timeout", self.place)));
            }
            Outcome::Ended(status) => status.map_err(|error| self.not_started(&error))?,
        };
        let wrong = |why| {
            Error::new(Kind::Protocol, format!("the output of {shown} {why}"))
                .fix(format!("run {} by hand to see it", self.place))
        };
        let bytes = output.map(|output| collect(&output)).unwrap_or_default();
        if bytes.len() > files::LIMIT {
            return Err(wrong("is larger than 1 MiB"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok((status, Secret::new(text))),
            Err(_) if !status.success() => Err(self.failed(status)),
            Err(_) => Err(wrong("is not UTF-8 text")),
        }
    }

    fn not_started(&self, error: &io::Error) -> Error {
        let shown = self.name.display();
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::Absent,
            _ => Kind::Configuration,
        };
        Error::new(kind, format!("cannot run {shown}"))
            .cause(error)
            .fix(format!("check {}, and PATH if it is a bare name", self.place))
    }
}

/// Reads on a thread of its own, which ends when the writers do, or with this process.
fn read_on_a_thread(stdout: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let mut stdout = stdout.take(files::LIMIT as u64 + 1);
    thread::spawn(move || {
        let mut chunk = [0; 8 * 1024];
        while let Ok(length @ 1..) = stdout.read(&mut chunk) {
            if sender.send(chunk.get(..length).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// What was written. The program has ended and its group is gone: only a daemon that it left in
/// another group can still hold the pipe, and has nothing to say.
fn collect(output: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(chunk) = output.recv_timeout(DRAIN) {
        bytes.extend(chunk);
    }
    bytes
}
