//! `wif-token`: the executable of a credential configuration for Google Cloud workload identity
//! federation.
//!
//! A Google client runs it, takes a subject token from its standard output and exchanges that at the
//! Security Token Service. The whole story is [`run`]; the contract it keeps is in [`contract`], the
//! sources of tokens are in [`source`].

// A panic would leave a client without a document, and a stray line would break the one it reads.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]
// The door to the world is in few hands: see clippy.toml.
#![warn(clippy::disallowed_methods)]

pub mod cli;
pub mod context;
pub mod contract;
pub mod error;
pub mod files;
pub mod http;
pub mod log;
pub mod negotiate;
pub mod program;
pub mod random;
pub mod secret;
pub mod signing_key;
pub mod source;
pub mod token;

use std::ffi::OsString;

use cli::{Command, Format, Options, Values};
use context::{Clock, Context, Deadline, Env};
use contract::answer::{Answer, Form};
use contract::delivery::Delivery;
use contract::output_file::OutputFile;
use contract::request::Request;
use contract::response::{Document, revoked};
use error::Error;
use http::Http;
use log::Log;
use source::SourceInfo;
use token::TokenType;

/// Runs a command line (without the program's name), answers it on standard output, and gives the
/// exit status.
pub fn run(args: Vec<OsString>, env: Env) -> u8 {
    let form = Form { format: Format::Json, exit_zero: false, token_type: TokenType::Jwt };
    let answer = Answer::new(form);
    answer.answer_panics();

    let cli::Parsed { options, command } = cli::parse(args);
    let form = Form { format: options.format, exit_zero: options.exit_zero, ..form };
    answer.set_form(form);
    let result = command.and_then(|command| match command {
        Command::Help(text) => Ok(text),
        Command::Token(source, values) => {
            let request = Request::new(&options, &env)?;
            answer.set_form(Form { token_type: request.token_type, ..form });
            token(source, &values, &options, &request, env, &answer)
        }
    });
    match result {
        Ok(text) => answer.success(&text),
        Err(error) => answer.failure(&error),
    }
}

/// Gets a subject token, from the output file or from the source, and gives what is to be printed.
fn token(
    info: &SourceInfo,
    values: &Values,
    options: &Options,
    request: &Request,
    env: Env,
    answer: &Answer,
) -> Result<String, Error> {
    let deadline = Deadline::after(options.timeout());
    let log = Log::open(options.log_file.as_deref(), Clock);
    let http = Http::new(options.http.clone(), env.clone(), Clock, deadline);
    let cx = Context { env, clock: Clock, deadline, log, http };
    cx.log.line(format!("wif-token {} {}", env!("CARGO_PKG_VERSION"), info.name));

    let digest = request.digest(info.name, &values.identity(info.options));
    let output_file = request.output_file.clone().map(|path| OutputFile::new(path, digest));
    let delivery = Delivery::new(options.format, request, output_file.as_ref())?;
    let source = (info.build)(values)?;
    if request.revoke {
        output_file.as_ref().map_or(Ok(()), OutputFile::remove)?;
        answer.answer_at(&cx.deadline);
        source.forget(request, &cx)?;
        return Ok(revoked() + "\n");
    }
    // A bare token does not tell for which request it was made: it is always fetched.
    let kept = output_file.as_ref().filter(|_| options.format == Format::Json);
    if let Some(document) = kept.and_then(|file| file.fresh(&cx)) {
        return Ok(delivery.kept(&document));
    }

    answer.answer_at(&cx.deadline);
    files::survive_size_limit();
    let lock = output_file.as_ref().map_or(Ok(None), |file| file.lock(&cx))?;
    if let Some(document) = kept.and_then(|file| file.fresh(&cx)) {
        return Ok(delivery.kept(&document));
    }
    let document = source.subject_token(request, &cx).and_then(|token| {
        Document::new(token, request.token_type, options.expiry_margin, cx.clock.now())
    });
    let document = document.inspect_err(|error| {
        cx.log.line(format!("failed: {} {error}", error.kind().code()));
        if let (Some(lock), Some(file)) = (&lock, &output_file) {
            lock.leave_failure(error, file, &cx);
        }
    })?;
    if let (Some(lock), Some(file)) = (&lock, &output_file) {
        file.tidy(lock);
    }
    delivery.deliver(&document, &cx)
}
