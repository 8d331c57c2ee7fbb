//! The credentials that the AWS SDKs find, in their order: the environment, a web identity, the
//! shared files, the container's endpoint, the instance's metadata.
//!
//! A place that has nothing says so and the next is asked; one that is there but broken ends the
//! search. <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

mod container;
mod environment;
pub(super) mod imds;
mod profile;
mod sso;
mod web_identity;

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use serde_json::{Map, Value};

use super::account::Account;
use super::query_api::{Call, Fields};
use crate::error::{Error, Kind};
use crate::options::SecretRef;
use crate::secret::Secret;
use crate::source::lookup::{self, Search};
use crate::time::{parse_rfc3339, rfc3339};

/// What a place has.
type Lookup = lookup::Lookup<Credentials>;

const SEARCH: Search = Search {
    what: "AWS credentials",
    fix: "set up one of these, or name a profile with --profile",
};

/// Searches all places.
///
/// # Errors
/// `ABSENT` with every place and why it has nothing; else what is wrong with the one that has.
pub(super) fn find(account: &Account) -> Result<Credentials, Error> {
    type Place = (&'static str, fn(&Account) -> Result<Lookup, Error>);
    let places: [Place; 5] = [
        ("environment", environment::load),
        ("web identity", web_identity::from_environment),
        ("profile", profile::load),
        ("container", container::load),
        ("EC2", imds::load),
    ];
    // As in the SDKs, a profile that is named on the command line overrides the environment.
    let skipped = if account.profile_is_option { 2 } else { 0 };
    let places = places.into_iter().skip(skipped);
    let (name, credentials) = SEARCH.first(places, |load| load(account), &account.cx.log)?;
    refuse_expired(credentials, name, account)
}

fn refuse_expired(
    credentials: Credentials,
    place: &str,
    account: &Account,
) -> Result<Credentials, Error> {
    match expiry(&credentials) {
        Some(over) if over <= account.cx.clock.now() => {
            let what = format!("the AWS credentials ({place}) ended at {}", rfc3339(over));
            Err(Error::new(Kind::Expired, what).fix("renew them where they come from"))
        }
        _ => Ok(credentials),
    }
}

/// When credentials end, in seconds since 1970.
pub(super) fn expiry(credentials: &Credentials) -> Option<i64> {
    let since = credentials.expiry()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Credentials of these parts, which a far end gave in `what`.
///
/// # Errors
/// `PROTOCOL` where a part cannot be one.
fn answered(
    key: &str,
    secret: &str,
    token: Option<&str>,
    expiry: Option<i64>,
    what: &str,
) -> Result<Credentials, Error> {
    made(key, secret, token, expiry, what).map_err(|error| error.of_kind(Kind::Protocol))
}

/// Credentials of these parts, which the user gave in `what`, without the blanks around them.
///
/// # Errors
/// `CONFIGURATION` where a part cannot be one: no header could carry it.
fn made(
    key: &str,
    secret: &str,
    token: Option<&str>,
    expiry: Option<i64>,
    what: &str,
) -> Result<Credentials, Error> {
    let parts = [Some(key), Some(secret), token].into_iter().flatten().map(str::trim);
    if parts.clone().any(|part| !part.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Error::new(Kind::Configuration, format!("{what} cannot be AWS credentials"))
            .cause("blanks, control characters or others than ASCII stand in them")
            .fix("correct them where they come from"));
    }
    let expiry = expiry.and_then(|expiry| u64::try_from(expiry).ok());
    let expiry = expiry.and_then(|expiry| UNIX_EPOCH.checked_add(Duration::from_secs(expiry)));
    let token = token.map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(Credentials::new(key.trim(), secret.trim(), token, expiry, "wif-token"))
}

/// Credentials in JSON, as programs, containers and instances give them; `token` is the name of the
/// session token's member.
///
/// # Errors
/// `PROTOCOL` where a member is missing.
fn from_json(object: &Map<String, Value>, token: &str, what: &str) -> Result<Credentials, Error> {
    let text =
        |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let required = |name: &str| {
        text(name).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("{what} has no {name}"))
                .fix("it has to give AWS credentials in JSON")
        })
    };
    let expiry = match text("Expiration") {
        None => None,
        Some(time) => Some(parse_rfc3339(time).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the Expiration in {what} is no RFC 3339 time"))
                .fix("it has to look like 2026-11-21T16:00:00Z")
        })?),
    };
    answered(required("AccessKeyId")?, required("SecretAccessKey")?, text(token), expiry, what)
}

/// A role to assume.
#[derive(Debug, Default)]
pub(super) struct AssumedRole {
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    /// Seconds.
    pub(super) duration: Option<String>,
}

/// The session's name where nobody named it.
const SESSION_NAME: &str = "wif-token";

impl AssumedRole {
    fn fields(&self) -> Vec<(String, String)> {
        let session = self.session_name.as_deref().unwrap_or(SESSION_NAME);
        let mut fields = vec![("RoleArn", self.arn.as_str()), ("RoleSessionName", session)];
        fields.extend(self.duration.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Assumes a role with these credentials. `option` named it.
///
/// # Errors
/// As STS refuses.
pub(super) fn assume_role(
    role: &AssumedRole,
    credentials: &Credentials,
    option: &'static str,
    account: &Account,
) -> Result<Credentials, Error> {
    let region = account.configured_region()?;
    let mut fields = role.fields();
    if let Some(id) = &role.external_id {
        let id = match SecretRef::parse(id) {
            Some(secret) => secret.read("--external-id", account.cx)?,
            None => Secret::new(id.as_str()),
        };
        fields.push(("ExternalId".to_owned(), id.expose().to_owned()));
    }
    let call = Call {
        action: "AssumeRole",
        fields,
        credentials: Some(credentials),
        region: region.as_deref(),
        option,
    };
    let answer = call.send(account)?.map_err(|refusal| {
        let fix = format!("let {} trust and permit its caller, or check {option}", role.arn);
        match refusal.error.kind() {
            Kind::Denied if refusal.code.starts_with("AccessDenied") => refusal.error.fix(fix),
            _ => refusal.error,
        }
    })?;
    from_sts(&answer, call.action)
}

/// The `Credentials` element of an answer of STS.
fn from_sts(answer: &Fields, action: &str) -> Result<Credentials, Error> {
    let expiry = answer.get("Expiration").and_then(parse_rfc3339);
    let required = |name| answer.required(name, action);
    let (key, secret) = (required("AccessKeyId")?, required("SecretAccessKey")?);
    let what = format!("the answer to {action}");
    answered(key, secret, Some(required("SessionToken")?), expiry, &what)
}
