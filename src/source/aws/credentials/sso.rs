//! Credentials of AWS single sign-on, from the token that `aws sso login` left in its cache.
//!
//! The cache file is named by the SHA-1 of the session's name (or, the older way, of the start URL)
//! and holds an access token, often with a refresh token. The portal gives the role's credentials
//! for it. <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>

use std::path::PathBuf;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Map, Value, json};

use super::{Account, Credentials, answered};
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Url, form};
use crate::secret::Secret;
use crate::source::aws::endpoint;
use crate::source::aws::profile_file::Profile;
use crate::time::{parse_rfc3339, rfc3339};

/// A token that ends within so many seconds is refreshed first, as in the SDKs.
const REFRESH_BEFORE: i64 = 15 * 60;

/// What a profile that signs on this way has to name.
const REQUIRED: [&str; 2] = ["sso_account_id", "sso_role_name"];

/// Whether a profile signs on this way.
pub(super) fn is_configured(profile: &Profile) -> bool {
    REQUIRED.iter().any(|key| profile.get(key).is_some())
}

/// The credentials of the profile's account and role.
pub(super) fn load(name: &str, profile: &Profile, account: &Account) -> Result<Credentials, Error> {
    let session = Session::new(name, profile, account)?;
    let token = session.access_token(account)?;
    let text = |key| profile.get(key).unwrap_or_default();
    let base = session.endpoint("sso", "portal.sso", account)?;
    let base = base.as_typed().trim_end_matches('/');
    let (role, id) = (form::escape(text("sso_role_name")), form::escape(text("sso_account_id")));
    let address = format!("{base}/federation/credentials?role_name={role}&account_id={id}");
    let url = Url::parse(&address).map_err(|why| {
        Error::new(Kind::Configuration, format!("the SSO portal's endpoint {why}"))
            .fix("check sso_region")
    })?;
    let get = http::Request::get(&url, "sso_region").header("x-amz-sso_bearer_token", token);
    let response = account.cx.send(get)?;
    let (status, option) = (response.status, "sso_account_id and sso_role_name");
    let response = response.require_success().map_err(|error| match status {
        401 => error.of_kind(Kind::Expired).fix(login(name)),
        403 => error.fix(format!("check {option} of the profile {name}")),
        _ => error,
    })?;
    let answer = response.json()?;
    let broken = |what: &str| {
        Error::new(Kind::Protocol, format!("the answer of {url} has no {what}"))
            .fix("check sso_region")
    };
    let credentials = answer.get("roleCredentials").and_then(Value::as_object);
    let credentials = credentials.ok_or_else(|| broken("roleCredentials"))?;
    let member =
        |key: &str| credentials.get(key).and_then(Value::as_str).ok_or_else(|| broken(key));
    // Milliseconds, here alone.
    let expiry = credentials.get("expiration").and_then(Value::as_i64).map(|ms| ms / 1000);
    let (key, secret) = (member("accessKeyId")?, member("secretAccessKey")?);
    answered(key, secret, Some(member("sessionToken")?), expiry, &format!("the answer of {url}"))
}

fn login(profile: &str) -> String {
    format!("run aws sso login --profile {profile}")
}

/// Where a profile signs on.
struct Session<'a> {
    profile: &'a str,
    region: &'a str,
    cache: PathBuf,
}

impl<'a> Session<'a> {
    fn new(name: &'a str, profile: &'a Profile, account: &'a Account) -> Result<Self, Error> {
        let wrong = |what: String, fix: &str| Error::new(Kind::Configuration, what).fix(fix);
        if let Some(key) = REQUIRED.iter().find(|key| profile.get(key).is_none()) {
            return Err(wrong(
                format!("the profile {name} has no {key}"),
                "set it, or run aws configure sso",
            ));
        }
        let (region, key) = match profile.get("sso_session") {
            Some(session) => {
                let keys = account.files.sso_session(session).ok_or_else(|| {
                    wrong(
                        format!("the profile {name} names the sso_session {session}, which does not exist"),
                        "add the section [sso-session …] to the config file",
                    )
                })?;
                let differs =
                    |key: &&str| profile.get(key).is_some_and(|own| keys.get(key) != Some(own));
                if let Some(key) = ["sso_region", "sso_start_url"].into_iter().find(differs) {
                    let what = format!("the profile {name} and its sso_session differ in {key}");
                    return Err(wrong(what, "keep it in the section [sso-session …] alone"));
                }
                (keys.get("sso_region"), session)
            }
            None => {
                let start_url = profile.get("sso_start_url").ok_or_else(|| {
                    wrong(
                        format!("the profile {name} has neither sso_session nor sso_start_url"),
                        "set one of them, or run aws configure sso",
                    )
                })?;
                (profile.get("sso_region"), start_url)
            }
        };
        let region = region.filter(|region| endpoint::is_region(region)).ok_or_else(|| {
            wrong(format!("the profile {name} has no sso_region"), "set sso_region")
        })?;
        let home = account.cx.env.home()?.unwrap_or_default();
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        let file: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let cache = home.join(".aws/sso/cache").join(file + ".json");
        Ok(Session { profile: name, region, cache })
    }

    fn endpoint(&self, service: &str, host: &str, account: &Account) -> Result<Url, Error> {
        match account.configured_endpoint(service)? {
            Some(url) => Ok(url),
            None => endpoint::public(&endpoint::service_host(host, self.region, false)),
        }
    }

    /// The cached token, refreshed where it is about to end and can be.
    fn access_token(&self, account: &Account) -> Result<Secret, Error> {
        let cached = self.read_cache()?;
        let text = |name: &str| cached.get(name).and_then(Value::as_str);
        let over = text("expiresAt").and_then(expiry).unwrap_or(0);
        let now = account.cx.clock.now();
        let refreshable =
            ["refreshToken", "clientId", "clientSecret"].iter().all(|n| text(n).is_some());
        if over - now < REFRESH_BEFORE && refreshable {
            match self.refresh(&cached, account) {
                Ok(token) => return Ok(token),
                Err(error) if over <= now => return Err(error),
                Err(error) => account.cx.log.line(format!("SSO token not refreshed: {error}")),
            }
        }
        match text("accessToken") {
            Some(token) if over > now => Ok(Secret::new(token)),
            _ => {
                let what = format!(
                    "the SSO session of the profile {} ended at {}",
                    self.profile,
                    rfc3339(over)
                );
                Err(Error::new(Kind::Expired, what).fix(login(self.profile)))
            }
        }
    }

    fn read_cache(&self) -> Result<Map<String, Value>, Error> {
        let fix = login(self.profile);
        let text = files::read_text(&self.cache, "sso_session", Kind::Expired)
            .map_err(|error| error.fix(fix.clone()))?;
        serde_json::from_str(text.expose()).map_err(|_| {
            let what = format!("{} holds no SSO token", self.cache.display());
            Error::new(Kind::Configuration, what).fix(fix)
        })
    }

    /// <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>
    fn refresh(&self, cached: &Map<String, Value>, account: &Account) -> Result<Secret, Error> {
        let member = |name: &str| cached.get(name).cloned().unwrap_or_default();
        let base = self.endpoint("sso_oidc", "oidc", account)?;
        let address = format!("{}/token", base.as_typed().trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|why| {
            Error::new(Kind::Configuration, format!("the SSO endpoint {why}"))
                .fix("check sso_region")
        })?;
        let body = json!({
            "grantType": "refresh_token",
            "clientId": member("clientId"),
            "clientSecret": member("clientSecret"),
            "refreshToken": member("refreshToken"),
        });
        let post = http::Request::post(&url, "sso_region")
            .header("content-type", "application/json")
            .body(Secret::new(body.to_string()));
        let hidden = ["clientSecret", "refreshToken"].map(member);
        let hidden = hidden.iter().filter_map(Value::as_str).map(Secret::new);
        let post = hidden.fold(post, http::Request::hiding);
        let response = account.cx.send(post)?;
        let response = response.require_success().map_err(|error| match error.kind() {
            Kind::Denied => error.of_kind(Kind::Expired).fix(login(self.profile)),
            _ => error,
        })?;
        let answer = response.json()?;
        let token = answer.get("accessToken").and_then(Value::as_str).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the answer of {url} has no accessToken"))
                .fix(login(self.profile))
        })?;
        self.write_cache(cached, &answer, account);
        Ok(Secret::new(token))
    }

    /// Keeps the new tokens for the AWS CLI and the next run: a refresh token may work only once.
    fn write_cache(
        &self,
        cached: &Map<String, Value>,
        answer: &Map<String, Value>,
        account: &Account,
    ) {
        let mut cached = cached.clone();
        for name in ["accessToken", "refreshToken"] {
            if let Some(value) = answer.get(name) {
                cached.insert(name.to_owned(), value.clone());
            }
        }
        let life = answer.get("expiresIn").and_then(Value::as_i64).unwrap_or(0);
        cached.insert("expiresAt".to_owned(), rfc3339(account.cx.clock.now() + life).into());
        let text = Secret::new(Value::from(cached).to_string());
        if let Err(error) = files::replace(&self.cache, text.expose().as_bytes()) {
            account.cx.log.line(format!("SSO token not kept: {error}"));
        }
    }
}

/// `expiresAt`, which older versions of the AWS CLI end with `UTC`.
fn expiry(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&text.replace("UTC", "Z")))
}
