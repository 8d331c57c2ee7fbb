//! `wif-token`: the executable of a credential configuration for Google Cloud workload identity
//! federation.
//!
//! A Google client runs this program, reads a subject token from its standard output, and exchanges
//! the token at the Security Token Service. Start reading at [`run`]. The contract with the client
//! is in [`contract`], the sources of tokens are in [`source`], and every subject token is fetched
//! by [`source::fetch`]. The program can also do what a client does with the token: see [`client`]
//! and [`command`]. For other tools it is a credential helper: see [`helper`].

// A panic would leave the client without a document. A stray line would break the document.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]
// Only a few modules read the environment, the clock and files: see clippy.toml.
#![warn(clippy::disallowed_methods)]

#[macro_use]
pub mod options;

pub mod cache;
pub mod cli;
pub mod client;
pub mod command;
pub mod configuration;
pub mod context;
pub mod contract;
pub mod der;
pub mod error;
pub mod files;
pub mod formats;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod google;
pub mod helper;
pub mod hex;
pub mod http;
pub mod lock;
pub mod lookup;
pub mod program;
pub mod random;
mod redaction;
pub mod secret;
pub mod server;
pub mod shell;
pub mod show;
pub mod signing_key;
pub mod source;
pub mod spread;
pub mod stdio;
pub mod terminal;
pub mod time;
pub mod token;
pub mod world;
pub mod x509;

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;

use cli::Command;
use command::Invocation;
use context::Context;
use contract::document::revoked;
use contract::exit::{Exit, FailureForm, Output};
use contract::request::SubjectTokenRequest;
use error::{Error, Kind};
use helper::Call;
use options::Options;
use source::command_line::SourceLine;
use source::fetch::Fetch;
use world::{Clock, Deadline, Env, Log, World};

/// Runs the program, called by this name and with these arguments, prints the output, and returns
/// the exit status: 0 for success, 2 to 9 for a failure. The status of `exec` is that of its command,
/// which has 32 bits on Windows.
pub fn run(name: &OsStr, args: Vec<OsString>, env: Env) -> i32 {
    // Opening a file or writing the output may block, so the deadline starts here.
    let deadline = Deadline::after(Options::TIMEOUT);
    files::survive_size_limit();
    let exit = Exit::new(FailureForm::DOCUMENT, deadline);
    exit.on_panic();

    let args = helper::arguments(name, args);
    if args.is_empty() && std::io::stdout().is_terminal() {
        return exit.print(&cli::short_usage(), Kind::Usage.exit_status().into());
    }
    let cli::Parsed { options, format, helper, command } = cli::parse(args);
    let mut form = FailureForm::new(format, options.exit_zero);
    if command.is_err() {
        // A client that expects SAML gets a failure document of that type for a wrong command line too.
        let request = SubjectTokenRequest::new(&options, &env);
        form.token_type = request.map_or(form.token_type, |request| request.token_type);
    }
    exit.set_form(helper.map_or(form, |helper| helper.failure));
    let result = command.and_then(|command| match command {
        Command::Help(text) => Ok(text.into()),
        Command::Token(line) => {
            let request = SubjectTokenRequest::new(&line.common, &env)?;
            exit.set_form(FailureForm { token_type: request.token_type, ..form });
            token(&line, request, env, deadline, &exit).map(Output::from)
        }
        Command::Helper(helper, words, values) => {
            let deadline = deadline.with_timeout(options.timeout());
            exit.at_deadline(deadline);
            let cx = context(&options, deadline, env, helper.name);
            (helper.run)(&Call { words, values, exit: exit.clone() }, &cx)
        }
        Command::Run(command, source, words, values) => {
            let deadline = deadline.with_timeout(options.timeout());
            exit.at_deadline(deadline);
            let cx = context(&options, deadline, env, command.name);
            let exit = exit.clone();
            (command.run)(&Invocation { words, values, format, source, exit }, &cx)
        }
    });
    match result {
        Ok(output) => exit.print(&output.text, output.status),
        Err(error) => exit.failure(&error),
    }
}

/// Gets a subject token, from the output file or from the source, and returns the text to print.
fn token(
    line: &SourceLine,
    request: SubjectTokenRequest,
    env: Env,
    deadline: Deadline,
    exit: &Exit,
) -> Result<String, Error> {
    let revoke = request.revoke;
    let fetch = Fetch::new(line, request, env)?;
    let deadline = deadline.with_timeout(fetch.timeout());
    exit.at_deadline(deadline);
    let cx = context(&line.common, deadline, fetch.env().clone(), line.info.name);
    if revoke {
        fetch.forget(&cx)?;
        return Ok(revoked() + "\n");
    }
    if let Some(text) = fetch.instead(&cx)? {
        return Ok(text);
    }
    let fetch = fetch.inside(&cx)?;
    let document = fetch.document(&cx)?;
    Ok(fetch.destination().stdout(&document))
}

fn context(options: &Options, deadline: Deadline, env: Env, name: &str) -> Context {
    let log = Log::open(options.log_file.as_deref(), Clock);
    log.line(format!("wif-token {} {name}", env!("CARGO_PKG_VERSION")));
    let world = World { env, clock: Clock, deadline, log };
    Context::new(world, options.http.clone(), client::ID_TOKENS)
}
