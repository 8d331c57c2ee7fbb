//! Checks the credentials of a workload: the configuration, the subject token as a client would get
//! it, and what Google does with the token.

use std::mem::take;

use super::report::Report;
use super::{
    Check, OFFLINE, aws, certificate, claims, configuration, executable, google, jwt,
    output_document, saml,
};
use crate::client;
use crate::client::certificate::Identity;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::{CertificateSource, CredentialSource};
use crate::context::Context;
use crate::contract::judgement::Trouble;
use crate::error::Kind;
use crate::files;
use crate::secret::Secret;
use crate::token::TokenType;

pub(super) fn check(check: &Check, config: &CredentialConfig, report: &mut Report) {
    let Check { hops, cx, .. } = *check;
    configuration::check(config, hops, report);
    if let Err(error) = cx.require_valid_proxy(&config.token_url) {
        report.error("token service", &error);
    }
    if let CredentialSource::Certificate(source) = &config.source {
        with_certificate(check, config, source, report);
    } else {
        with_token(check, config, report);
    }
    if report.depends_on_time() {
        google::ask_time(config, cx);
    }
}

/// Checks a certificate, and what Google does with it.
fn with_certificate(
    check: &Check,
    config: &CredentialConfig,
    source: &CertificateSource,
    report: &mut Report,
) {
    check.next("certificate", report);
    let identity = certificate::check(config, source, check, report);
    shared_files(check.cx, report);
    match &identity {
        Some(Identity { cx, subject_token, .. }) => {
            check.next("exchange", report);
            google::check(subject_token, config, &Check { cx, ..*check }, report);
        }
        None => without_token(check, "no certificate is available", report),
    }
}

/// Checks a subject token from another source, and what Google does with it.
fn with_token(check: &Check, config: &CredentialConfig, report: &mut Report) {
    let Check { options, cx, .. } = *check;
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
            TokenType::Mtls => {} // no source returns such a token
        }
        check.next("exchange", report);
        google::check(&token, config, check, report);
    } else {
        without_token(check, "no subject token is available", report);
    }
}

fn without_token(check: &Check, why: &str, report: &mut Report) {
    report.skipped("exchange", why);
    check.next("account", report);
    google::check_accounts(check, report);
}

/// Reports the files with a secret that other users can access.
fn shared_files(cx: &Context, report: &mut Report) {
    for path in cx.log.shared_files() {
        let fix = format!("run {}", files::owner_only_command(&path));
        let path = path.display();
        let message = format!("other users can access {path}, which contains a secret");
        report.warning("secret file", message, fix);
    }
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
    shared_files(cx, report);
    if !report.has_problem("output file") {
        for error in cx.log.uncached() {
            let message = format!("{}, so no token is cached", error.what());
            report.warning("output file", message, error.how_to_fix().unwrap_or_default());
        }
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
