//! Credentials of `aws login`, which the AWS CLI caches for a profile with `login_session`.
//!
//! The credentials are valid for 15 minutes. The file also has a refresh token, which is bound to a
//! key in the file (DPoP). The AWS CLI and the AWS SDKs share the file, so the new credentials
//! are written back.
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html>

use std::path::PathBuf;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{Account, Credentials, from_server};
use crate::error::{Error, Kind};
use crate::files;
use crate::hex::hex;
use crate::http::{self, Url};
use crate::lock;
use crate::secret::Secret;
use crate::shell;
use crate::signing_key::SigningKey;
use crate::source::aws::account::{Service, no_region};
use crate::source::aws::endpoint;
use crate::source::aws::profile_file::expand_home;
use crate::time::{self, parse_rfc3339, rfc3339};
use crate::token;

const DIRECTORY: &str = "AWS_LOGIN_CACHE_DIRECTORY";

/// Credentials are refreshed if they expire within this number of seconds, as in botocore.
const REFRESH_BEFORE: i64 = 5 * 60;

/// Gets the credentials of a session. Refreshes them if they expire soon.
///
/// # Errors
/// `EXPIRED` if the user must sign in again, `CONFIGURATION` if the cache file is malformed.
pub(super) fn load(profile: &str, session: &str, account: &Account) -> Result<Credentials, Error> {
    let path = cache_file(session, account)?;
    let login = Login { profile, path, account };
    let cached = login.read()?;
    if !login.expires_soon(&cached)? {
        return login.credentials(&cached);
    }
    let _lock = lock::beside(&login.path, Duration::ZERO, account.cx)?;
    let cached = login.read()?;
    if !login.expires_soon(&cached)? {
        return login.credentials(&cached);
    }
    let error = match login.refresh(&cached) {
        Ok(refreshed) => return login.credentials(&refreshed),
        Err(error) => error,
    };
    account.cx.log.line(format!("cannot refresh the credentials of aws login: {error}"));
    // Another program may have refreshed the credentials first, or they may still be valid.
    let found = login.read()?;
    match login.expiry(&found)? > account.cx.clock.now() {
        true => login.credentials(&found),
        false => Err(error),
    }
}

/// The sign-in of a profile.
struct Login<'a> {
    profile: &'a str,
    /// The file in which the AWS CLI caches the credentials.
    path: PathBuf,
    account: &'a Account<'a>,
}

impl Login<'_> {
    fn sign_in(&self) -> String {
        format!("run aws login --profile {}", shell::quoted(self.profile))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(Kind::Configuration, format!("{} {why}", self.path.display()))
            .fix(self.sign_in())
    }

    fn read(&self) -> Result<Map<String, Value>, Error> {
        let text = files::read_text(&self.path, "login_session", Kind::Expired);
        let text = text.map_err(|error| match error.kind() {
            Kind::Expired => {
                let what = format!("the user of the profile {:?} is not signed in", self.profile);
                let cause = format!(
                    "the file of its login_session, {}, does not exist",
                    self.path.display()
                );
                Error::new(Kind::Expired, what).cause(cause).fix(self.sign_in())
            }
            _ => error.fix(self.sign_in()),
        })?;
        serde_json::from_str(text.expose()).map_err(|_| self.wrong("is not a JSON object"))
    }

    fn member<'f>(&self, file: &'f Map<String, Value>, name: &str) -> Result<&'f str, Error> {
        let text = file.get("accessToken").and_then(|token| token.get(name)?.as_str());
        text.ok_or_else(|| self.wrong(&format!("has no accessToken.{name}")))
    }

    fn expiry(&self, file: &Map<String, Value>) -> Result<i64, Error> {
        parse_rfc3339(self.member(file, "expiresAt")?)
            .ok_or_else(|| self.wrong("has an accessToken.expiresAt that is not an RFC 3339 time"))
    }

    fn expires_soon(&self, file: &Map<String, Value>) -> Result<bool, Error> {
        Ok(self.expiry(file)? - self.account.cx.clock.now() <= REFRESH_BEFORE)
    }

    fn credentials(&self, file: &Map<String, Value>) -> Result<Credentials, Error> {
        let (key, secret) =
            (self.member(file, "accessKeyId")?, self.member(file, "secretAccessKey")?);
        let (token, expiry) = (self.member(file, "sessionToken")?, self.expiry(file)?);
        let place = self.path.display().to_string();
        from_server(key, secret, Some(token), Some(expiry), &place)
            .map_err(|error| error.of_kind(Kind::Configuration).fix(self.sign_in()))
    }

    /// Refreshes the credentials with `CreateOAuth2Token`, and writes them to the file.
    fn refresh(&self, cached: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let text = |name: &str| {
            let text = cached.get(name).and_then(Value::as_str);
            text.ok_or_else(|| self.wrong(&format!("has no {name}")))
        };
        let (client, refresh_token) = (text("clientId")?, text("refreshToken")?);
        let key = SigningKey::from_pem(&Secret::new(text("dpopKey")?));
        let key = key.ok_or_else(|| self.wrong("has a dpopKey that is not supported"))?;
        let cx = self.account.cx;
        let url = self.endpoint()?;
        let body = json!({
            "clientId": client,
            "grantType": "refresh_token",
            "refreshToken": refresh_token,
        });
        // A DPoP proof is valid only once (RFC 9449, section 11.1).
        let post = http::Request::post(&url, "login_session")
            .once()
            .header("content-type", "application/json")
            .header("DPoP", key.dpop_proof(url.as_typed(), cx.clock.now())?)
            .body(Secret::new(body.to_string()))
            .hiding(Secret::new(refresh_token));
        let response = cx.send(post)?.require_success().map_err(|error| match error.kind() {
            Kind::Denied => error.of_kind(Kind::Expired).fix(self.sign_in()),
            _ => error,
        })?;
        let refreshed = self.merge(cached, response.json()?);
        let token = refreshed.get("refreshToken").and_then(Value::as_str);
        let is_usable = self.credentials(&refreshed).is_ok()
            && !self.expires_soon(&refreshed)?
            && token.is_some_and(token::is_opaque);
        if !is_usable {
            let what = format!("the response from {url} has no valid credentials");
            return Err(Error::new(Kind::Protocol, what).fix(self.sign_in()));
        }
        let text = Secret::new(Value::from(refreshed.clone()).to_string());
        if let Err(error) = files::update(&self.path, text.expose().as_bytes()) {
            cx.log.line(format!("cannot cache the credentials of aws login: {error}"));
        }
        Ok(refreshed)
    }

    /// Merges the members of a response into the content of the file.
    fn merge(
        &self,
        cached: &Map<String, Value>,
        mut response: Map<String, Value>,
    ) -> Map<String, Value> {
        let mut merged = cached.clone();
        let lifetime = response.get("expiresIn").and_then(time::lifetime).unwrap_or(0);
        let expiry = self.account.cx.clock.now().saturating_add(lifetime);
        let account_id = cached.get("accessToken").and_then(|token| token.get("accountId"));
        let mut token = response.remove("accessToken").unwrap_or_default();
        if let Some(token) = token.as_object_mut() {
            token.insert("expiresAt".to_owned(), rfc3339(expiry).into());
            token.insert("accountId".to_owned(), account_id.cloned().unwrap_or_default());
        }
        merged.insert("accessToken".to_owned(), token);
        if let Some(refresh_token) = response.remove("refreshToken") {
            merged.insert("refreshToken".to_owned(), refresh_token);
        }
        merged
    }

    /// The token endpoint of AWS Sign-In in the region.
    fn endpoint(&self) -> Result<Url, Error> {
        let base = match self.account.configured_endpoint(Service::SignIn)? {
            Some((url, _)) => url,
            None => {
                let region = self.account.configured_region()?.ok_or_else(no_region)?;
                match endpoint::sign_in_host(&region) {
                    Some(host) if self.account.has_standard_endpoints()? => {
                        endpoint::public(&host)?
                    }
                    _ => self.account.public_endpoint(Service::SignIn, &region)?,
                }
            }
        };
        let address = format!("{}/v1/token", base.as_typed().trim_end_matches('/'));
        Url::parse(&address).map_err(|why| {
            Error::new(Kind::Configuration, format!("the URL of AWS Sign-In {why}"))
                .fix("check AWS_ENDPOINT_URL_SIGNIN and AWS_ENDPOINT_URL")
        })
    }
}

/// The cache file of a session. Its name is the SHA-256 hash of the name of the session.
fn cache_file(session: &str, account: &Account) -> Result<PathBuf, Error> {
    let directory = match account.cx.env.text(DIRECTORY)? {
        Some(path) => expand_home(&path, account.cx)?,
        None => account.cx.env.home()?.unwrap_or_default().join(".aws/login/cache"),
    };
    let digest = digest(&SHA256, session.as_bytes());
    Ok(directory.join(hex(digest.as_ref()) + ".json"))
}
