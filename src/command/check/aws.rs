//! Checks a signed `GetCallerIdentity` request against the rules that Google documents, and its
//! signature against those of AWS, as far as they can be checked without the secret key.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use super::mismatch;
use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Kind;
use crate::secret::Secret;
use crate::show;
use crate::time::rfc3339;
use crate::token::Audience;
use crate::token::aws_request::{LIFE, Signature, SignedRequest};

const LINK: &str = "subject token";

/// The header that binds the request to a pool provider.
const TARGET: &str = "x-goog-cloud-target-resource";
const SECURITY_TOKEN: &str = "x-amz-security-token";

/// The headers that Google requires.
const HEADERS: [&str; 4] = ["x-amz-date", "authorization", "host", TARGET];

/// The headers that the signature must cover, so that nobody can change them.
const SIGNED: [&str; 4] = ["host", "x-amz-date", TARGET, SECURITY_TOKEN];

const NEW: &str = "create the token with wif-token aws --mode=caller-identity";

/// The region in a signature for the global host.
const GLOBAL_REGION: &str = "us-east-1";

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let before = report.findings.len();
    match SignedRequest::parse(token.expose()) {
        Ok(request) => check_request(&request, config, cx.clock.now(), report),
        Err(why) => {
            mismatch::report(token, config.token_type, (why, NEW), report);
        }
    }
    if report.findings.len() == before {
        report.ok(LINK, "a signed GetCallerIdentity request that follows Google's rules");
    }
    let why = "AWS returns these claims only to Google: assertion.arn, assertion.account";
    report.skipped("claims", why);
}

fn broken(report: &mut Report, message: impl Into<String>, fix: &str) {
    report.broken(LINK, Kind::Protocol, message, format!("{fix}, or {NEW}"));
}

fn check_request(
    request: &SignedRequest,
    config: &CredentialConfig,
    now: i64,
    report: &mut Report,
) {
    let region = match region(request.member("url").unwrap_or_default()) {
        Ok(region) => Some(region),
        Err((message, fix)) => {
            report.broken(LINK, Kind::Protocol, message, fix);
            None
        }
    };
    if request.member("method") != Some("POST") {
        broken(report, "the method is not POST", "sign a POST request without a body");
    }
    let Some(headers) = request.headers() else {
        let fix = "set headers to a list of objects, each with the string members key and value";
        return broken(report, "the headers do not have the form that Google requires", fix);
    };
    for name in HEADERS.into_iter().filter(|name| request.header(name).is_none()) {
        let fix = format!("add the header {name}");
        broken(report, format!("the request has no header {name}"), &fix);
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let repeated =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|n| n == *name));
    if let Some((_, name)) = repeated {
        let message = format!("the request has the header {} twice", show::value(name));
        broken(report, message, "send each header once");
    }
    target(request, config, report);
    date(request, now, report);
    if request.header("authorization").is_some() {
        match request.signature() {
            Some(signature) => check_signature(request, &signature, &names, region, report),
            None => broken(
                report,
                "the header authorization is not a Signature Version 4 (AWS4-HMAC-SHA256 with \
                 Credential, SignedHeaders and Signature)",
                "sign the request with Signature Version 4",
            ),
        }
    }
}

/// Finds the region of a `GetCallerIdentity` request, which must go to the global or a regional
/// host of AWS STS. The error is what is wrong with the URL, and the fix.
fn region(url: &str) -> Result<&str, (String, String)> {
    let wrong = |what: &str, fix: &str| Err((what.to_owned(), fix.to_owned()));
    let form = "https://sts.REGION.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    let set = format!("set the url to {form}, or {NEW}");
    let Some(rest) = url.strip_prefix("https://") else {
        return wrong(
            "the url of the GetCallerIdentity request does not begin with https://",
            &set,
        );
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let middle = host.strip_prefix("sts.").and_then(|rest| rest.strip_suffix("amazonaws.com"));
    let region = match middle {
        Some("") => Some(GLOBAL_REGION),
        Some(region) => region.strip_suffix('.').filter(|region| is_region(region)),
        None => None,
    };
    let Some(region) = region else {
        if host.ends_with(".amazonaws.com.cn") {
            let what = "the url is in the AWS partition aws-cn, which Google does not support";
            let fix = "set subject_token_type to urn:ietf:params:oauth:token-type:jwt, and use \
                       wif-token aws without --mode=caller-identity and an OIDC pool provider";
            return wrong(what, fix);
        }
        let message = format!(
            "the host in the url of the GetCallerIdentity request is {}, but Google accepts only \
             sts.amazonaws.com and sts.REGION.amazonaws.com",
            show::value(host)
        );
        return Err((message, set));
    };
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    if value("X-Amz-Signature").is_some() {
        let fix = "sign the request in the header authorization instead of the url";
        return wrong("the url is a presigned URL", fix);
    }
    match (path, value("Action"), value("Version")) {
        ("", Some("GetCallerIdentity"), Some("2011-06-15")) => Ok(region),
        ("", Some("GetCallerIdentity"), Some(_)) => {
            wrong("the Version in the url is not 2011-06-15", &set)
        }
        ("", Some("GetCallerIdentity"), None) => wrong("the url has no parameter Version", &set),
        ("", ..) => wrong("the Action in the url is not GetCallerIdentity", &set),
        _ => wrong("the url of the GetCallerIdentity request has a path", &set),
    }
}

/// Whether a text has the form of a region, such as `eu-west-1`. An availability zone ends with a
/// letter.
fn is_region(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let end = text.rsplit_once('-').map_or("", |(_, end)| end);
    !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()) && text.chars().all(is_word)
}

fn target(request: &SignedRequest, config: &CredentialConfig, report: &mut Report) {
    let (Some(target), name) = (request.header(TARGET), config.audience.as_str()) else { return };
    let audience = Audience::new(name);
    if target == audience.without_scheme() {
        return;
    }
    let what = match audience.is(Audience::new(target).without_scheme()) {
        true => "begins with a URL scheme",
        false => "names a different pool provider",
    };
    let message = format!("the header {TARGET} {what}");
    let fix = format!("set the header to {}, or {NEW}", audience.without_scheme());
    report.broken(LINK, Kind::Configuration, message, fix);
}

fn check_signature(
    request: &SignedRequest,
    signature: &Signature,
    names: &[&str],
    region: Option<&str>,
    report: &mut Report,
) {
    let is_signed =
        |name: &str| signature.headers.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    for name in SIGNED.into_iter().filter(|name| names.contains(name) && !is_signed(name)) {
        let fix = format!("add {name} to the signed headers");
        broken(report, format!("SignedHeaders does not name {name}"), &fix);
    }
    let mut others = signature.headers.iter().filter(|name| !HEADERS.contains(name));
    let unknown = others.find(|name| !names.contains(name));
    if let Some(name) = unknown {
        let message = format!(
            "SignedHeaders names {}, but the request has no such header",
            show::value(name)
        );
        broken(report, message, "add each signed header to headers");
    }
    if let Some(region) = region {
        check_signed_host(request, signature, region, report);
    }
    if signature.service != "sts" {
        broken(
            report,
            "the signature is not for the service sts",
            "sign the request for the service sts",
        );
    }
    if request.header("x-amz-date").is_some_and(|date| !date.starts_with(signature.day)) {
        let message = "the day in Credential differs from the day of x-amz-date";
        broken(report, message, "use the same date in Credential and x-amz-date");
    }
    if signature.key_id.starts_with("ASIA") && !names.contains(&SECURITY_TOKEN) {
        let message =
            format!("the access key is temporary, but the request has no header {SECURITY_TOKEN}");
        broken(
            report,
            message,
            &format!("add the session token as the header {SECURITY_TOKEN} and sign that header"),
        );
    }
}

/// Checks that the header and the signature are for the host in the URL, which is in this region.
fn check_signed_host(
    request: &SignedRequest,
    signature: &Signature,
    region: &str,
    report: &mut Report,
) {
    let url = request.member("url").unwrap_or_default();
    let host = url
        .split_once("://")
        .map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    if request.header("host").is_some_and(|name| name != host) {
        broken(
            report,
            "the header host differs from the host in the url",
            "sign the host name that is in the url",
        );
    }
    if region != signature.region {
        let message = format!(
            "the signature is for the region {}, but the host in the url is in {region}",
            show::value(signature.region)
        );
        broken(report, message, &format!("sign the request for the region {region}"));
    }
}

fn date(request: &SignedRequest, now: i64, report: &mut Report) {
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
        None if request.header("x-amz-date").is_some() => {
            let fix = "set x-amz-date to a time such as 20261121T160000Z";
            broken(report, "x-amz-date does not have the form YYYYMMDDTHHMMSSZ", fix);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sts_hosts_are_compared_by_their_whole_name() {
        for (url, expected) in [
            ("https://sts.amazonaws.com?Action=GetCallerIdentity&Version=1", Ok("us-east-1")),
            (
                "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=1",
                Ok("eu-west-1"),
            ),
            (
                "https://sts.us-gov-west-1.amazonaws.com?Version=1&Action=GetCallerIdentity",
                Ok("us-gov-west-1"),
            ),
            (
                "https://sts.eu-west-1.amazonaws.com:443?Action=GetCallerIdentity&Version=1",
                Err("the host"),
            ),
            ("https://sts.a.b.amazonaws.com?Action=GetCallerIdentity&Version=1", Err("the host")),
            (
                "https://sts.eu-west-1a.amazonaws.com?Action=GetCallerIdentity&Version=1",
                Err("the host"),
            ),
            (
                "https://sts-fips.us-east-1.amazonaws.com?Action=GetCallerIdentity&Version=1",
                Err("the host"),
            ),
            (
                "https://sts.cn-north-1.amazonaws.com.cn?Action=GetCallerIdentity&Version=1",
                Err("aws-cn"),
            ),
            ("https://sts.eu-west-1.api.aws?Action=GetCallerIdentity&Version=1", Err("the host")),
            ("https://sts.evil.com?Action=GetCallerIdentity&Version=1", Err("the host")),
            ("http://sts.amazonaws.com?Action=GetCallerIdentity&Version=1", Err("https://")),
            ("https://sts.amazonaws.com?Action=AssumeRole&Version=1", Err("Action")),
            ("https://sts.amazonaws.com?Action=GetCallerIdentity2&Version=1", Err("Action")),
            ("https://sts.amazonaws.com", Err("Action")),
            ("https://sts.amazonaws.com?Action=GetCallerIdentity", Err("Version")),
            ("https://sts.amazonaws.com/x?Action=GetCallerIdentity&Version=1", Err("path")),
            (
                "https://sts.amazonaws.com?Action=GetCallerIdentity&Version=1&X-Amz-Signature=0",
                Err("presigned"),
            ),
        ] {
            match (region(&url.replace("Version=1", "Version=2011-06-15")), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{url}"),
                (Err((found, _)), Err(words)) => assert!(found.contains(words), "{url}: {found}"),
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
    }
}
