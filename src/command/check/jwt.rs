//! A JWT against the rules that Google documents for OIDC subject tokens.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use serde_json::{Map, Value};

use super::OFFLINE;
use super::google::PATIENCE;
use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};
use crate::secret::Secret;
use crate::shell::quoted;
use crate::time::rfc3339;
use crate::token::jwks::{self, Failure};
use crate::token::{Audience, jwt};

const LINK: &str = "subject token";

/// Seconds from `iat` to `exp` at most.
const LONGEST_LIFE: i64 = 24 * 3600;

/// Characters of an audience that a pool provider can allow.
const LONGEST_AUDIENCE: usize = 256;

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let parts: Vec<&str> = token.expose().split('.').collect();
    let objects =
        (parts.first().copied().and_then(jwt::object), parts.get(1).copied().and_then(jwt::object));
    let (Some(header), Some(claims)) = objects else {
        let fix = "subject_token_type and the source do not match";
        report.wrong(LINK, Kind::Protocol, "it is no JWT", fix);
        return;
    };
    let now = cx.clock.now();
    let before = report.findings.len();
    algorithm(&header, report);
    times(&claims, now, report);
    let issuer = issuer(&claims, report);
    audience(&claims, config, report);
    if report.findings.len() == before {
        let end = time(&claims, "exp").map(rfc3339).unwrap_or_default();
        report.ok(LINK, format!("a JWT that Google's rules allow, until {end}"));
    }
    if let Some(issuer) = issuer {
        keys(token, &issuer, cx, report);
    }
}

fn algorithm(header: &Map<String, Value>, report: &mut Report) {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("none");
    if !matches!(algorithm, "RS256" | "ES256") {
        let message = format!("it is signed with {}", algorithm.escape_default());
        let fix = "make the issuer sign with RS256 or ES256";
        report.wrong(LINK, Kind::Protocol, message, fix);
    }
}

/// A time in whole seconds; in the token it may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name).and_then(Value::as_f64).map(|time| time as i64)
}

fn times(claims: &Map<String, Value>, now: i64, report: &mut Report) {
    let mut wrong = |kind, message: String, fix: &str| {
        report.wrong(LINK, kind, message, fix);
    };
    match (time(claims, "iat"), time(claims, "exp")) {
        (_, None) => wrong(Kind::Protocol, "it has no exp".into(), "make the issuer set it"),
        (None, _) => wrong(Kind::Protocol, "it has no iat".into(), "make the issuer set it"),
        (_, Some(exp)) if exp <= now => {
            let message = format!("it ended at {}", rfc3339(exp));
            wrong(Kind::Expired, message, "renew it, and check the clock of its issuer");
        }
        (Some(iat), _) if iat > now => {
            let message = format!("it begins at {}, in {} s", rfc3339(iat), iat - now);
            wrong(Kind::Configuration, message, "check the clocks of its issuer and of this host");
        }
        (Some(iat), Some(exp)) if exp - iat > LONGEST_LIFE => {
            let message = format!("it lives {} s", exp - iat);
            wrong(Kind::Configuration, message, "Google takes none that lives longer than 86400 s");
        }
        _ => {}
    }
}

fn issuer(claims: &Map<String, Value>, report: &mut Report) -> Option<String> {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let mut wrong = |message: &str| {
        let fix = "the issuer has to be the https address that the pool provider names";
        report.wrong(LINK, Kind::Protocol, message, fix);
        None
    };
    match Url::parse(issuer) {
        _ if issuer.is_empty() => wrong("it has no iss"),
        Err(_) => wrong("its iss is no https address"),
        Ok(url) if !url.is_https() && !url.is_local() => wrong("its iss is plain http"),
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
        report.wrong(LINK, Kind::Protocol, "it has no aud", fix);
        return;
    };
    let length = first.chars().count();
    if length > LONGEST_AUDIENCE {
        let message = format!("its aud has {length} characters, and a pool provider allows 256");
        let fix = format!("get a token for the audience https:{bare}");
        report.wrong(LINK, Kind::Configuration, message, fix);
        return;
    }
    let allow = match PoolProvider::parse(bare) {
        Ok(provider) => {
            let option = format!("{}={first}", provider.audience_option());
            format!("{} {}", provider.gcloud("update-oidc"), quoted(&option))
        }
        Err(_) => "correct the audience of the configuration first".to_owned(),
    };
    let message = format!("its aud is {}", crate::error::one_line(first));
    let fix = format!("the pool provider has to allow that: {allow}");
    report.warning(LINK, message, fix).settled_by_exchange = true;
}

/// Whether the issuer's keys vouch for it. Where the issuer cannot be asked from here, Google may
/// still reach it, or have been given its keys.
fn keys(token: &Secret, issuer: &str, cx: &Context, report: &mut Report) {
    let link = "issuer";
    let jwks = match published(issuer, cx) {
        Ok(jwks) => jwks,
        Err(error) if error.is_offline() => {
            report.skipped(link, OFFLINE);
            return;
        }
        Err(error) => {
            let fix = error.how_to_fix().unwrap_or_default();
            let finding = report.warning(link, error.what(), fix);
            finding.settled_by_exchange = true;
            finding.on_the_way(route(issuer, cx));
            return;
        }
    };
    let wrong = match jwks::verify(token.expose(), &jwks) {
        Ok(()) => {
            let message = format!("{issuer} publishes the key of the token");
            report.ok(link, message).on_the_way(route(issuer, cx));
            return;
        }
        Err(Failure::UnknownKey) => "does not publish the key (kid) of the token",
        Err(Failure::Signature) => "did not sign the token",
    };
    let error = Error::new(Kind::Protocol, format!("{issuer} {wrong}"))
        .fix("the token may be another issuer's, or its keys have changed: get a new one");
    report.error(link, &error);
}

fn route(issuer: &str, cx: &Context) -> String {
    Url::parse(issuer).map_or_else(|why| why, |url| cx.route(&url))
}

fn published(issuer: &str, cx: &Context) -> Result<Value, Error> {
    let get = |address: &str, name: &str| {
        let url = Url::parse(address)
            .map_err(|why| Error::new(Kind::Protocol, format!("{name} of {issuer} {why}")))?;
        let request = Request::get(&url, "the issuer's metadata").once().limit(PATIENCE);
        cx.send(request)?.require_success()?.json()
    };
    let unreached = |error: Error| match error.is_offline() {
        true => error,
        false => error.fix(
            "Google has to reach it over public https; else upload its keys to the pool provider: \
             --jwk-json-path=FILE",
        ),
    };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let metadata = get(&discovery, "iss").map_err(unreached)?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("issuer") != issuer {
        let what = format!("{discovery} names another issuer than the iss of the token");
        return Err(Error::new(Kind::Protocol, what)
            .fix("correct it at the issuer: Google compares the two letter by letter"));
    }
    get(text("jwks_uri"), "jwks_uri").map_err(unreached).map(Value::Object)
}
