//! `check`: finds out at which step from a credential configuration to an access token the set-up
//! fails.
//!
//! It checks the configuration, gets a subject token as a client would, compares the token with the
//! rules of Google, exchanges it and impersonates the service account. It reports each
//! check with a fix, and continues after a failed check with everything that can still be checked.
//! With `--helper`, it then does what a credential helper does for another tool.

mod aws;
mod claims;
mod command_options;
mod command_words;
mod configuration;
mod executable;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod google;
mod hosts;
mod jwt;
mod kubernetes;
mod look;
mod mapping;
mod metadata_server;
mod mismatch;
mod output_document;
mod output_file;
mod report;
mod saml;
mod shell_syntax;
mod shown_command;
mod status;
mod strictness;
mod user;

use std::mem::take;

use self::look::Look;
use self::report::Report;
use super::{CommandInfo, Invocation};
use crate::client;
use crate::client::credentials::{CredentialOptions, Hop, Origin};
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::contract::judgement::Trouble;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Format;
use crate::secret::Secret;
use crate::token::TokenType;

choices! {
    /// How the report is printed.
    enum Shape {
        /// One line for each check.
        Text = "text",
        /// JSON.
        Json = "json",
    }
}

options! {
    /// Options of `check`.
    #[allow(dead_code)] // --format is read as a Format
    struct Options {
        /// check only the configuration and the token; send no requests
        offline: bool = "--offline",
        /// attribute mapping of the pool provider, such as google.subject=assertion.sub
        mapping: Option<String> = "--mapping=MAPPING",
        /// print one line for each check (default), or JSON
        format: Option<Shape> = "--format",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "check",
    also: &["verify", "validate", "test", "diagnose", "doctor", "lint", "status"],
    summary: "find out why a credential configuration does not work, and how to fix it",
    options: &[CredentialOptions::TABLE, Options::TABLE, kubernetes::Options::TABLE],
    of_source: false,
    rest: None,
    example: "wif-token check --credentials=credentials.json",
    run,
};

/// Why a check that needs a request was skipped.
const OFFLINE: &str = "no requests are sent with --offline";

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    CredentialOptions::checked(&invocation.values)?;
    let helper = kubernetes::Options::of(invocation)?;
    let cx = &cx.narrowed(|world, http| {
        world.log = world.log.recording();
        http.offline = options.offline;
    });
    let look = Look::of_stdout(&cx.env).filter(|_| invocation.format != Format::Json);
    let mut report = Report::new(look);
    next("configuration", &mut report, invocation);
    match invocation.credentials(cx) {
        Err(error) => {
            report.error("configuration", &error);
        }
        Ok(credentials) => {
            let check = Check { invocation, options: &options, hops: &credentials.hops, cx };
            match &credentials.origin {
                Origin::ExternalAccount(config) => walk(&check, config, &mut report),
                Origin::User(user) => user::check(&check, user, &mut report),
                Origin::MetadataServer(server) => {
                    metadata_server::check(&check, server, &mut report)
                }
            }
            google::check_clock(options.offline, cx, &mut report);
        }
    }
    if helper.names_helper() {
        next("cluster", &mut report, invocation);
        kubernetes::check(&helper, invocation, cx, &mut report);
    }
    let (text, status) = output(&report, invocation.format);
    Ok(Output { text, status })
}

fn output(report: &Report, format: Format) -> (String, u8) {
    let text = match format {
        Format::Json => report.to_json(),
        _ => report.to_text(),
    };
    (text, report.exit_status())
}

/// Shows the checks so far, if a user watches a terminal. If the run reaches its deadline during the
/// next check, it prints the rest of them.
fn next(link: &'static str, report: &mut Report, invocation: &Invocation) {
    if let Some(text) = report.show() {
        invocation.exit.show(&text);
    }
    let (report, format) = (report.clone(), invocation.format);
    invocation.exit.if_unfinished(move |error| {
        let mut report = report.clone();
        report.error(link, error);
        output(&report, format)
    });
}

/// What every part of the walk needs.
struct Check<'a> {
    invocation: &'a Invocation,
    options: &'a Options,
    /// The service accounts that are impersonated.
    hops: &'a [Hop],
    cx: &'a Context,
}

impl Check<'_> {
    /// Begins with this check.
    fn next(&self, link: &'static str, report: &mut Report) {
        next(link, report, self.invocation);
    }
}

fn walk(check: &Check, config: &CredentialConfig, report: &mut Report) {
    let Check { options, hops, cx, .. } = *check;
    configuration::check(config, hops, report);
    if let Err(error) = cx.require_valid_proxy(&config.token_url) {
        report.error("token service", &error);
    }
    check.next("executable", report);
    let skipped = executable::check(config, cx, report);
    check.next("source", report);
    let token = match skipped {
        Some(why) => {
            report.skipped("source", why);
            None
        }
        None => subject_token(config, cx, report),
    };
    if let Some(token) = token {
        check.next("subject token", report);
        let mapping = options.mapping.as_deref();
        match config.token_type {
            TokenType::Jwt | TokenType::IdToken => {
                jwt::check(&token, config, cx, report);
                claims::of_jwt(&token, mapping, config, report);
            }
            TokenType::Saml2 => {
                saml::check(&token, config, cx.clock.now(), report);
                claims::of_saml(&token, mapping, config, report);
            }
            TokenType::AwsRequest => aws::check(&token, config, cx, report),
        }
        check.next("exchange", report);
        google::check(&token, config, check, report);
    } else {
        report.skipped("exchange", "no subject token is available");
        check.next("account", report);
        google::check_accounts(check, report);
    }
    if report.depends_on_time() {
        google::ask_time(config, cx);
    }
}

/// Whether a request to Google or to the issuer was not sent because of `--offline`. Then the
/// settings that would also prevent it were reported before.
fn is_offline(error: &Error, cx: &Context) -> bool {
    error.is_offline() || error.is_local() && cx.is_offline()
}

/// Gets the subject token as a client would, and reports the steps.
fn subject_token(config: &CredentialConfig, cx: &Context, report: &mut Report) -> Option<Secret> {
    let before = cx.log.recorded().len();
    let mut troubles = Vec::new();
    let token = client::subject_token::examine(config, &mut troubles, cx);
    let mut steps: Vec<String> = Vec::new();
    for step in cx.log.recorded().into_iter().skip(before) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    for path in cx.log.shared_files() {
        let fix = format!("run {}", files::owner_only_command(&path));
        let path = path.display();
        let message = format!("other users can access {path}, which contains a secret");
        report.warning("secret file", message, fix);
    }
    if !report.has_error("output file") {
        troubles.extend(output_document::left_behind(config, cx));
    }
    let fails = troubles.iter().any(|trouble| trouble.fails);
    for Trouble { what, fix, fails } in troubles {
        let what = format!("the program does not behave as clients require: {what}");
        let finding = match fails {
            true => report.broken("source", Kind::Protocol, what, fix),
            false => report.warning("source", what, fix),
        };
        finding.with_steps(take(&mut steps));
    }
    if fails {
        return token.ok();
    }
    match token {
        Ok(token) => {
            let length = token.expose().len();
            report.ok("source", format!("a token of {length} bytes")).with_steps(steps);
            Some(token)
        }
        Err(error) if error.is_offline() => {
            report.skipped("source", OFFLINE);
            None
        }
        Err(error) => {
            report.error("source", &error).with_steps(steps);
            None
        }
    }
}
