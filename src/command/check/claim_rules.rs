//! Judges the header and the claims of a JWT by the rules of a relying party.

use std::iter;

use serde_json::{Map, Value};

use super::report::Report;
use super::rules::{Rules, Settings};
use crate::error::Kind;
use crate::http::Url;
use crate::time::{instant, rfc3339};

const LINK: &str = "subject token";

/// The members of a JWT header, or the claims.
pub(super) type Members = Map<String, Value>;

/// Returns whether the relying party accepts the algorithm.
pub(super) fn algorithm(header: &Members, rules: &Rules, report: &mut Report) -> bool {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("none");
    // Public keys cannot verify these algorithms.
    let is_symmetric = algorithm == "none" || algorithm.starts_with("HS");
    let is_accepted = match rules.algorithms {
        [] => !is_symmetric,
        accepted => accepted.contains(&algorithm),
    };
    let is_refused = !is_accepted && (is_symmetric || !rules.may_accept_others);
    let needs_rsa = !rules.algorithms.is_empty()
        && rules.algorithms.iter().all(|algorithm| algorithm.starts_with("RS"));
    let key = if needs_rsa { ", which requires an RSA key" } else { "" };
    let fix = format!("configure the issuer to sign with {}{key}", one_of(rules.algorithms));
    let algorithm = algorithm.escape_default().to_string();
    if is_refused {
        let message = format!("the token is signed with {algorithm}");
        report.broken(LINK, Kind::Protocol, message, fix);
    } else if !is_accepted {
        let supported = one_of(rules.algorithms);
        let message = format!(
            "the token is signed with {algorithm}, but {} supports only {supported}",
            rules.name
        );
        report.warning(LINK, message, fix);
    } else if let Some((default, setting)) = rules.by_default.filter(|(it, _)| *it != algorithm) {
        let message = format!(
            "the token is signed with {algorithm}, but {} accepts only {default} by default",
            rules.name
        );
        let fix = format!("configure the issuer to sign with {default}, or {setting}");
        report.warning(LINK, message, fix);
    }
    if rules.requires_key_id && !header.get("kid").is_some_and(Value::is_string) {
        let fix = "configure the issuer to name the key in the header of its tokens";
        report.broken(LINK, Kind::Protocol, "the header of the token has no kid", fix);
    }
    if header.contains_key("crit") {
        // RFC 7515, section 4.1.11: a recipient that does not know the extensions must refuse the
        // token.
        let message =
            format!("the token requires extensions (crit), and {} documents none", rules.name);
        let fix = "configure the issuer to sign its tokens without a crit header";
        report.warning(LINK, message, fix);
    }
    !is_refused
}

/// Joins words: `A, B or C`.
fn one_of(words: &[&str]) -> String {
    match words {
        [] => "RS256".to_owned(),
        [word] => (*word).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// Checks the required claims that no other check covers, and the length of the values.
pub(super) fn claims(token: &str, claims: &Members, rules: &Rules, report: &mut Report) {
    for name in rules.claims.iter().filter(|name| **name != "iat") {
        if let Some(message) = lacks_text(claims, name) {
            let fix = format!("configure the issuer to set {name} to a string");
            report.broken(LINK, Kind::Protocol, message, fix);
        }
    }
    for (name, longest) in rules.longest {
        let lengths: Vec<usize> = match *name {
            "token" => vec![token.len()],
            name => texts(claims.get(name)).map(|text| text.chars().count()).collect(),
        };
        if let Some(length) = lengths.into_iter().find(|length| length > longest) {
            let message =
                format!("{name} has {length} characters, but {} allows {longest}", rules.name);
            let fix = format!("configure the issuer for at most {longest} characters");
            report.broken(LINK, Kind::Configuration, message, fix);
        }
    }
    if let Some(setting) = rules.single_use.filter(|_| claims.contains_key("jti")) {
        let message =
            format!("the token has a jti, so {} accepts it only once by default", rules.name);
        let fix = format!("renew the token before each exchange, or set {setting} to false");
        report.warning(LINK, message, fix);
    }
}

/// Explains why a claim that must be a string is not one; `None` if it is one.
fn lacks_text(claims: &Members, name: &str) -> Option<String> {
    match claims.get(name) {
        None | Some(Value::Null) => Some(format!("the token has no {name}")),
        Some(Value::String(text)) if text.is_empty() => {
            Some(format!("the {name} of the token is empty"))
        }
        Some(Value::String(_)) => None,
        Some(_) => Some(format!("the {name} of the token is not a string")),
    }
}

/// Lists the audiences of a token, of which there is at least one.
///
/// # Errors
/// Why the token has no audience.
pub(super) fn audiences(claims: &Members) -> Result<Vec<&str>, &'static str> {
    let found: Vec<&str> = texts(claims.get("aud")).filter(|aud| !aud.is_empty()).collect();
    match claims.get("aud") {
        _ if !found.is_empty() => Ok(found),
        None | Some(Value::Null) => Err("the token has no aud"),
        Some(Value::String(_)) => Err("the aud of the token is empty"),
        Some(Value::Array(items)) if items.is_empty() => Err("the aud of the token is empty"),
        Some(_) => Err("the aud of the token is neither a string nor a list of strings"),
    }
}

/// The strings of a claim, which can be one string or an array.
pub(super) fn texts(claim: Option<&Value>) -> Box<dyn Iterator<Item = &str> + '_> {
    match claim {
        Some(Value::Array(items)) => Box::new(items.iter().filter_map(Value::as_str)),
        Some(Value::String(text)) => Box::new(iter::once(text.as_str())),
        _ => Box::new(iter::empty()),
    }
}

/// A time claim in whole seconds. In the token it may have a fraction.
pub(super) fn time(claims: &Members, name: &str) -> Option<i64> {
    claims.get(name).and_then(instant)
}

/// Checks the times. Only the first mistake is reported.
pub(super) fn times(claims: &Members, rules: &Rules, now: i64, report: &mut Report) {
    let mut wrong = |kind, message: String, fix: &str, limit| {
        let finding = report.broken(LINK, kind, message, fix);
        finding.limit = limit;
        // Google accepts clocks that differ a little, although it does not document this.
        finding.settled_by_exchange = limit.is_some();
    };
    for name in ["iat", "exp", "nbf"] {
        let Some(value) = claims.get(name) else { continue };
        let what = match () {
            () if instant(value).is_none() => "not a time in seconds since 1970",
            // RFC 7519, section 2.
            () if value.is_string() => "a string, not a number of seconds since 1970",
            () if rules.whole_seconds && !value.is_i64() => {
                "not a whole number of seconds since 1970"
            }
            () => continue,
        };
        let message = format!("{name} of the token is {what}");
        let fix =
            format!("configure the issuer to set {name} to a whole number of seconds since 1970");
        return wrong(Kind::Protocol, message, &fix, None);
    }
    let requires_iat = rules.claims.contains(&"iat");
    match (time(claims, "iat"), time(claims, "exp")) {
        (_, None) => {
            let fix = "configure the issuer to set exp";
            wrong(Kind::Protocol, "the token has no exp".into(), fix, None);
        }
        (None, _) if requires_iat => {
            let fix = "configure the issuer to set iat";
            wrong(Kind::Protocol, "the token has no iat".into(), fix, None);
        }
        (_, Some(exp)) if exp <= now => {
            let message = format!("the token expired at {}", rfc3339(exp));
            let fix = "get a new token, and check the clocks of this host and of the issuer";
            wrong(Kind::Expired, message, fix, Some(exp));
        }
        (Some(iat), _) if iat - now > rules.skew.iat => {
            let message = format!("iat is {}, which is {} s from now", rfc3339(iat), iat - now);
            let fix = "check the clocks of this host and of the issuer";
            wrong(Kind::Configuration, message, fix, Some(iat));
        }
        _ if let Some(nbf) = time(claims, "nbf").filter(|nbf| nbf - now > rules.skew.nbf) => {
            let message = format!("the token is not valid yet: nbf is {}", rfc3339(nbf));
            let fix = "check the clocks of this host and of the issuer, or configure the issuer \
                       to set nbf to the time of issue";
            wrong(Kind::Configuration, message, fix, Some(nbf));
        }
        (Some(iat), Some(exp)) => lifetime(exp - iat, rules, report),
        (None, Some(_)) => {}
    }
}

fn lifetime(seconds: i64, rules: &Rules, report: &mut Report) {
    let Some(limit) = rules.lifetime.as_ref().filter(|limit| seconds > limit.default) else {
        return;
    };
    let message = format!("the lifetime of the token is {seconds} s, but {} accepts", rules.name);
    let fix = |most| format!("configure the issuer for a lifetime of at most {most} s");
    if seconds > limit.highest {
        let message = format!("{message} at most {} s", limit.highest);
        let finding = report.broken(LINK, Kind::Configuration, message, fix(limit.highest));
        finding.settled_by_exchange = true;
        return;
    }
    let message = format!("{message} {} s by default", limit.default);
    let fix = format!("{}, or set {} to at least {seconds}", fix(limit.default), limit.setting);
    report.warning(LINK, message, fix);
}

/// Checks the `iss` claim. Returns it if it is the URL of an issuer.
pub(super) fn issuer(claims: &Members, rules: &Rules, report: &mut Report) -> Option<String> {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let mut wrong = |message: String| {
        let Settings { issuer, keys, .. } = rules.settings;
        let fix = format!("configure the issuer to set iss to {issuer}");
        match rules.requires_issuer {
            true => report.broken(LINK, Kind::Protocol, message, fix),
            false => report.warning(LINK, message, format!("{fix}, or {keys}")),
        };
        None
    };
    match Url::parse_issuer(issuer) {
        _ if let Some(message) = lacks_text(claims, "iss") => wrong(message),
        Err(why) => wrong(format!("the iss of the token {why}")),
        Ok(url) if !url.is_https() && !url.is_local() => {
            wrong("the iss of the token uses plain http".to_owned())
        }
        // An issuer on this host is for tests, and may have a port.
        Ok(url) if !rules.issuer_port && url.has_port() && !url.is_local() => {
            let fix = match rules.settings.keys {
                "" => "use an issuer URL without a port".to_owned(),
                keys => format!("use an issuer URL without a port, or {keys}"),
            };
            report.warning(LINK, "the iss of the token has a port", fix);
            Some(issuer.to_owned())
        }
        Ok(_) => Some(issuer.to_owned()),
    }
}
