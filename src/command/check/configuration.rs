//! Checks the members of the configuration: audience, token type, URLs and lifetimes.

use std::path::Path;

use super::hosts::{self, Address};
use super::report::Report;
use super::strictness;
use crate::client::credentials::Hop;
use crate::configuration::credential_source::CredentialSource;
use crate::configuration::pool_provider::{PoolProvider, pool_of_fleet};
use crate::configuration::{CredentialConfig, GOOGLEAPIS, Impersonation};
use crate::error::Kind;
use crate::files;
use crate::options::grammar::{is_in_domain_of_google, is_label, is_project};
use crate::show;
use crate::token::TokenType;

/// The lifetimes that a service account's token can have, in seconds.
const LIFETIMES: std::ops::RangeInclusive<u64> = 600..=43_200;

pub(super) fn check(config: &CredentialConfig, hops: &[Hop], report: &mut Report) {
    file(&config.path, has_secret(config), report);
    let universe = hosts::universe(&config.universe, report);
    strictness::check(config, universe, report);
    audience(config, universe, report);
    token_type(config, report);
    token_url(config, universe, report);
    let (own, others) = hops.split_at(usize::from(config.impersonation.is_some()).min(hops.len()));
    impersonations(own, is_mtls(config), universe, report);
    impersonations(others, false, universe, report);
}

/// Whether the client presents a certificate to Google.
pub(super) fn is_mtls(config: &CredentialConfig) -> bool {
    config.token_type == TokenType::Mtls
}

/// Checks who can access the file: anyone who can write to the configuration can run programs as
/// the user who uses it.
pub(super) fn file(path: &Path, has_secret: bool, report: &mut Report) {
    let (link, shown) = ("configuration", path.display().to_string());
    match files::writable_by_others(path) {
        None if has_secret && files::is_shared(path) => {
            let message = format!("other users can read {shown}, which contains a secret");
            report.warning(link, message, format!("run {}", files::owner_only_command(path)))
        }
        None => match files::other_owner(path) {
            Some(owner) => {
                let message = format!("{shown} belongs to {owner}, who can change it");
                report.warning(link, message, format!("run {}", files::own_command(path)))
            }
            None => report.ok(link, shown),
        },
        Some(who) => report.broken(
            link,
            Kind::Configuration,
            format!("{who} can write to {shown}"),
            format!("run {}", files::no_writers_command(path)),
        ),
    };
}

/// Whether the configuration contains a client secret or an HTTP header that may authenticate. The
/// header `Metadata`, which Azure instance metadata requires, does not authenticate.
fn has_secret(config: &CredentialConfig) -> bool {
    let secret = config.client.as_ref().is_some_and(|(_, secret)| !secret.expose().is_empty());
    let CredentialSource::Url(_, headers, _) = &config.source else { return secret };
    secret || headers.iter().any(|(name, _)| !name.eq_ignore_ascii_case("Metadata"))
}

fn audience(config: &CredentialConfig, universe: &str, report: &mut Report) {
    let link = "audience";
    if let Some(pool) = pool_of_fleet(&config.audience) {
        if config.user_project.is_some() {
            user_project_of_workload(report);
            return;
        }
        report.ok(link, format!("the workload identity pool {:?} of a fleet", show::value(pool)));
        return;
    }
    let provider = match PoolProvider::parse(&config.audience) {
        Ok(provider) => provider,
        Err(error) => {
            report.error(link, &error);
            return;
        }
    };
    match wrong_provider(&provider, universe) {
        Some((message, fix)) => {
            report.broken(link, Kind::Configuration, message, fix);
        }
        None => user_project(&provider, config, report),
    }
}

/// Finds what is wrong with the name of a pool provider, and the fix.
fn wrong_provider(provider: &PoolProvider, universe: &str) -> Option<(String, String)> {
    if let Some(id) = [&provider.pool, &provider.provider].into_iter().find(|id| !is_label(id)) {
        let message = format!("{} has characters other than a-z, 0-9 and -", show::value(id));
        let fix = "correct the name of the pool or of the provider in audience";
        return Some((message, fix.to_owned()));
    }
    let found = &provider.universe;
    if [GOOGLEAPIS, universe].contains(&found.as_str()) {
        return None;
    }
    let message =
        format!("the audience is in the universe {found}, but universe_domain is {universe}");
    let expected = PoolProvider { universe: GOOGLEAPIS.to_owned(), ..provider.clone() };
    let set = format!("set audience to {}", expected.name());
    let fix = match hosts::looks_like(found, GOOGLEAPIS) {
        true => set,
        false => format!("{set}, or set universe_domain to {found} if that is your universe"),
    };
    Some((message, fix))
}

/// Checks the project to bill. A workforce pool has no project, so the configuration must name one.
fn user_project(provider: &PoolProvider, config: &CredentialConfig, report: &mut Report) {
    let link = "audience";
    match (&provider.project, &config.user_project) {
        (Some(_), Some(_)) => user_project_of_workload(report),
        (None, None) => {
            report.warning(
                link,
                "workforce_pool_user_project is not set",
                "set workforce_pool_user_project to the number of the project to bill",
            );
        }
        _ => {
            let kind = if provider.project.is_some() { "workload" } else { "workforce" };
            let (id, pool) = (&provider.provider, &provider.pool);
            report.ok(link, format!("the provider {id:?} of the {kind} identity pool {pool:?}"));
        }
    }
    if provider.project.is_none()
        && config.user_project.as_deref().is_some_and(|id| !is_project(id))
    {
        let message = "workforce_pool_user_project is neither a project number nor a project ID";
        let fix = "set workforce_pool_user_project to the number of the project to bill";
        report.broken("configuration", Kind::Configuration, message, fix);
    }
}

fn user_project_of_workload(report: &mut Report) {
    let message = "clients refuse workforce_pool_user_project for a workload identity pool";
    let fix = "remove workforce_pool_user_project";
    report.broken("audience", Kind::Configuration, message, fix);
}

fn token_type(config: &CredentialConfig, report: &mut Report) {
    let link = "token type";
    let urn = config.token_type.urn();
    let is_aws = config.token_type == TokenType::AwsRequest;
    match (&config.source, is_aws) {
        (CredentialSource::Aws, false) => {
            report.broken(
                link,
                Kind::Configuration,
                format!("{urn} does not match environment_id"),
                "set subject_token_type to urn:ietf:params:aws:token-type:aws4_request",
            );
        }
        (CredentialSource::Aws, true) | (_, false) => {
            report.ok(link, urn);
        }
        (_, true) => {
            report.warning(
                link,
                format!("Python, gcloud and Ruby do not support {urn} without environment_id"),
                "for these clients, use an OIDC pool provider, set subject_token_type to \
                 urn:ietf:params:oauth:token-type:jwt, and remove --mode=caller-identity if the \
                 source is aws",
            );
        }
    }
}

fn token_url(config: &CredentialConfig, universe: &str, report: &mut Report) {
    let link = "token service";
    let (url, path) = (&config.token_url, "/v1/token");
    let mtls = if is_mtls(config) { ".mtls" } else { "" };
    if !url.path().ends_with(path) {
        report.broken(
            link,
            Kind::Configuration,
            format!("token_url does not end with {path}: {url}"),
            format!("set token_url to https://sts{mtls}.{universe}{path}"),
        );
        return;
    }
    let (member, service, path) = ("token_url", "sts", path.to_owned());
    Address { link, member, url, service, path, mtls: is_mtls(config) }.check(universe, report);
}

/// Checks the service accounts, and the service that receives the tokens of their callers.
pub(super) fn impersonations(hops: &[Hop], mtls: bool, universe: &str, report: &mut Report) {
    for hop in hops {
        impersonation(&hop.account, mtls, universe, report);
    }
}

fn impersonation(impersonation: &Impersonation, mtls: bool, universe: &str, report: &mut Report) {
    let link = "account service";
    if let Some(lifetime) = impersonation.lifetime.filter(|life| !LIFETIMES.contains(life)) {
        report.broken(
            link,
            Kind::Configuration,
            format!("token_lifetime_seconds is {lifetime}"),
            "set token_lifetime_seconds to a value from 600 to 43200",
        );
        return;
    }
    let account = &impersonation.account;
    let is_id = account.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id && (!account.contains('@') || account.contains(':')) {
        report.broken(
            link,
            Kind::Configuration,
            format!("{account} is neither an email address nor a unique ID"),
            "use the email address of the service account in service_account_impersonation_url",
        );
        return;
    }
    if universe == GOOGLEAPIS && !is_id && !is_in_domain_of_google(account) {
        let message = format!("{account} is not the email address of a service account");
        let fix = "use an email address such as NAME@PROJECT.iam.gserviceaccount.com in \
                   service_account_impersonation_url";
        report.broken(link, Kind::Configuration, message, fix);
        return;
    }
    let (member, service) = ("service_account_impersonation_url", "iamcredentials");
    let path = format!("/v1/projects/-/serviceAccounts/{account}:generateAccessToken");
    let url = &impersonation.url;
    Address { link, member, url, service, path, mtls }.check(universe, report);
}
