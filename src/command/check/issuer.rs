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
use crate::token::jwks::{self, Failure};

/// Checks the signature with the issuer's published keys. If the issuer cannot be reached from
/// here, the relying party may still reach it, or it may have the keys.
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
    let (wrong, may_be_uploaded) = match jwks::verify(token.expose(), &jwks) {
        Ok(()) => {
            let message = format!("{issuer} publishes the key of the token");
            report.ok(link, message).with_step(route(issuer, cx));
            return;
        }
        Err(Failure::Algorithm) => {
            report.skipped(link, "wif-token cannot verify this signature algorithm");
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

fn published(issuer: &str, rules: &Rules, cx: &Context) -> Result<Value, Error> {
    let get = |address: &str, name: &str| {
        let url = Url::parse(address)
            .map_err(|why| Error::new(Kind::Protocol, format!("{name} of {issuer} {why}")))?;
        let request =
            Request::get(&url, "the issuer's metadata").once().limit(OPTIONAL_REQUEST_TIMEOUT);
        cx.send(request)?.require_success()?.json()
    };
    let name = rules.name;
    let unreached = |error: Error| match error.is_offline() || error.is_local() {
        true => error,
        false => {
            let public = if rules.is_public { "public " } else { "" };
            let reachable =
                format!("make the issuer's metadata reachable by {name} over {public}HTTPS");
            error.fix(match rules.settings.keys {
                "" => reachable,
                keys => format!("{reachable}, or {keys}"),
            })
        }
    };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let metadata = get(&discovery, "iss").map_err(unreached)?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("issuer") != issuer {
        let what = format!("the issuer in {discovery} differs from the iss of the token");
        let fix = "correct the issuer URL at the issuer, because";
        return Err(
            Error::new(Kind::Protocol, what).fix(format!("{fix} {name} compares the two exactly"))
        );
    }
    let keys = text("jwks_uri");
    // An issuer on this host, which serves a test, has its keys there.
    let is_elsewhere = |url: &Url| Url::parse(issuer).map(|own| own.origin()) != Ok(url.origin());
    if Url::parse(keys).is_ok_and(|url| !url.is_https() && is_elsewhere(&url)) {
        let what = format!("the jwks_uri of {issuer} uses plain http");
        return Err(unreached(Error::new(Kind::Protocol, what)));
    }
    get(keys, "jwks_uri").map_err(unreached).map(Value::Object)
}
