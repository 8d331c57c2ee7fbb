//! How the program ends: it prints its output once and gives the exit status. The only place that
//! prints.
//!
//! On success standard error stays empty, because most clients merge it into the document that they
//! parse. On failure it carries the message as one line, unless `--exit-zero` asks for exit status 0.
//! The watchdog and the panic hook end the program through here too: only the first one prints.

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
    /// `--exit-zero`: a failure ends with status 0 and an empty standard error.
    pub exit_zero: bool,
    /// The token type that was asked for.
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

    /// Ends the process with an `INTERNAL` failure on a panic: a client can use neither a message on
    /// standard error nor a signal. The panic's own message may contain anything and is not shown.
    #[allow(clippy::disallowed_methods)] // a panic must not unwind into an abort
    pub fn on_panic(&self) {
        let exit = self.clone();
        panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("an unknown place".to_owned(), ToString::to_string);
            let error = Error::new(Kind::Internal, format!("defect at {place}"))
                .fix("report it with the command line and the version");
            process::exit(i32::from(exit.failure(&error)));
        }));
    }

    /// Ends the process with a failure shortly before the deadline.
    #[allow(clippy::disallowed_methods)] // something hangs: nobody else can end the process
    pub fn at_deadline(&self, deadline: &Deadline) {
        let exit = self.clone();
        deadline.watch(move |error| process::exit(i32::from(exit.failure(&error))));
    }

    /// Prints this on standard output and gives the exit status: `status` if all was written.
    pub fn print(&self, text: &str, status: u8) -> u8 {
        if self.printed.swap(true, Ordering::SeqCst) {
            return Kind::Internal.exit_status();
        }
        match write(std::io::stdout(), text) {
            Ok(()) => status,
            Err(_) => Kind::Internal.exit_status(), // nobody reads
        }
    }

    /// Prints a failure and gives the exit status.
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
