//! `check`: finds out at which step from a credential configuration to an access token the set-up
//! fails.
//!
//! It checks the configuration, gets a subject token as a client would, compares the token with the
//! rules of Google, exchanges it and impersonates the service account. It reports each
//! check with a fix, and continues after a failed check with everything that can still be checked.
//! With `--helper`, it then does what a credential helper does for another tool. With
//! `--relying-party`, it judges the token of a source by the rules of another relying party.

mod aws;
mod certificate;
mod claim_rules;
mod claims;
mod command_options;
mod command_words;
mod configuration;
mod empty_members;
mod executable;
mod external_account;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod google;
mod hosts;
mod issuer;
mod jwt;
mod kubernetes;
mod mapping;
mod mapping_mistakes;
mod metadata_server;
mod mismatch;
mod output_document;
mod output_file;
mod parties;
mod relying_party;
mod report;
mod rules;
mod saml;
mod shell_syntax;
mod shown_command;
mod status;
mod strictness;
mod terminal_layout;
mod user;

use self::report::Report;
use self::terminal_layout::Layout;
use super::{After, CommandInfo, Invocation};
use crate::client::credentials::{CredentialOptions, Hop, Origin};
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, OFFLINE};
use crate::options::{Format, TextOrJson};

options! {
    /// Options of `check`.
    #[allow(dead_code)] // --format is read as a Format
    struct Options {
        /// check only the configuration and the token; send no requests
        offline: bool = "--offline",
        /// attribute mapping of the pool provider, such as google.subject=assertion.sub
        mapping: Option<String> = "--mapping=MAPPING",
        /// print one line for each check (default), or JSON
        format: Option<TextOrJson> = "--format",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "check",
    also: &["verify", "validate", "test", "diagnose", "doctor", "lint", "status"],
    summary: "find out why a credential configuration does not work, and how to fix it",
    options: &[
        CredentialOptions::TABLE,
        Options::TABLE,
        kubernetes::Options::TABLE,
        relying_party::Options::TABLE,
    ],
    after: After::OptionalSource,
    own_source: None,
    rest: None,
    example: "wif-token check --credentials=credentials.json",
    run,
};

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let cx = &cx.narrowed(|world, http| {
        world.log = world.log.recording();
        http.offline = options.offline;
    });
    let layout = Layout::of_stdout(&cx.env).filter(|_| invocation.format != Format::Json);
    let mut report = Report::new(layout);
    match relying_party::Target::of(invocation, cx)? {
        Some(target) => relying_party::check(target, invocation, cx, &mut report),
        None => configuration_and_helper(invocation, &options, cx, &mut report)?,
    }
    let (text, status) = output(&report, invocation.format);
    Ok(Output { text, status: status.into() })
}

fn configuration_and_helper(
    invocation: &Invocation,
    options: &Options,
    cx: &Context,
    report: &mut Report,
) -> Result<(), Error> {
    CredentialOptions::checked(&invocation.values)?;
    let helper = kubernetes::Options::of(invocation)?;
    next("configuration", report, invocation);
    match invocation.credentials(cx) {
        Err(error) => {
            report.error("configuration", &error);
        }
        Ok(credentials) => {
            let check = Check { invocation, options, hops: &credentials.hops, cx };
            match &credentials.origin {
                Origin::ExternalAccount(config) => external_account::check(&check, config, report),
                Origin::User(user) => user::check(&check, user, report),
                Origin::MetadataServer(server) => metadata_server::check(&check, server, report),
            }
            google::check_clock(options.offline, cx, report);
        }
    }
    if helper.names_helper() {
        next("cluster", report, invocation);
        kubernetes::check(&helper, invocation, cx, report);
    }
    Ok(())
}

fn output(report: &Report, format: Format) -> (String, u8) {
    let text = match format {
        Format::Json => report.to_json(),
        _ => report.to_text(),
    };
    (text, report.exit_status())
}

/// Shows the checks so far, if a user watches a terminal. If the run reaches its deadline during
/// the check `link`, it prints the rest of the report, with the failure of that check.
fn next(link: &'static str, report: &mut Report, invocation: &Invocation) {
    if let Some(text) = report.show() {
        // A failure is reported with the rest of the report.
        let _ = invocation.exit.show(&text);
    }
    let (report, format) = (report.clone(), invocation.format);
    invocation.exit.if_unfinished(move |error| {
        let mut report = report.clone();
        report.error(link, error);
        output(&report, format)
    });
}

/// What the check of each type of credentials needs.
#[derive(Clone, Copy)]
struct Check<'a> {
    invocation: &'a Invocation,
    options: &'a Options,
    /// The service accounts that are impersonated.
    hops: &'a [Hop],
    cx: &'a Context,
}

impl Check<'_> {
    /// Begins the check `link`.
    fn next(&self, link: &'static str, report: &mut Report) {
        next(link, report, self.invocation);
    }
}

/// Whether a request to Google or to the issuer was not sent because of `--offline`. With
/// `--offline`, a request that a setting of this host prevents counts too, because an earlier check
/// has reported the setting.
fn is_offline(error: &Error, cx: &Context) -> bool {
    error.is_offline() || error.is_local() && cx.is_offline()
}
