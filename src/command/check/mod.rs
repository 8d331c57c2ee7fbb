//! Walks the path from a credential configuration to a service account's token, says of each link
//! whether it holds, and what fixes it. It stops at nothing that it can still learn.

mod aws;
mod claims;
mod configuration;
mod executable;
mod google;
mod jwt;
mod mapping;
mod report;
mod saml;

use self::report::Report;
use super::{CommandInfo, Credentials, Delegates, Invocation, Output};
use crate::client;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::error::Error;
use crate::options::Format;
use crate::secret::Secret;
use crate::token::TokenType;

choices! {
    /// How the report is printed.
    enum Shape {
        /// A line for each link.
        Text = "text",
        /// JSON.
        Json = "json",
    }
}

options! {
    /// Options of `check`.
    #[allow(dead_code)] // --format is read as a Format
    struct Options {
        /// send nothing: the configuration and the token
        offline: bool = "--offline",
        /// the pool provider's attribute mapping, google.subject=assertion.sub,…
        mapping: Option<String> = "--mapping=MAPPING",
        /// a line for each link (the default), or JSON
        format: Option<Shape> = "--format",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "check",
    summary: "which link from the configuration to the token is broken, and what fixes it",
    options: &[Credentials::TABLE, Options::TABLE, Delegates::TABLE],
    of_source: false,
    run,
};

/// Why a link was skipped that needs a request.
const OFFLINE: &str = "no request is sent with --offline";

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&typed.values)?;
    let Delegates { delegate } = Delegates::read(&typed.values)?;
    let cx = &cx.narrowed(|world, http| {
        world.log = world.log.keeping();
        http.offline = options.offline;
    });
    let mut report = Report::default();
    match typed.configuration(cx) {
        Err(error) => {
            report.error("configuration", &error);
        }
        Ok(config) => walk(&options, delegate, &config, cx, &mut report),
    }
    let text = match typed.format {
        Format::Json => report.to_json(),
        _ => report.to_text(),
    };
    Ok(Output { text, status: report.exit_status() })
}

fn walk(
    options: &Options,
    delegates: Vec<String>,
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) {
    configuration::check(config, report);
    if let CredentialSource::Executable { .. } = config.source {
        executable::check(config, cx, report);
    }
    if let Some(token) = subject_token(config, cx, report) {
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
        google::check(&token, delegates, config, cx, report);
    } else {
        report.skipped("exchange", "there is no subject token");
        google::check_account(config, cx, report);
    }
    google::check_clock(cx, report);
}

/// Gets the subject token as a client would, and tells the steps.
fn subject_token(config: &CredentialConfig, cx: &Context, report: &mut Report) -> Option<Secret> {
    let before = cx.log.kept().len();
    let got = client::subject_token::get(config, cx);
    let mut steps: Vec<String> = cx.log.kept().into_iter().skip(before).collect();
    steps.dedup();
    match got {
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
