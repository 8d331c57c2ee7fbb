//! How the program ends: it prints its output once and returns the exit status. Only this module
//! prints.
//!
//! On success, standard error stays empty, because most clients merge it into the document that
//! they parse. On failure, it contains the message as one line, unless `--exit-zero` is set. The
//! watchdog and the panic hook end the program through this module too, and only the first caller
//! prints.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::document;
use crate::error::{Error, Kind};
use crate::files;
use crate::lock;
use crate::options::Format;
use crate::stdio;
use crate::token::TokenType;
use crate::world::Deadline;

/// How long the watchdog waits for its output to be read.
const PRINTING: Duration = Duration::from_millis(50);

/// How a failure is reported.
#[derive(Debug, Clone, Copy)]
pub struct FailureForm {
    /// What standard output contains, for a token of this type.
    pub output: fn(&Error, TokenType) -> String,
    /// The requested token type.
    pub token_type: TokenType,
    /// Whether the message is printed on standard error.
    pub message: bool,
    /// The exit status, if it is not that of the kind of failure.
    pub status: Option<u8>,
}

impl FailureForm {
    /// Only the message, on standard error.
    pub const MESSAGE: FailureForm = FailureForm {
        output: |_, _| String::new(),
        token_type: TokenType::Jwt,
        message: true,
        status: None,
    };

    /// The document of the contract, and the message on standard error.
    pub const DOCUMENT: FailureForm = FailureForm {
        output: |error, token_type| document::failure(error, token_type) + "\n",
        ..FailureForm::MESSAGE
    };

    /// The form that the options select: with `exit_zero`, a failure has only the document, and the
    /// status of a success.
    pub fn new(format: Format, exit_zero: bool) -> FailureForm {
        match format {
            Format::Json if exit_zero => {
                FailureForm { message: false, status: Some(0), ..FailureForm::DOCUMENT }
            }
            Format::Json => FailureForm::DOCUMENT,
            // Nothing but the exit status and standard error can report a failure.
            _ => FailureForm::MESSAGE,
        }
    }
}

/// What a run prints, and its exit status.
#[derive(Debug)]
pub struct Output {
    /// The text for standard output.
    pub text: String,
    /// 0, that of a [`Kind`], or that of the program that the run has started.
    pub status: i32,
}

impl From<String> for Output {
    fn from(text: String) -> Output {
        Output { text, status: 0 }
    }
}

/// A function that receives the failure of a thread.
type Report = Box<dyn FnOnce(Error)>;

thread_local! {
    /// What is called if this thread panics, instead of ending the process.
    static INSTEAD: RefCell<Option<Report>> = const { RefCell::new(None) };
}

/// Makes a panic stop only this thread of a server: its locks are released, and `report` receives
/// the failure. The thread then waits forever, because a release build cannot unwind.
pub fn contain_panics(report: impl FnOnce(Error) + 'static) {
    INSTEAD.set(Some(Box::new(report)));
}

/// The only exit of this process.
#[derive(Debug, Clone)]
pub struct Exit(Arc<State>);

struct State {
    form: Mutex<FailureForm>,
    printed: AtomicBool,
    /// The end of the run, for the watchdog.
    deadline: Mutex<Deadline>,
    earlier: Condvar,
    /// What a command prints if it reaches its deadline, and its exit status.
    unfinished: Mutex<Option<Unfinished>>,
}

type Unfinished = Box<dyn Fn(&Error) -> (String, u8) + Send>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("form", &self.form).finish_non_exhaustive()
    }
}

impl Exit {
    /// Creates the exit of this process. When the process waits for the first time, a watchdog
    /// starts; it ends the process shortly before the deadline.
    pub fn new(form: FailureForm, deadline: Deadline) -> Exit {
        let exit = Exit(Arc::new(State {
            form: Mutex::new(form),
            printed: AtomicBool::new(false),
            deadline: Mutex::new(deadline),
            earlier: Condvar::new(),
            unfinished: Mutex::new(None),
        }));
        let watched = exit.clone();
        files::before_the_first_wait(move || {
            let watched = watched.clone();
            // If no thread can be started, there is no watchdog, but most waits are still limited.
            let _ = thread::Builder::new().stack_size(64 * 1024).spawn(move || watched.watch());
        });
        exit
    }

    /// Sets how failures are reported from now on.
    pub fn set_form(&self, form: FailureForm) {
        *self.0.form.lock().unwrap_or_else(PoisonError::into_inner) = form;
    }

    /// Makes a panic end the process with an `INTERNAL` failure, except in a thread that called
    /// [`contain_panics`]. A client can use neither a panic message nor a signal. The panic message
    /// may contain anything and is not printed.
    pub fn on_panic(&self) {
        let exit = self.clone();
        panic::set_hook(Box::new(move |panic| {
            // In the packaged programs for Linux, only the file is known.
            let location = panic.location().map(|place| match place.line() {
                0 => place.file().to_owned(),
                _ => place.to_string(),
            });
            let location = location.unwrap_or_else(|| "an unknown location".to_owned());
            let error = Error::bug(format!("wif-token has a bug at {location}"));
            let Some(report) = INSTEAD.take() else { leave(exit.failure(&error)) };
            lock::release_all();
            report(error);
            loop {
                thread::park();
            }
        }));
    }

    /// Sets the deadline of the run, when its timeout is known.
    pub fn at_deadline(&self, deadline: Deadline) {
        let mut current = self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let is_earlier = deadline.until_watchdog() < current.until_watchdog();
        *current = deadline;
        if is_earlier {
            self.0.earlier.notify_one();
        }
    }

    /// Sets what the command prints instead of a failure if it reaches its deadline. `unfinished`
    /// receives the failure, and returns the text and the exit status.
    pub fn if_unfinished(&self, unfinished: impl Fn(&Error) -> (String, u8) + Send + 'static) {
        let mut current = self.0.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Box::new(unfinished));
    }

    /// Waits for the deadline, and ends the process.
    fn watch(&self) {
        let mut deadline = self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match deadline.until_watchdog() {
                Duration::ZERO => break,
                left => {
                    let waited = self.0.earlier.wait_timeout(deadline, left);
                    deadline = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        let (deadline, exit) = (*deadline, self.clone());
        let (sender, printed) = mpsc::channel();
        // The process must end even if nobody reads the output.
        let print = move || sender.send(exit.hangs(deadline.error()));
        if thread::Builder::new().spawn(print).is_err() {
            leave(self.hangs(deadline.error()));
        }
        let status = printed.recv_timeout(PRINTING);
        leave(status.unwrap_or(Kind::Unreachable.exit_status().into()));
    }

    /// Prints that the run reached its deadline, and what it waits for. Returns the exit status.
    fn hangs(&self, error: Error) -> i32 {
        if self.0.printed.load(Ordering::SeqCst) {
            let error = error.cause("nothing reads standard output");
            return self.on_standard_error(&error.fix("read the output of wif-token"));
        }
        let error = files::blaming_file(error);
        let unfinished = self.0.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take();
        match unfinished.map(|unfinished| unfinished(&error)) {
            Some((text, status)) => self.print(&text, status.into()),
            None => self.failure(&error),
        }
    }

    /// Prints a part of the output early, for a user or for a tool that responds to it.
    ///
    /// # Errors
    /// `CONFIGURATION` if it cannot be written.
    pub fn show(&self, text: &str) -> Result<(), Error> {
        match self.0.printed.load(Ordering::SeqCst) {
            true => Ok(()),
            false => write_stdout(text).map_err(not_written),
        }
    }

    /// Prints a text on standard output and returns the exit status: `status` if all was written.
    pub fn print(&self, text: &str, status: i32) -> i32 {
        if self.0.printed.swap(true, Ordering::SeqCst) {
            return self.form().status.unwrap_or(Kind::Internal.exit_status()).into();
        }
        match write_stdout(text) {
            Ok(()) => status,
            Err(error) => self.without_output(&not_written(error)),
        }
    }

    /// Ends the process with status 0 and without an output, from another thread. A run that has already
    /// printed its output ends by itself.
    pub fn end(&self) {
        if !self.0.printed.swap(true, Ordering::SeqCst) {
            leave(0);
        }
    }

    /// Prints a failure and returns the exit status.
    pub fn failure(&self, error: &Error) -> i32 {
        debug_assert!(error.how_to_fix().is_some(), "no fix for: {error}");
        if self.0.printed.swap(true, Ordering::SeqCst) {
            return self.form().status.unwrap_or(error.kind().exit_status()).into();
        }
        let form = self.form();
        let output = (form.output)(error, form.token_type);
        if !output.is_empty() && write_stdout(&output).is_err() {
            return self.without_output(error);
        }
        self.on_standard_error(error)
    }

    /// Reports a failure on standard error and with a status other than 0, because nothing can be
    /// written to standard output.
    fn without_output(&self, error: &Error) -> i32 {
        let status = report(error);
        self.form().status.filter(|status| *status != 0).unwrap_or(status).into()
    }

    fn on_standard_error(&self, error: &Error) -> i32 {
        let form = self.form();
        let status = form.status.unwrap_or(error.kind().exit_status());
        if form.message {
            report(error);
        }
        status.into()
    }

    /// How a failure is reported.
    fn form(&self) -> FailureForm {
        *self.0.form.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process from a place other than the main function: after a panic, which must not unwind
/// into an abort, or when the main thread hangs.
#[allow(clippy::disallowed_methods)]
fn leave(status: i32) -> ! {
    stdio::exit_at_once_if_moved(status);
    process::exit(status)
}

fn write_stdout(text: &str) -> std::io::Result<()> {
    match stdio::moved() {
        Some(moved) => write(&moved.stdout, text),
        None => write(std::io::stdout(), text),
    }
}

fn write_stderr(text: &str) -> std::io::Result<()> {
    match stdio::moved() {
        Some(moved) => write(&moved.stderr, text),
        None => write(std::io::stderr(), text),
    }
}

/// Prints a failure on standard error and returns the exit status.
fn report(error: &Error) -> u8 {
    let _ = write_stderr(&format!("{error}\n"));
    error.kind().exit_status()
}

/// The error if the output cannot be written. If standard output is closed, the standard library
/// opens `/dev/null` in its place, and there is no error.
fn not_written(error: std::io::Error) -> Error {
    let fix = match error.kind() {
        ErrorKind::BrokenPipe => "check why the program that reads the output exited",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free disk space, or redirect the output to another file"
        }
        _ => "redirect the output to another file",
    };
    Error::new(Kind::Configuration, "cannot write to standard output").cause(error).fix(fix)
}

#[cfg(unix)]
fn write(mut to: impl Write + AsFd, text: &str) -> std::io::Result<()> {
    if text.len() > libc::PIPE_BUF || !is_writable(&to) {
        files::may_wait();
    }
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// Whether `PIPE_BUF` bytes can be written without waiting.
#[cfg(unix)]
fn is_writable(to: &impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&now)) == Ok(1)
}

#[cfg(windows)]
fn write(mut to: impl Write, text: &str) -> std::io::Result<()> {
    files::may_wait();
    to.write_all(text.as_bytes())?;
    to.flush()
}
