//! Checks a JWT against the rules that Google documents for OIDC subject tokens.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use super::claim_rules::{self, Members, time};
use super::output_document::another_provider;
use super::parties::GOOGLE;
use super::report::Report;
use super::{issuer, mismatch};
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::{LONGEST_AUDIENCE, PoolProvider, pool_of_fleet};
use crate::context::Context;
use crate::error::{Kind, one_line};
use crate::secret::Secret;
use crate::time::rfc3339;
use crate::token::{Audience, jwt};

const LINK: &str = "subject token";

/// The issuer of the tokens in Secrets of the type `kubernetes.io/service-account-token`.
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/serviceaccount/legacy.go>
const OF_SECRET: &str = "kubernetes/serviceaccount";

/// What an audience must be.
const FULL_NAME: &str = "the full resource name of the pool provider";

pub(super) fn check(token: &Secret, config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let Some((header, claims)) = jwt::parts(token.expose()) else {
        let fix = "set subject_token_type to the type of token that the source returns";
        let otherwise = ("its parts are not base64url-encoded JSON", fix);
        return mismatch::report(token, config.token_type, otherwise, report);
    };
    if claims.get("iss").is_some_and(|iss| iss == OF_SECRET) {
        let message =
            "the token comes from a Secret of a Kubernetes service account, so it does not expire";
        let fix = "mount a projected serviceAccountToken volume with the audience of the pool provider, or \
                   use wif-token kubernetes";
        report.broken(LINK, Kind::Configuration, message, fix);
        return;
    }
    let before = report.findings.len();
    if claim_rules::algorithm(&header, &GOOGLE, report) && !jwt::is_signed(token.expose()) {
        let otherwise = ("it has no valid signature", "pass the complete token, unchanged");
        mismatch::report(token, config.token_type, otherwise, report);
    }
    claim_rules::times(&claims, &GOOGLE, cx.clock.now(), report);
    let issuer = claim_rules::issuer(&claims, &GOOGLE, report);
    audience(&claims, config, report);
    if report.findings.len() == before {
        let expiry = time(&claims, "exp").map(rfc3339).unwrap_or_default();
        report.ok(LINK, format!("a JWT that follows Google's rules and expires at {expiry}"));
    }
    if let Some(issuer) = issuer {
        issuer::check(token, &issuer, &GOOGLE, cx, report);
    }
}

fn audience(claims: &Members, config: &CredentialConfig, report: &mut Report) {
    let bare = config.audience.as_str();
    let audience = Audience::new(bare);
    let of_fleet = pool_of_fleet(bare);
    let get = match of_fleet {
        Some(pool) => format!("get a token for the audience {pool}"),
        None => format!("get a token for the audience https:{bare}"),
    };
    let audiences = claim_rules::audiences(claims);
    let first = match audiences.as_deref() {
        Ok(audiences) if audiences.iter().any(|aud| audience.is(aud) || of_fleet == Some(*aud)) => {
            return;
        }
        Ok(audiences) => audiences.first().copied().unwrap_or_default(),
        Err(message) => {
            report.broken(LINK, Kind::Protocol, *message, get);
            return;
        }
    };
    let length = first.chars().count();
    if length > LONGEST_AUDIENCE {
        let message =
            format!("aud has {length} characters, but a pool provider allows {LONGEST_AUDIENCE}");
        report.broken(LINK, Kind::Configuration, message, get);
        return;
    }
    let fix = match PoolProvider::parse(bare) {
        _ if of_fleet.is_some() => get,
        _ if report.has_error("audience") => {
            let of_token = PoolProvider::parse(Audience::new(first).without_scheme());
            let name = of_token.map(|provider| provider.name());
            format!("set audience to {}", name.as_deref().unwrap_or(FULL_NAME))
        }
        // Allowing the name of another provider would accept the tokens of everyone who may use
        // that provider.
        _ if let Some(other) = another_provider(first, config) => {
            format!("get a token for the audience https:{bare}, because this one is for {other}")
        }
        Ok(provider) => provider.fix_audience(Some(first)),
        Err(error) => error.how_to_fix().unwrap_or_default(),
    };
    let message = format!("the aud of the token is {}", one_line(first));
    report.warning(LINK, message, fix).settled_by_exchange = true;
}
