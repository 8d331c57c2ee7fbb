//! The members of the configuration: audience, token type, URLs and lifetimes.

use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::configuration::GOOGLEAPIS;
use crate::configuration::credential_source::CredentialSource;
use crate::configuration::pool_provider::PoolProvider;
use crate::error::Kind;
use crate::files;
use crate::http::Url;
use crate::shell::quoted;
use crate::token::TokenType;

/// The lifetimes that a service account's token can have, in seconds.
const LIFETIMES: std::ops::RangeInclusive<u64> = 600..=43_200;

pub(super) fn check(config: &CredentialConfig, report: &mut Report) {
    file(config, report);
    audience(config, report);
    token_type(config, report);
    token_url(config, report);
    impersonation(config, report);
}

/// A user who can write the configuration can run programs as the user of the configuration.
fn file(config: &CredentialConfig, report: &mut Report) {
    let (link, shown) = ("configuration", config.path.display().to_string());
    match files::writable_by_others(&config.path) {
        None if has_secret(config) && files::is_shared(&config.path) => {
            let message = format!("other users can read {shown}, which contains a secret");
            report.warning(link, message, format!("run chmod 600 {}", quoted(&shown)))
        }
        None => report.ok(link, shown),
        Some(who) => report.broken(
            link,
            Kind::Configuration,
            format!("{who} can write to {shown}"),
            format!("run chmod go-w {}", quoted(&shown)),
        ),
    };
}

/// Whether the configuration contains a client secret or an HTTP header that may authenticate.
/// `Metadata`, which Azure instance metadata requires, does not.
fn has_secret(config: &CredentialConfig) -> bool {
    let secret = config.client.as_ref().is_some_and(|(_, secret)| !secret.expose().is_empty());
    let CredentialSource::Url(_, headers, _) = &config.source else { return secret };
    secret || headers.iter().any(|(name, _)| !name.eq_ignore_ascii_case("Metadata"))
}

fn audience(config: &CredentialConfig, report: &mut Report) {
    let link = "audience";
    let provider = match PoolProvider::parse(&config.audience) {
        Ok(provider) => provider,
        Err(error) => {
            report.error(link, &error);
            return;
        }
    };
    if ![GOOGLEAPIS, &config.universe].contains(&provider.universe.as_str()) {
        let message = format!(
            "the audience is in the universe {}, but universe_domain is {}",
            provider.universe, config.universe
        );
        report.broken(
            link,
            Kind::Configuration,
            message,
            "set universe_domain to the universe of the audience",
        );
        return;
    }
    match (&provider.project, &config.user_project) {
        (Some(_), Some(_)) => {
            report.broken(
                link,
                Kind::Configuration,
                "clients refuse workforce_pool_user_project for a workload identity pool",
                "remove workforce_pool_user_project",
            );
        }
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
            report.ok(link, format!("the provider {id} of the {kind} identity pool {pool}"));
        }
    }
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
                format!("Python and gcloud cannot use {urn} without environment_id"),
                "use a JWT for these clients: wif-token aws without --mode",
            );
        }
    }
}

fn token_url(config: &CredentialConfig, report: &mut Report) {
    let link = "token service";
    let url = &config.token_url;
    if !url.path().ends_with("/v1/token") {
        report.broken(
            link,
            Kind::Configuration,
            format!("token_url does not end with /v1/token: {url}"),
            format!("set token_url to https://sts.{}/v1/token", config.universe),
        );
        return;
    }
    address(link, url, "sts", config, report);
}

/// Warns about a URL that is not Google's, because its server receives tokens.
fn address(
    link: &'static str,
    url: &Url,
    service: &str,
    config: &CredentialConfig,
    report: &mut Report,
) {
    if !url.is_https() && !url.is_local() {
        let message = format!("{url} uses plain http");
        report.broken(link, Kind::Configuration, message, "use an https:// URL");
        return;
    }
    if url.is_local() || is_google(url.host(), service, &config.universe) {
        report.ok(link, url.to_string());
        return;
    }
    report.warning(
        link,
        format!("{} is not a host of {}", url.host(), config.universe),
        "make sure that you trust this server, which receives tokens",
    );
}

/// Whether this is the public host of a service, its mTLS or regional host, or a host of Private
/// Service Connect.
fn is_google(host: &str, service: &str, universe: &str) -> bool {
    let Some(name) = host.strip_suffix(universe).and_then(|name| name.strip_suffix('.')) else {
        return false;
    };
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        [first] | [first, "mtls"] => first == service || first.ends_with(&format!("-{service}")),
        [first, "p"] => {
            first.strip_prefix(service).and_then(|rest| rest.strip_prefix('-')).is_some_and(word)
        }
        [first, region, "rep"] => first == service && word(region),
        _ => false,
    }
}

fn impersonation(config: &CredentialConfig, report: &mut Report) {
    let link = "account service";
    let Some(impersonation) = &config.impersonation else { return };
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
    if !is_id && !account.contains('@') {
        report.broken(
            link,
            Kind::Configuration,
            format!("{account} is neither an email address nor a unique ID"),
            "use the email address of the service account in service_account_impersonation_url",
        );
        return;
    }
    address(link, &impersonation.url, "iamcredentials", config, report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn google_hosts_are_compared_by_their_whole_name() {
        for (host, google) in [
            ("sts.googleapis.com", true),
            ("sts.mtls.googleapis.com", true),
            ("sts-mine.p.googleapis.com", true),
            ("sts.europe-west1.rep.googleapis.com", true),
            ("us-east1-sts.googleapis.com", true),
            ("evil.googleapis.com", false),
            ("sts.googleapis.com.example", false),
            ("xsts.googleapis.com", false),
            ("sts.googleapis.com.p.googleapis.com", false),
            ("sts-.p.googleapis.com", false),
        ] {
            assert_eq!(is_google(host, "sts", "googleapis.com"), google, "{host}");
        }
    }
}
