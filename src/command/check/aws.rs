//! A signed `GetCallerIdentity` request against the rules that Google documents.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Kind;
use crate::secret::Secret;
use crate::time::rfc3339;
use crate::token::{Audience, aws_request};

const LINK: &str = "subject token";

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let now = cx.clock.now();
    let json = percent_decode_str(token.expose()).decode_utf8().unwrap_or_default();
    let request: Value = serde_json::from_str(&json).unwrap_or_default();
    let header = |name: &str| {
        let headers = request.get("headers").and_then(Value::as_array).into_iter().flatten();
        let text = |header: &Value, name: &str| {
            header.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        headers
            .filter(|h| text(h, "key").is_some_and(|key| key.eq_ignore_ascii_case(name)))
            .find_map(|h| text(h, "value"))
    };
    let before = report.findings.len();
    let mut wrong = |kind, message: &str| {
        let fix = "make one with the source aws: wif-token aws --mode=caller-identity";
        report.wrong(LINK, kind, message, fix);
    };
    let url = request.get("url").and_then(Value::as_str).unwrap_or_default();
    if !is_sts(url) {
        wrong(Kind::Protocol, "its url is no GetCallerIdentity at an STS host of AWS");
    }
    if request.get("method").and_then(Value::as_str) != Some("POST") {
        wrong(Kind::Protocol, "its method is not POST");
    }
    for name in ["x-amz-date", "authorization", "host", "x-goog-cloud-target-resource"] {
        if header(name).is_none() {
            wrong(Kind::Protocol, &format!("it has no header {name}"));
        }
    }
    let target = header("x-goog-cloud-target-resource");
    if target.is_some_and(|name| !Audience::new(config.audience.as_str()).is(&name)) {
        wrong(Kind::Configuration, "it was made for another pool provider");
    }
    match aws_request::date(token.expose()) {
        Some(date) if date > now => wrong(Kind::Configuration, "its x-amz-date lies in the future"),
        Some(date) if date + aws_request::LIFE <= now => {
            wrong(Kind::Expired, &format!("it was made at {}", rfc3339(date)));
        }
        _ => {}
    }
    if report.findings.len() == before {
        report.ok(LINK, "a signed request that Google's rules allow");
    }
    report.skipped("claims", "AWS tells them to Google alone: assertion.arn, assertion.account");
}

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
    let has = |wanted: &str| query.split('&').any(|pair| pair.starts_with(wanted));
    known && has("Action=GetCallerIdentity") && has("Version=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_of_sts_are_known_by_their_whole_name() {
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
