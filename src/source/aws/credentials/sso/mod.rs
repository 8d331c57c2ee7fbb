//! Credentials of AWS IAM Identity Center (SSO), from the access token that `aws sso login` cached.
//!
//! The AWS CLI caches the access token of a session in `~/.aws/sso/cache`, often with a refresh
//! token. `GetRoleCredentials` of the portal returns the credentials of the profile's account and
//! role for that access token.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>,
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>

mod session;
pub(super) mod token_cache;

use serde_json::Value;

use self::session::Session;
use super::{Account, Credentials, from_server};
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, form};
use crate::shell;
use crate::source::aws::account::Service;
use crate::source::aws::profile_file::Profile;
use crate::time;

/// The keys that every profile with SSO must set.
const REQUIRED: [&str; 2] = ["sso_account_id", "sso_role_name"];

/// Whether a profile uses SSO.
pub(super) fn is_configured(profile: &Profile) -> bool {
    REQUIRED.iter().any(|key| profile.get(key).is_some())
}

/// Gets the credentials for the profile's account and role.
///
/// # Errors
/// `CONFIGURATION` if the profile is incomplete, `EXPIRED` if the user must sign in again, `DENIED`
/// if the user does not have the role.
pub(super) fn load(name: &str, profile: &Profile, account: &Account) -> Result<Credentials, Error> {
    let session = Session::new(name, profile, account)?;
    let token = session.access_token(account)?;
    let text = |key| profile.get(key).unwrap_or_default();
    let (base, setting) = session.endpoint(Service::Sso, account)?;
    let base = base.as_typed().trim_end_matches('/');
    let (role, id) = (form::escape(text("sso_role_name")), form::escape(text("sso_account_id")));
    let address = format!("{base}/federation/credentials?role_name={role}&account_id={id}");
    let url = Url::parse(&address).map_err(|why| {
        Error::new(Kind::Configuration, format!("the URL of the SSO portal {why}"))
            .fix(format!("check {setting}"))
    })?;
    let get = http::Request::get(&url, setting).header("x-amz-sso_bearer_token", token);
    let response = account.cx.send(get)?;
    let status = response.status;
    let response = response.require_success().map_err(|error| match status {
        401 => error.of_kind(Kind::Expired).fix(login(name)),
        403 => error.fix(format!("check sso_account_id and sso_role_name of the profile {name:?}")),
        _ => error,
    })?;
    role_credentials(&response, &url)
}

/// Reads the credentials in a response of the portal.
fn role_credentials(response: &Response, url: &Url) -> Result<Credentials, Error> {
    let object = response.json()?;
    let place = format!("the response from {url}");
    let missing = |name: &str| {
        Error::new(Kind::Protocol, format!("{place} has no {name}")).fix("check sso_region")
    };
    let credentials = object.get("roleCredentials").and_then(Value::as_object);
    let credentials = credentials.ok_or_else(|| missing("roleCredentials"))?;
    let member =
        |name: &str| credentials.get(name).and_then(Value::as_str).ok_or_else(|| missing(name));
    // Unlike all other expiry times from AWS, this one is in milliseconds.
    let expiry = credentials.get("expiration").and_then(Value::as_i64);
    let expiry = expiry.and_then(|ms| time::instant(&(ms / 1000).into()));
    let (key, secret) = (member("accessKeyId")?, member("secretAccessKey")?);
    from_server(key, secret, Some(member("sessionToken")?), expiry, &place)
}

/// The fix for an SSO session that has expired.
fn login(profile: &str) -> String {
    format!("run aws sso login --profile {}", shell::quoted(profile))
}
