//! How the program ends: it prints its output once and returns the exit status. Only this module
//! prints.
//!
//! On success, standard error stays empty, because most clients merge it into the document that
//! they parse. On failure, it contains the message as one line, unless `--exit-zero` is set. The
//! watchdog and the panic hook end the program through this module too, and only the first caller
//! prints.

use std::io::Write;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::document;
use crate::error::{Error, Kind};
use crate::options::Format;
use crate::token::TokenType;
use crate::world::Deadline;

/// How a failure is reported.
#[derive(Debug, Clone, Copy)]
pub struct FailureForm {
    /// `--format`: with `text` no document is printed.
    pub format: Format,
    /// `--exit-zero`: on failure, the status is 0 and standard error stays empty.
    pub exit_zero: bool,
    /// The requested token type.
    pub token_type: TokenType,
}

/// The one exit of this process.
#[derive(Debug, Clone)]
pub struct Exit {
    form: Arc<Mutex<FailureForm>>,
    printed: Arc<AtomicBool>,
}

impl Exit {
    /// An exit that has not happened yet.
    pub fn new(form: FailureForm) -> Exit {
        Exit { form: Arc::new(Mutex::new(form)), printed: Arc::default() }
    }

    /// Sets how failures are reported from now on.
    pub fn set_form(&self, form: FailureForm) {
        *self.form.lock().unwrap_or_else(PoisonError::into_inner) = form;
    }

    /// Makes a panic end the process with an `INTERNAL` failure, because a client can use neither a
    /// panic message nor a signal. The panic message may contain anything and is not printed.
    #[allow(clippy::disallowed_methods)] // a panic must not unwind into an abort
    pub fn on_panic(&self) {
        let exit = self.clone();
        panic::set_hook(Box::new(move |panic| {
            let location =
                panic.location().map_or("an unknown location".to_owned(), ToString::to_string);
            let error = Error::new(Kind::Internal, format!("wif-token has a bug at {location}"))
                .fix("report this message with the command line and the version");
            process::exit(i32::from(exit.failure(&error)));
        }));
    }

    /// Ends the process with a failure shortly before the deadline.
    #[allow(clippy::disallowed_methods)] // the main thread hangs and cannot end the process
    pub fn at_deadline(&self, deadline: &Deadline) {
        let exit = self.clone();
        deadline.watch(move |error| process::exit(i32::from(exit.failure(&error))));
    }

    /// Prints a text on standard output and returns the exit status: `status` if all was written.
    pub fn print(&self, text: &str, status: u8) -> u8 {
        if self.printed.swap(true, Ordering::SeqCst) {
            return Kind::Internal.exit_status();
        }
        match write(std::io::stdout(), text) {
            Ok(()) => status,
            Err(_) => Kind::Internal.exit_status(), // standard output is closed
        }
    }

    /// Prints a failure and returns the exit status.
    pub fn failure(&self, error: &Error) -> u8 {
        if self.printed.swap(true, Ordering::SeqCst) {
            return error.kind().exit_status();
        }
        let form = *self.form.lock().unwrap_or_else(PoisonError::into_inner);
        if form.format == Format::Json {
            let document = document::failure(error, form.token_type);
            let _ = write(std::io::stdout(), &format!("{document}\n"));
        }
        if form.exit_zero {
            return 0;
        }
        let _ = write(std::io::stderr(), &format!("{error}\n"));
        error.kind().exit_status()
    }
}

fn write(mut to: impl Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
