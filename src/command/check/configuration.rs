//! The configuration itself: audience, types, addresses, times.

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

/// Seconds that a service account's token may live.
const LIFETIMES: std::ops::RangeInclusive<u64> = 600..=43_200;

pub(super) fn check(config: &CredentialConfig, report: &mut Report) {
    file(config, report);
    audience(config, report);
    token_type(config, report);
    token_url(config, report);
    impersonation(config, report);
}

/// Who may write the configuration may run programs as whoever uses it.
fn file(config: &CredentialConfig, report: &mut Report) {
    let (link, shown) = ("configuration", config.path.display().to_string());
    match files::writable_by_others(&config.path) {
        None => report.ok(link, shown),
        Some(who) => report.wrong(
            link,
            Kind::Configuration,
            format!("{who} may write {shown}"),
            format!("run chmod go-w {}: it says where tokens go", quoted(&shown)),
        ),
    };
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
            "the audience is of {}, universe_domain is {}",
            provider.universe, config.universe
        );
        report.wrong(link, Kind::Configuration, message, "make them the same");
        return;
    }
    match (&provider.project, &config.user_project) {
        (Some(_), Some(_)) => {
            report.wrong(
                link,
                Kind::Configuration,
                "workforce_pool_user_project stands beside a workload pool",
                "remove it: clients refuse the file",
            );
        }
        (None, None) => {
            report.warning(
                link,
                "a workforce pool without a project that pays for requests",
                "set workforce_pool_user_project to the number of a project",
            );
        }
        _ => {
            let pool = if provider.project.is_some() { "workload" } else { "workforce" };
            let (id, of) = (&provider.provider, &provider.pool);
            report.ok(link, format!("the provider {id} of the {pool} pool {of}"));
        }
    }
}

fn token_type(config: &CredentialConfig, report: &mut Report) {
    let link = "token type";
    let urn = config.token_type.urn();
    let is_aws = config.token_type == TokenType::AwsRequest;
    match (&config.source, is_aws) {
        (CredentialSource::Aws, false) => {
            report.wrong(
                link,
                Kind::Configuration,
                format!("{urn} does not go with environment_id"),
                "set subject_token_type to urn:ietf:params:aws:token-type:aws4_request",
            );
        }
        (CredentialSource::Aws, true) | (_, false) => {
            report.ok(link, urn);
        }
        (_, true) => {
            report.warning(
                link,
                format!("{urn} without environment_id"),
                "Python and gcloud take it for their own AWS class: use a JWT (wif-token aws) for them",
            );
        }
    }
}

fn token_url(config: &CredentialConfig, report: &mut Report) {
    let link = "token service";
    let url = &config.token_url;
    if !url.path().ends_with("/v1/token") {
        report.wrong(
            link,
            Kind::Configuration,
            format!("token_url is {url}"),
            format!("set it to https://sts.{}/v1/token", config.universe),
        );
        return;
    }
    address(link, url, "sts", config, report);
}

/// Names an address that is not Google's: whoever serves it gets tokens.
fn address(
    link: &'static str,
    url: &Url,
    service: &str,
    config: &CredentialConfig,
    report: &mut Report,
) {
    if !url.is_https() && !url.is_local() {
        let message = format!("{url} is plain http");
        report.wrong(link, Kind::Configuration, message, "use https");
        return;
    }
    if url.is_local() || is_google(url.host(), service, &config.universe) {
        report.ok(link, url.to_string());
        return;
    }
    report.warning(
        link,
        format!("{} is not a host of {}", url.host(), config.universe),
        "make sure that you know who runs it: it is sent tokens",
    );
}

/// The public host of a service, its mTLS and regional ones, and those of Private Service Connect.
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
        report.wrong(
            link,
            Kind::Configuration,
            format!("token_lifetime_seconds is {lifetime}"),
            "it has to be 600 to 43200",
        );
        return;
    }
    let account = &impersonation.account;
    let is_id = account.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id && !account.contains('@') {
        report.wrong(
            link,
            Kind::Configuration,
            format!("{account} is neither an address nor a unique id"),
            "an address ends in .iam.gserviceaccount.com",
        );
        return;
    }
    address(link, &impersonation.url, "iamcredentials", config, report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_google_are_known_by_their_whole_name() {
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
