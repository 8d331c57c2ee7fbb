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
use super::{CREDENTIALS, CommandInfo, DELEGATE, Invocation, Output};
use crate::client;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::error::Error;
use crate::options::{Format, OptionInfo, Takes};
use crate::secret::Secret;
use crate::token::TokenType;

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "check",
    summary: "which link from the configuration to the token is broken, and what fixes it",
    options: &[
        CREDENTIALS,
        OptionInfo::new("offline", Takes::Flag, "send nothing: the configuration and the token"),
        OptionInfo::new(
            "mapping",
            Takes::Text("MAPPING"),
            "the pool provider's attribute mapping, google.subject=assertion.sub,…",
        ),
        DELEGATE,
        OptionInfo::new(
            "format",
            Takes::Choice(&["text", "json"]),
            "a line for each link (the default), or JSON",
        ),
    ],
    of_source: false,
    run,
};

/// Why a link was skipped that needs a request.
const OFFLINE: &str = "no request is sent with --offline";

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let cx = &cx.narrowed(|world, http| {
        world.log = world.log.keeping();
        http.offline = typed.values.flag("offline");
    });
    let mut report = Report::default();
    match CredentialConfig::read(&typed.values, cx) {
        Err(error) => {
            report.error("configuration", &error);
        }
        Ok(config) => walk(typed, &config, cx, &mut report),
    }
    let text = match typed.format {
        Format::Json => report.to_json(),
        _ => report.to_text(),
    };
    Ok(Output { text, status: report.exit_status() })
}

fn walk(typed: &Invocation, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    configuration::check(config, report);
    if let CredentialSource::Executable { .. } = config.source {
        executable::check(config, cx, report);
    }
    if let Some(token) = subject_token(config, cx, report) {
        let mapping = typed.values.text("mapping");
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
        google::check(&token, &typed.values, config, cx, report);
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
