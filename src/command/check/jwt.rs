//! Checks a JWT against the rules that Google documents for OIDC subject tokens.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use serde_json::{Map, Value};

use super::google::OPTIONAL_REQUEST_TIMEOUT;
use super::mismatch;
use super::output_document::another_provider;
use super::report::Report;
use super::{OFFLINE, is_offline};
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::{LONGEST_AUDIENCE, PoolProvider};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};
use crate::secret::Secret;
use crate::time::{instant, rfc3339};
use crate::token::jwks::{self, Failure};
use crate::token::{Audience, jwt};

const LINK: &str = "subject token";

/// What an audience must be.
const FULL_NAME: &str = "the full resource name of the pool provider";

/// The longest lifetime, from `iat` to `exp`, in seconds.
const LONGEST_LIFETIME: i64 = 24 * 3600;

/// How far in the future `nbf` may be, in seconds.
const TOLERATED_SKEW: i64 = 60;

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let parts: Vec<&str> = token.expose().split('.').collect();
    let objects =
        (parts.first().copied().and_then(jwt::object), parts.get(1).copied().and_then(jwt::object));
    let (Some(header), Some(claims)) = objects else {
        let fix = "set subject_token_type to the type of token that the source returns";
        let otherwise = ("its parts are not base64url-encoded JSON", fix);
        return mismatch::report(token, config.token_type, otherwise, report);
    };
    let now = cx.clock.now();
    let before = report.findings.len();
    if algorithm(&header, report) && !jwt::is_signed(token.expose()) {
        let otherwise = ("it has no valid signature", "pass the complete token, unchanged");
        mismatch::report(token, config.token_type, otherwise, report);
    }
    times(&claims, now, report);
    let issuer = issuer(&claims, report);
    audience(&claims, config, report);
    if report.findings.len() == before {
        let expiry = time(&claims, "exp").map(rfc3339).unwrap_or_default();
        report.ok(LINK, format!("a JWT that follows Google's rules and expires at {expiry}"));
    }
    if let Some(issuer) = issuer {
        keys(token, &issuer, cx, report);
    }
}

/// Returns whether Google accepts the algorithm.
fn algorithm(header: &Map<String, Value>, report: &mut Report) -> bool {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("none");
    let is_accepted = matches!(algorithm, "RS256" | "ES256");
    if !is_accepted {
        let message = format!("the token is signed with {}", algorithm.escape_default());
        let fix = "configure the issuer to sign with RS256 or ES256";
        report.broken(LINK, Kind::Protocol, message, fix);
    }
    is_accepted
}

/// A time claim in whole seconds. In the token it may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name).and_then(instant)
}

fn times(claims: &Map<String, Value>, now: i64, report: &mut Report) {
    let mut wrong = |kind, message: String, fix: &str, limit| {
        report.broken(LINK, kind, message, fix).limit = limit;
    };
    for name in ["iat", "exp", "nbf"] {
        if claims.get(name).is_some_and(|value| instant(value).is_none()) {
            let message = format!("{name} of the token is not a time in seconds since 1970");
            let fix = format!("configure the issuer to set {name} in seconds since 1970");
            return wrong(Kind::Protocol, message, &fix, None);
        }
    }
    match (time(claims, "iat"), time(claims, "exp")) {
        (_, None) => {
            let fix = "configure the issuer to set exp";
            wrong(Kind::Protocol, "the token has no exp".into(), fix, None);
        }
        (None, _) => {
            let fix = "configure the issuer to set iat";
            wrong(Kind::Protocol, "the token has no iat".into(), fix, None);
        }
        (_, Some(exp)) if exp <= now => {
            let message = format!("the token expired at {}", rfc3339(exp));
            let fix = "get a new token, and check the clocks of this host and of the issuer";
            wrong(Kind::Expired, message, fix, Some(exp));
        }
        (Some(iat), _) if iat > now => {
            let message = format!("iat is {}, which is {} s from now", rfc3339(iat), iat - now);
            let fix = "check the clocks of this host and of the issuer";
            wrong(Kind::Configuration, message, fix, Some(iat));
        }
        _ if let Some(nbf) = time(claims, "nbf").filter(|nbf| nbf - now > TOLERATED_SKEW) => {
            let message = format!("the token is not valid yet: nbf is {}", rfc3339(nbf));
            let fix = "check the clocks of this host and of the issuer, or configure the issuer \
                       to set nbf to the time of issue";
            wrong(Kind::Configuration, message, fix, Some(nbf));
        }
        (Some(iat), Some(exp)) if exp - iat > LONGEST_LIFETIME => {
            let message = format!("the lifetime of the token is {} s", exp - iat);
            let fix = "configure the issuer for a lifetime of at most 86400 s";
            wrong(Kind::Configuration, message, fix, None);
        }
        _ => {}
    }
}

fn issuer(claims: &Map<String, Value>, report: &mut Report) -> Option<String> {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let mut wrong = |message: String| {
        let fix = "configure the issuer to set iss to the issuer URL in the pool provider";
        report.broken(LINK, Kind::Protocol, message, fix);
        None
    };
    match Url::parse_issuer(issuer) {
        _ if issuer.is_empty() => wrong("the token has no iss".to_owned()),
        Err(why) => wrong(format!("the iss of the token {why}")),
        Ok(url) if !url.is_https() && !url.is_local() => {
            wrong("the iss of the token uses plain http".to_owned())
        }
        Ok(_) => Some(issuer.to_owned()),
    }
}

fn audience(claims: &Map<String, Value>, config: &CredentialConfig, report: &mut Report) {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let bare = config.audience.as_str();
    let audience = Audience::new(bare);
    if audiences.iter().any(|aud| audience.is(aud)) {
        return;
    }
    let Some(first) = audiences.first() else {
        let fix = format!("get a token for the audience https:{bare}");
        report.broken(LINK, Kind::Protocol, "the token has no aud", fix);
        return;
    };
    let length = first.chars().count();
    if length > LONGEST_AUDIENCE {
        let message = format!("aud has {length} characters, but a pool provider allows 256");
        let fix = format!("get a token for the audience https:{bare}");
        report.broken(LINK, Kind::Configuration, message, fix);
        return;
    }
    let fix = match PoolProvider::parse(bare) {
        _ if report.has_error("audience") => {
            let of_token = PoolProvider::parse(Audience::new(*first).without_scheme());
            let name = of_token.map(|provider| provider.name());
            format!("set audience to {}", name.as_deref().unwrap_or(FULL_NAME))
        }
        // Allowing it would accept the tokens of everyone who may use the other provider.
        _ if let Some(other) = another_provider(first, config) => {
            format!("get a token for the audience https:{bare}, because this one is for {other}")
        }
        Ok(provider) => provider.fix_audience(Some(first)),
        Err(error) => error.how_to_fix().unwrap_or_default(),
    };
    let message = format!("the aud of the token is {}", crate::error::one_line(first));
    report.warning(LINK, message, fix).settled_by_exchange = true;
}

/// Checks the signature with the issuer's published keys. If the issuer cannot be reached from
/// here, Google may still reach it, or the keys may have been uploaded.
fn keys(token: &Secret, issuer: &str, cx: &Context, report: &mut Report) {
    let link = "issuer";
    let jwks = match published(issuer, cx) {
        Ok(jwks) => jwks,
        Err(error) if is_offline(&error, cx) => {
            report.skipped(link, OFFLINE);
            return;
        }
        Err(error) => {
            let fix = error.how_to_fix().unwrap_or_default();
            let finding = report.warning(link, error.what(), fix);
            finding.settled_by_exchange = true;
            finding.with_step(route(issuer, cx));
            return;
        }
    };
    let (wrong, may_be_uploaded) = match jwks::verify(token.expose(), &jwks) {
        Ok(()) => {
            let message = format!("{issuer} publishes the key of the token");
            report.ok(link, message).with_step(route(issuer, cx));
            return;
        }
        Err(Failure::UnknownKey) => ("does not publish the key of the token (kid)", true),
        Err(Failure::Signature) => ("did not sign the token", false),
    };
    let error = Error::new(Kind::Protocol, format!("{issuer} {wrong}"))
        .fix("get a new token, because the issuer's keys may have changed");
    report.error(link, &error).settled_by_exchange = may_be_uploaded;
}

fn route(issuer: &str, cx: &Context) -> String {
    Url::parse(issuer).map_or_else(|why| why, |url| cx.route(&url))
}

fn published(issuer: &str, cx: &Context) -> Result<Value, Error> {
    let get = |address: &str, name: &str| {
        let url = Url::parse(address)
            .map_err(|why| Error::new(Kind::Protocol, format!("{name} of {issuer} {why}")))?;
        let request =
            Request::get(&url, "the issuer's metadata").once().limit(OPTIONAL_REQUEST_TIMEOUT);
        cx.send(request)?.require_success()?.json()
    };
    let unreached = |error: Error| match error.is_offline() || error.is_local() {
        true => error,
        false => error.fix(
            "make the issuer's metadata reachable by Google over public HTTPS, or upload the \
             issuer's keys to the pool provider with --jwk-json-path=FILE",
        ),
    };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let metadata = get(&discovery, "iss").map_err(unreached)?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("issuer") != issuer {
        let what = format!("the issuer in {discovery} differs from the iss of the token");
        return Err(Error::new(Kind::Protocol, what)
            .fix("correct the issuer URL at the issuer, because Google compares the two exactly"));
    }
    get(text("jwks_uri"), "jwks_uri").map_err(unreached).map(Value::Object)
}
