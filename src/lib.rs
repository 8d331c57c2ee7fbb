//! `wif-token`: the executable of a credential configuration for Google Cloud workload identity
//! federation.
//!
//! A Google client runs it, takes a subject token from its standard output and exchanges that at the
//! Security Token Service. The whole story is [`run`]; the contract it keeps is in [`contract`], the
//! sources of tokens are in [`source`]. What Google
//! does with one afterwards can be done here too: [`command`].

// A panic would leave a client without a document, and a stray line would break the one it reads.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]
// The door to the world is in few hands: see clippy.toml.
#![warn(clippy::disallowed_methods)]

pub mod cli;
pub mod command;
pub mod context;
pub mod contract;
pub mod error;
pub mod files;
pub mod google;
pub mod http;
pub mod lock;
pub mod log;
pub mod negotiate;
pub mod options;
pub mod program;
pub mod random;
pub mod secret;
pub mod shell;
pub mod signing_key;
pub mod source;
pub mod terminal;
pub mod token;

use std::ffi::OsString;
use std::time::Duration;

use cli::Command;
use command::{Invocation, Output};
use context::{Clock, Context, Deadline, Env};
use contract::answer::{Answer, Form};
use contract::delivery::Delivery;
use contract::output_file::{self, Obtained, OutputFile};
use contract::request::Request;
use contract::response::{Document, revoked};
use error::Error;
use http::Http;
use log::Log;
use options::{Format, Options, Values};
use source::SourceInfo;
use token::TokenType;

/// Runs a command line (without the program's name), answers it on standard output, and gives the
/// exit status.
pub fn run(args: Vec<OsString>, env: Env) -> u8 {
    let form = Form { format: Format::Json, exit_zero: false, token_type: TokenType::Jwt };
    let answer = Answer::new(form);
    answer.answer_panics();

    let cli::Parsed { options, format, command } = cli::parse(args);
    let form = Form { format, exit_zero: options.exit_zero, ..form };
    answer.set_form(form);
    let result = command.and_then(|command| match command {
        Command::Help(text) => Ok(text.into()),
        Command::Token(source, values) => {
            let request = Request::new(&options, &env)?;
            answer.set_form(Form { token_type: request.token_type, ..form });
            token(source, &values, &options, &request, env, &answer).map(Output::from)
        }
        Command::Run(command, source, values) => {
            let cx = context(&options, options.timeout(), env, command.name);
            answer.answer_at(&cx.deadline);
            let parse = cli::parse_source;
            (command.run)(&Invocation { values, format, source, parse }, &cx)
        }
    });
    match result {
        Ok(output) => answer.report(&output.text, output.status),
        Err(error) => answer.failure(&error),
    }
}

fn context(options: &Options, timeout: Duration, env: Env, name: &str) -> Context {
    let deadline = Deadline::after(timeout);
    let log = Log::open(options.log_file.as_deref(), Clock);
    log.line(format!("wif-token {} {name}", env!("CARGO_PKG_VERSION")));
    let http = Http::new(options.http.clone(), env.clone(), Clock, deadline);
    Context { env, clock: Clock, deadline, log, http }
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
    let source = (info.build)(values)?;
    let timeout = options.timeout.unwrap_or_else(|| source.timeout(request));
    let cx = context(options, timeout, env, info.name);
    let format = options.format.unwrap_or(Format::Json);
    let digest = request.digest(info.name, &values.identity(info.options));
    let output_file = request.output_file.clone().map(|path| OutputFile::new(path, digest));
    let delivery = Delivery::new(format, request, output_file.as_ref())?;
    if request.revoke {
        output_file.as_ref().map_or(Ok(()), OutputFile::remove)?;
        answer.answer_at(&cx.deadline);
        source.forget(request, &cx)?;
        return Ok(revoked() + "\n");
    }
    // A bare token does not tell for which request it was made: it is always fetched.
    let reuse = format == Format::Json;
    let obtained = output_file::obtain(
        output_file.as_ref(),
        reuse,
        &cx,
        || answer.answer_at(&cx.deadline),
        || {
            let token = source.subject_token(request, &cx)?;
            Document::new(token, request.token_type, options.expiry_margin, cx.clock.now())
        },
    )?;
    match obtained {
        Obtained::Kept(document) => Ok(delivery.kept(&document)),
        Obtained::New(document, _lock) => delivery.deliver(&document, &cx),
    }
}
