//! Verifies the signature of a JWT with the published keys of its issuer.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>

use serde_json::Value;

use super::google::OPTIONAL_REQUEST_TIMEOUT;
use super::report::Report;
use super::rules::Rules;
use super::{OFFLINE, is_offline};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};
use crate::secret::Secret;
use crate::show;
use crate::token::jwks::{self, Failure};

/// Checks the signature with the issuer's published keys. If this host cannot reach the issuer, the
/// relying party may still reach it, or may already have the keys.
pub(super) fn check(
    token: &Secret,
    issuer: &str,
    rules: &Rules,
    cx: &Context,
    report: &mut Report,
) {
    let link = "issuer";
    let jwks = match published(issuer, rules, cx) {
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
    let (what, fix) = match jwks::verify(token.expose(), &jwks) {
        Ok(()) => {
            let message = format!("{issuer} publishes the key of the token");
            report.ok(link, message).with_step(route(issuer, cx));
            return;
        }
        Err(Failure::Algorithm) => {
            report.skipped(link, "wif-token cannot verify this signature algorithm");
            return;
        }
        Err(failure) => explain(failure, issuer),
    };
    // The relying party may have other keys, which were uploaded.
    let error = Error::new(Kind::Protocol, what).fix(fix);
    report.error(link, &error).settled_by_exchange = true;
}

/// Explains why the published keys do not verify the token, with the fix.
fn explain(failure: Failure, issuer: &str) -> (String, &'static str) {
    match failure {
        Failure::NotAKeySet => (
            format!("the jwks_uri of {issuer} does not return a JWK set, {{\"keys\": [...]}}"),
            "configure the issuer to publish its keys as a JWK set (RFC 7517)",
        ),
        Failure::NoKeys => (
            format!("the jwks_uri of {issuer} returns no keys"),
            "configure the issuer to publish the key of its tokens",
        ),
        Failure::KeysWithoutId => (
            format!("{issuer} publishes keys without kid, but the token names its key"),
            "configure the issuer to publish each key with the kid that its tokens have",
        ),
        Failure::UnusableKey => (
            format!("{issuer} publishes the key of the token (kid) in a form that cannot be used"),
            "configure the issuer to publish it with kty, with n and e or with crv, x and y, and \
             with use set to sig",
        ),
        Failure::UnknownKey => (
            format!("{issuer} does not publish the key of the token (kid)"),
            "get a new token, because the issuer's keys may have changed",
        ),
        Failure::Signature | Failure::Algorithm => (
            format!("the keys that {issuer} publishes do not verify the signature of the token"),
            "get a new token, because the issuer's keys may have changed",
        ),
    }
}

fn route(issuer: &str, cx: &Context) -> String {
    Url::parse(issuer).map_or_else(|why| why, |url| cx.route(&url))
}

fn published(issuer: &str, rules: &Rules, cx: &Context) -> Result<Value, Error> {
    let get = |url: &Url| {
        let request =
            Request::get(url, "the issuer's metadata").once().limit(OPTIONAL_REQUEST_TIMEOUT);
        cx.send(request)?.require_success()
    };
    let name = rules.name;
    let or_upload = |fix: String| match rules.settings.keys {
        "" => fix,
        keys => format!("{fix}, or {keys}"),
    };
    let unreached = |error: Error| match error.is_offline() || error.is_local() {
        true => error,
        false => {
            let public = if rules.is_public { "public " } else { "" };
            error.fix(or_upload(format!(
                "make the issuer's metadata reachable by {name} over {public}HTTPS"
            )))
        }
    };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let discovery = Url::parse(&discovery)
        .map_err(|why| Error::new(Kind::Protocol, format!("the iss of the token {why}")))?;
    let metadata = get(&discovery).and_then(|found| found.json()).map_err(unreached)?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("issuer") != issuer {
        let what = match text("issuer") {
            "" => format!("the metadata at {discovery} has no issuer"),
            other => {
                let shown =
                    Url::parse_issuer(other).map(|url| match show::content(url.as_typed()) {
                        Some(_) => String::new(),
                        None => format!(": {}", url.as_typed()),
                    });
                let shown = shown.unwrap_or_default();
                format!("the issuer in {discovery} differs from the iss of the token{shown}")
            }
        };
        let fix = "configure the issuer to use the same URL in its metadata and in iss, because";
        return Err(
            Error::new(Kind::Protocol, what).fix(format!("{fix} {name} compares the two exactly"))
        );
    }
    let keys = text("jwks_uri");
    // An issuer on this host is for tests, and its keys may have the same plain http origin.
    let is_elsewhere = |url: &Url| Url::parse(issuer).map(|own| own.origin()) != Ok(url.origin());
    let url = match Url::parse(keys) {
        _ if keys.is_empty() => Err("is not set".to_owned()),
        Ok(url) if !url.is_https() && is_elsewhere(&url) => Err("uses plain http".to_owned()),
        url => url,
    };
    let url = url.map_err(|why| {
        let what = format!("the jwks_uri in the metadata of {issuer} {why}");
        let fix =
            format!("configure the issuer to set jwks_uri to an https URL that {name} can reach");
        Error::new(Kind::Protocol, what).fix(or_upload(fix))
    })?;
    let response = get(&url).map_err(unreached)?;
    match response.json() {
        Err(error) if response.is_page() => Err(unreached(error)),
        keys => Ok(keys.map_or(Value::Null, Value::Object)),
    }
}
