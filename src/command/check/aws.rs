//! Checks a signed `GetCallerIdentity` request against the rules that Google documents.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Kind;
use crate::secret::Secret;
use crate::time::rfc3339;
use crate::token::Audience;
use crate::token::aws_request::{LIFE, SignedRequest};

const LINK: &str = "subject token";

/// The headers that Google requires.
const HEADERS: [&str; 4] = ["x-amz-date", "authorization", "host", "x-goog-cloud-target-resource"];

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let before = report.findings.len();
    match SignedRequest::parse(token.expose()) {
        Some(request) => check_request(&request, config, cx.clock.now(), report),
        None => broken(report, Kind::Protocol, "the token is not percent-encoded JSON"),
    }
    if report.findings.len() == before {
        report.ok(LINK, "a signed GetCallerIdentity request that follows Google's rules");
    }
    let why = "AWS sends them only to Google: assertion.arn, assertion.account";
    report.skipped("claims", why);
}

fn broken(report: &mut Report, kind: Kind, message: &str) {
    let fix = "create the token with wif-token aws --mode=caller-identity";
    report.broken(LINK, kind, message, fix);
}

fn check_request(
    request: &SignedRequest,
    config: &CredentialConfig,
    now: i64,
    report: &mut Report,
) {
    if !is_sts(request.member("url").unwrap_or_default()) {
        let message = "the url is not a GetCallerIdentity request to an STS host of AWS";
        broken(report, Kind::Protocol, message);
    }
    if request.member("method") != Some("POST") {
        broken(report, Kind::Protocol, "the method is not POST");
    }
    for name in HEADERS.into_iter().filter(|name| request.header(name).is_none()) {
        broken(report, Kind::Protocol, &format!("the request has no header {name}"));
    }
    let target = request.header("x-goog-cloud-target-resource");
    if target.is_some_and(|name| !Audience::new(config.audience.as_str()).is(name)) {
        broken(report, Kind::Configuration, "the request is for a different pool provider");
    }
    let clock = "create a new token, and check the clock of this host";
    match request.date() {
        Some(date) if date > now => {
            let message = format!("x-amz-date is in the future: {}", rfc3339(date));
            report.broken(LINK, Kind::Configuration, message, clock).limit = Some(date);
        }
        Some(date) if date + LIFE <= now => {
            let message = format!("the token expired at {}", rfc3339(date + LIFE));
            report.broken(LINK, Kind::Expired, message, clock).limit = Some(date + LIFE);
        }
        _ => {}
    }
}

/// Whether a URL is a `GetCallerIdentity` request to the global or a regional host of AWS STS.
fn is_sts(url: &str) -> bool {
    let Some((host, query)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('?'))
    else {
        return false;
    };
    let host = host.trim_end_matches('/');
    let region = host.strip_prefix("sts.").and_then(|rest| rest.strip_suffix("amazonaws.com"));
    let known = match region {
        Some("") => true,
        Some(region) => {
            let region = region.strip_suffix('.').unwrap_or("/");
            region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }
        None => false,
    };
    let has = |prefix: &str| query.split('&').any(|pair| pair.starts_with(prefix));
    known && has("Action=GetCallerIdentity") && has("Version=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sts_hosts_are_compared_by_their_whole_name() {
        for (url, sts) in [
            ("https://sts.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", true),
            ("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=1", true),
            ("https://sts.eu-west-1.amazonaws.com:443?Action=GetCallerIdentity&Version=1", false),
            ("https://sts.a.b.amazonaws.com?Action=GetCallerIdentity&Version=1", false),
            ("https://sts.evil.com?Action=GetCallerIdentity&Version=1", false),
            ("http://sts.amazonaws.com?Action=GetCallerIdentity&Version=1", false),
            ("https://sts.amazonaws.com?Action=AssumeRole&Version=1", false),
            ("https://sts.amazonaws.com?Action=GetCallerIdentity", false),
        ] {
            assert_eq!(is_sts(url), sts, "{url}");
        }
    }
}
