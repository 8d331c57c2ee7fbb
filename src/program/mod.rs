//! Runs another program and reads its standard output.
//!
//! The program runs without a shell and without input. Its standard error is discarded, because
//! most clients would merge it into the document. It runs in a separate process group (on Windows
//! in a job), which is killed when the program ends, at the deadline, and when a signal ends this
//! process.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod group;

mod ancestors;
#[cfg(windows)]
mod console;
mod find;
mod obstacle;

pub use self::ancestors::repetitions;
#[cfg(windows)]
pub use self::console::{on_console_event, on_console_event as on_stop};
pub use self::find::{find, find_with_pathext, is_named_like_this, is_this_program};
#[cfg(unix)]
pub use self::group::{is_ignored, leave_signals, on_stop, start_beside};
pub use self::obstacle::MORE_PROCESSES;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use self::find::is_path;
use self::group::Group;
use crate::error::{Error, Kind};
use crate::files;
use crate::formats;
use crate::secret::Secret;
use crate::shell;
use crate::show;
use crate::world::{Deadline, Env, World};

/// A program to run.
#[derive(Debug)]
pub struct Program {
    /// A path, or a name that is looked up in `PATH`.
    pub name: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables, in addition to those of the run.
    pub variables: Vec<(String, OsString)>,
    /// The setting that names the program, for messages, such as `credential_process`.
    pub place: String,
}

/// The result of [`Program::observe`]: how the program ended.
#[derive(Debug)]
pub struct Observed {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: Secret,
    /// Whether it wrote to standard error.
    pub wrote_errors: bool,
    /// Whether a process that the program started kept standard output open after the program
    /// ended.
    pub keeps_open: bool,
}

/// The error for a program that cannot be run, if its file shows the reason; `None` also if the
/// program does not exist.
pub fn obstacle(name: &OsStr, env: &Env) -> Option<Error> {
    let obstacle = match find(name, env) {
        Some(file) => obstacle::before_start(&file, env),
        None => obstacle::of_path(name),
    };
    obstacle.map(|obstacle| obstacle.explain(&show::path(name.as_ref())))
}

/// The variables with which systemd tells a service how to report its state, and which sockets it
/// has. Programs do not get them, because a program could report a state on behalf of this process.
/// <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>,
/// <https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html>,
/// <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>
const OF_SERVICE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

/// Words that only a shell interprets.
const OPERATORS: [&str; 9] = ["|", "||", "&&", ";", ">", ">>", "<", "2>&1", "2>/dev/null"];

/// How long to read from the pipe after the program has ended.
const DRAIN: Duration = Duration::from_millis(200);

impl Program {
    /// Runs the program and returns its standard output, at most 1 MiB of UTF-8.
    ///
    /// # Errors
    /// The errors of [`Program::run`], and `UNREACHABLE` if the program fails.
    pub fn output(&self, world: &World) -> Result<Secret, Error> {
        match self.run(world)? {
            (status, output) if status.success() => Ok(output),
            (status, _) => Err(self.failed(status, world)),
        }
    }

    /// The error for a program that ended with `status`.
    pub fn failed(&self, status: ExitStatus, world: &World) -> Error {
        let shown = show::path(self.name.as_ref());
        let env = self.env(world);
        let file = find(&self.name, &env);
        if let Some(obstacle) = file.and_then(|file| obstacle::of_failed(&file, status, &env)) {
            return obstacle.explain(&shown);
        }
        let error = match status.code() {
            Some(code) => {
                let what = format!("{shown} failed with exit status {code}");
                let error = Error::new(Kind::Unreachable, what);
                obstacle::of_status(code).into_iter().fold(error, Error::cause)
            }
            None => Error::new(Kind::Unreachable, format!("{shown} was terminated")).cause(status),
        };
        error.fix(format!("run {} by hand to see its error output", self.place))
    }

    /// The fix if an argument is a shell operator: the program gets the operator as text, but a
    /// shell interprets it when a user runs the same line by hand.
    pub fn without_shell(&self) -> Option<String> {
        let operator = OPERATORS.iter().find(|word| self.args.iter().any(|arg| arg == **word))?;
        Some(format!(
            "run the whole line with sh -c, because no shell interprets {operator} in {}",
            self.place
        ))
    }

    /// Runs the program and returns its exit status and its standard output, at most 1 MiB of
    /// UTF-8.
    ///
    /// # Errors
    /// `ABSENT` if the program does not exist, `CONFIGURATION` if it cannot be run, `UNREACHABLE`
    /// if it does not end in time, `PROTOCOL` if the output of a success is too large or not UTF-8.
    pub fn run(&self, world: &World) -> Result<(ExitStatus, Secret), Error> {
        self.run_with(false, world).map(|observed| (observed.status, observed.output))
    }

    /// Runs the program like [`Program::run`], and also returns whether it wrote to standard error.
    ///
    /// # Errors
    /// The errors of [`Program::run`].
    pub fn observe(&self, world: &World) -> Result<Observed, Error> {
        self.run_with(true, world)
    }

    #[allow(clippy::disallowed_methods)] // only this module starts programs
    fn run_with(&self, is_observed: bool, world: &World) -> Result<Observed, Error> {
        // The output of the program may depend on things that cannot be observed.
        files::note_unknown();
        let shown = show::path(self.name.as_ref());
        let file = find(&self.name, &self.env(world));
        if let Some(obstacle) = file.and_then(|file| obstacle::of_text(&file)) {
            return Err(obstacle.explain(&shown));
        }
        let mut command = Command::new(&self.name);
        command.args(&self.args).envs(world.env.changed());
        OF_SERVICE.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(if is_observed { Stdio::piped() } else { Stdio::null() });
        let not_started = |error| self.not_started(&error, world);
        let mut group = Group::spawn(&mut command).map_err(not_started)?;
        world.log.line(format!("running {shown}"));

        let output = group.stdout().map(read_on_a_thread).transpose().map_err(not_started)?;
        let errors = group.stderr().map(watch_on_a_thread).transpose().map_err(not_started)?;
        let is_in_time = group.wait(world);
        let observed = output.as_ref().filter(|_| is_observed);
        let (mut bytes, keeps_open) =
            observed.map(|output| collect(output, world.deadline)).unwrap_or_default();
        let status = group.end();
        if !is_in_time {
            return Err(self.timed_out(group.kill_outside(), &shown));
        }
        let status = status.map_err(not_started)?;
        let wrong = |why| {
            Error::new(Kind::Protocol, format!("the output of {shown} {why}"))
                .fix(format!("run {} by hand to see its output", self.place))
        };
        bytes.extend(output.map(|output| collect(&output, world.deadline).0).unwrap_or_default());
        if bytes.len() > files::LIMIT {
            return Err(wrong("is larger than 1 MiB"));
        }
        let wrote_errors = errors.is_some_and(|errors| errors.recv_timeout(DRAIN).is_ok());
        match String::from_utf8(bytes) {
            Ok(text) => {
                Ok(Observed { status, output: Secret::new(text), wrote_errors, keeps_open })
            }
            Err(_) if !status.success() => Err(self.failed(status, world)),
            Err(error) if formats::is_utf16(error.as_bytes()) => {
                Err(wrong("is UTF-16 text, not UTF-8"))
            }
            Err(_) => Err(wrong("is not UTF-8 text")),
        }
    }

    /// The error for a program that did not end in time. With `is_outside`, a process that it had
    /// started in another session was killed too.
    fn timed_out(&self, is_outside: bool, shown: &str) -> Error {
        let error = Error::new(Kind::Unreachable, format!("{shown} did not finish in time"));
        let why =
            is_outside.then_some("it left a process in another session, which was terminated");
        let fix = format!("run {} by hand to see why, or increase --timeout", self.place);
        why.into_iter().fold(error, Error::cause).fix(fix)
    }

    /// The environment of the program.
    fn env(&self, world: &World) -> Env {
        let variables = self.variables.iter().cloned().collect();
        Env::Over(variables, Box::new(world.env.clone()))
    }

    fn not_started(&self, error: &io::Error, world: &World) -> Error {
        if let Some(explained) = explain(&self.name, error, &self.env(world)) {
            return explained;
        }
        let (shown, place) = (show::path(self.name.as_ref()), &self.place);
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::Absent,
            _ => Kind::Configuration,
        };
        let whole = || whole_command_line(&self.name, place, kind, &self.env(world));
        if let Some(whole) = (kind == Kind::Absent).then(whole).flatten() {
            return whole;
        }
        let failed = Error::new(kind, format!("cannot run {shown}"));
        match shell::expansion(&self.name.to_string_lossy()) {
            Some((text, _)) if kind == Kind::Absent => failed
                .cause(format!("no shell expands {text}"))
                .fix(format!("write the absolute path of the program in {place}")),
            _ => failed.cause(error).fix(format!("check {place} and PATH")),
        }
    }
}

/// The error if the name of a program in `place` is a whole command line and not a path with a
/// space. Only its first word is shown, because the others may contain a secret.
pub fn whole_command_line(name: &OsStr, place: &str, kind: Kind, env: &Env) -> Option<Error> {
    let text = name.to_string_lossy();
    let (first, _) = text.split_once(char::is_whitespace)?;
    let first = OsStr::new(first);
    let is_line = !is_path(first)
        || find(first, env).is_some()
        || [" -", " '", " \"", "://"].iter().any(|part| text.contains(part));
    let fix = "write the program and each argument as a separate word, or use sh -c to run a command \
               line with a shell";
    is_line.then(|| {
        let first = show::path(Path::new(first));
        Error::new(kind, format!("cannot run {place}, which begins with {first}"))
            .cause("its name contains a space, as a whole command line does")
            .fix(fix)
    })
}

/// The `CONFIGURATION` error that says why the operating system did not start a program and
/// returned `error`; `None` if the reason is not known.
pub fn explain(name: &OsStr, error: &io::Error, env: &Env) -> Option<Error> {
    let obstacle = obstacle::of_system(error).or_else(|| match find(name, env) {
        Some(file) => obstacle::of_file(&file, error, env),
        None => is_path(name).then(|| obstacle::of_path(name)).flatten(),
    });
    obstacle.map(|obstacle| obstacle.explain(&show::path(name.as_ref())))
}

/// Reads on a separate thread, which ends when all writers have closed the pipe.
fn read_on_a_thread(pipe: impl Read + Send + 'static) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    let mut pipe = pipe.take(files::LIMIT as u64 + 1);
    thread::Builder::new().spawn(move || {
        let mut chunk = [0; 8 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            if sender.send(chunk.get(..length).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}

/// Reads to the end on a separate thread, and sends one message if there is more than white space.
/// Standard error is not stored, because it may contain a secret.
fn watch_on_a_thread(mut pipe: impl Read + Send + 'static) -> io::Result<Receiver<()>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        let mut chunk = [0; 8 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            if !chunk.get(..length).unwrap_or_default().trim_ascii().is_empty() {
                let _ = sender.try_send(());
            }
        }
    })?;
    Ok(receiver)
}

/// Returns the output so far of a program that has ended, and whether a process still has the pipe
/// open. After the group of the program has ended too, only a daemon in another group can have the
/// pipe open, and the output of a daemon does not matter.
fn collect(output: &Receiver<Vec<u8>>, deadline: Deadline) -> (Vec<u8>, bool) {
    let (end, mut bytes) = (deadline.waiting_at_most(DRAIN), Vec::new());
    loop {
        match output.recv_timeout(end.remaining()) {
            Ok(chunk) => bytes.extend(chunk),
            Err(error) => return (bytes, error == RecvTimeoutError::Timeout),
        }
    }
}
