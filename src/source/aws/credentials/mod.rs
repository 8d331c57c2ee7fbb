//! AWS credentials, searched for in the places of the AWS SDKs, in their order: environment
//! variables, a web identity, a profile, the container endpoint, the EC2 instance metadata.
//!
//! If a place has no credentials, the search continues with the next place. If a place is
//! configured but fails, the search ends with that failure: the next place could belong to a
//! different identity.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

mod assume_role;
mod command_line;
mod container;
mod environment;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(super) mod imds;
mod login;
mod process;
mod profile;
mod sso;
mod web_identity;

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use serde_json::{Map, Value};

use self::assume_role::from_sts;
pub(super) use self::assume_role::{AssumedRole, assume_role};
pub(super) use self::web_identity::WebIdentity;
use super::account::Account;
use super::fields::Fields;
use crate::error::{Error, Kind};
use crate::lookup::{self, Search};
use crate::time::{parse_rfc3339, rfc3339};

/// The result of the search in one place.
type Lookup = lookup::Lookup<Credentials>;

const SEARCH: Search = Search {
    what: "AWS credentials",
    fix: "set AWS_PROFILE, or --profile of the source aws, or attach an IAM role (for a container on EC2, \
          also set the metadata hop limit to 2)",
};

/// How to search a place.
type Load = fn(&Account) -> Result<Lookup, Error>;

const PLACES: [(&str, Load); 5] = [
    ("environment", environment::load),
    ("web identity", web_identity::from_environment),
    ("profile", profile::load),
    ("container", container::load),
    ("EC2 instance metadata", imds::load),
];

/// Searches all places.
///
/// # Errors
/// `ABSENT` if no place has credentials, with the reason of each place; `EXPIRED` if the
/// credentials have expired; otherwise the failure of a place.
pub(super) fn find(account: &Account) -> Result<Credentials, Error> {
    let mut places = PLACES.to_vec();
    if account.profile_is_option {
        // As in the AWS SDKs, a profile that an option selects overrides the environment.
        places.drain(..2);
    } else if profile::is_role(account) {
        // As in botocore, the role of a profile overrides the web identity of a pod.
        places.swap(1, 2);
    }
    let (place, credentials) = SEARCH.first(places, |load| load(account), &account.cx.log)?;
    refuse_expired(credentials, place, account)
}

/// Refuses credentials that have expired. `place` is where they were found.
///
/// # Errors
/// `EXPIRED` with the time of the expiry.
pub(super) fn refuse_expired(
    credentials: Credentials,
    place: &str,
    account: &Account,
) -> Result<Credentials, Error> {
    match expiry(&credentials) {
        Some(expiry) if expiry <= account.cx.clock.now() => {
            let what =
                format!("the AWS credentials from the {place} expired at {}", rfc3339(expiry));
            Err(Error::new(Kind::Expired, what)
                .fix("renew the credentials, or check the clocks of this host and of AWS")
                .depending_on(expiry))
        }
        _ => Ok(credentials),
    }
}

/// The expiry of credentials in seconds since 1970-01-01 UTC, if they have one.
pub(super) fn expiry(credentials: &Credentials) -> Option<i64> {
    let since = credentials.expiry()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Creates credentials that a server or a program returned in `place`.
///
/// # Errors
/// `PROTOCOL` if a part is empty or contains characters that AWS credentials cannot contain.
fn from_server(
    key: &str,
    secret: &str,
    token: Option<&str>,
    expiry: Option<i64>,
    place: &str,
) -> Result<Credentials, Error> {
    from_user(key, secret, token, expiry, place).map_err(|error| {
        error
            .of_kind(Kind::Protocol)
            .fix("check the server or program that returned these credentials")
    })
}

/// Creates credentials that the user set in `place`. Removes the spaces around each part.
///
/// # Errors
/// `CONFIGURATION` if a part is empty or contains characters that AWS credentials cannot contain.
/// Such characters could not be sent in an HTTP header either.
fn from_user(
    key: &str,
    secret: &str,
    token: Option<&str>,
    expiry: Option<i64>,
    place: &str,
) -> Result<Credentials, Error> {
    let parts = [Some(key), Some(secret), token].into_iter().flatten().map(str::trim);
    let invalid = |cause| {
        Err(Error::new(Kind::Configuration, format!("invalid AWS credentials in {place}"))
            .cause(cause)
            .fix("set the credentials again, exactly as AWS issued them"))
    };
    if parts.clone().any(|part| !part.bytes().all(|byte| byte.is_ascii_graphic())) {
        return invalid("they contain spaces, control characters or non-ASCII characters");
    }
    if parts.clone().any(|part| part.starts_with(['"', '\''])) {
        return invalid("they contain quotation marks");
    }
    // AccessKeyId: https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html
    if !key.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return invalid("the access key ID has characters other than letters, digits and _");
    }
    if key.trim().is_empty() || secret.trim().is_empty() {
        let what = format!("no AWS credentials in {place}");
        return Err(Error::new(Kind::Configuration, what)
            .cause("the access key ID or the secret access key is empty")
            .fix("set the credentials again, exactly as AWS issued them"));
    }
    let expiry = expiry.and_then(|expiry| u64::try_from(expiry).ok());
    let expiry = expiry.and_then(|expiry| UNIX_EPOCH.checked_add(Duration::from_secs(expiry)));
    let token = token.map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(Credentials::new(key.trim(), secret.trim(), token, expiry, "wif-token"))
}

/// Reads credentials from JSON that a program, a container endpoint or the instance metadata
/// returned. `token` is the name of the member with the session token. `fix` says what to do if the
/// object contains no credentials.
///
/// # Errors
/// `PROTOCOL` if a member is missing or malformed.
fn from_json(
    object: &Map<String, Value>,
    token: &str,
    place: &str,
    fix: &str,
) -> Result<Credentials, Error> {
    let text =
        |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let required = |name: &str| {
        text(name)
            .ok_or_else(|| Error::new(Kind::Protocol, format!("{place} has no {name}")).fix(fix))
    };
    let expiry = match text("Expiration") {
        None => None,
        Some(time) => Some(parse_rfc3339(time).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the Expiration in {place} is not an RFC 3339 time"))
                .fix(fix)
        })?),
    };
    from_server(required("AccessKeyId")?, required("SecretAccessKey")?, text(token), expiry, place)
}
