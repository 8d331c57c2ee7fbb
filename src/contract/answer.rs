//! The answer: printed once, whole, in the form that was asked for. The only place that prints.
//!
//! On success standard error stays empty, because most clients merge it into the document that they
//! parse. On failure it carries the message as one line, unless `--exit-zero` asks for exit status 0.
//! The watchdog and the panic hook answer through here too: whoever comes first is heard.

use std::io::Write;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::response;
use crate::context::Deadline;
use crate::error::{Error, Kind};
use crate::options::Format;
use crate::token::TokenType;

/// The form of a failure.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// `--format`: with `text` no document is printed.
    pub format: Format,
    /// `--exit-zero`: a failure ends with status 0 and an empty standard error.
    pub exit_zero: bool,
    /// The token type that was asked for.
    pub token_type: TokenType,
}

/// The one answer of this process.
#[derive(Debug, Clone)]
pub struct Answer {
    form: Arc<Mutex<Form>>,
    given: Arc<AtomicBool>,
}

impl Answer {
    /// An answer that has not been given yet.
    pub fn new(form: Form) -> Answer {
        Answer { form: Arc::new(Mutex::new(form)), given: Arc::default() }
    }

    /// Says how failures are to look from now on.
    pub fn set_form(&self, form: Form) {
        *self.form.lock().unwrap_or_else(PoisonError::into_inner) = form;
    }

    /// Answers a panic with an `INTERNAL` failure: a client could make nothing of a message on
    /// standard error or of a signal. The panic's own words may hold anything and are not shown.
    #[allow(clippy::disallowed_methods)] // a panic must not unwind into an abort
    pub fn answer_panics(&self) {
        let answer = self.clone();
        panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("an unknown place".to_owned(), ToString::to_string);
            let error = Error::new(Kind::Internal, format!("defect at {place}"))
                .hint("report it with the command line and the version");
            process::exit(i32::from(answer.failure(&error)));
        }));
    }

    /// Ends the process with a failure shortly before the deadline.
    #[allow(clippy::disallowed_methods)] // something hangs: nobody else can end the process
    pub fn answer_at(&self, deadline: &Deadline) {
        let answer = self.clone();
        deadline.watch(move |error| process::exit(i32::from(answer.failure(&error))));
    }

    /// Prints this on standard output and gives the exit status: this one if all of it was heard.
    pub fn report(&self, text: &str, status: u8) -> u8 {
        if self.given.swap(true, Ordering::SeqCst) {
            return Kind::Internal.exit_status();
        }
        match print(std::io::stdout(), text) {
            Ok(()) => status,
            Err(_) => Kind::Internal.exit_status(), // nobody listens
        }
    }

    /// Prints a failure and gives the exit status.
    pub fn failure(&self, error: &Error) -> u8 {
        if self.given.swap(true, Ordering::SeqCst) {
            return error.kind().exit_status();
        }
        let form = *self.form.lock().unwrap_or_else(PoisonError::into_inner);
        if form.format == Format::Json {
            let document = response::failure(error, form.token_type);
            let _ = print(std::io::stdout(), &format!("{document}\n"));
        }
        if form.exit_zero {
            return 0;
        }
        let _ = print(std::io::stderr(), &format!("{error}\n"));
        error.kind().exit_status()
    }
}

fn print(mut to: impl Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
