//! The access token of an SSO session. It is read from the cache of the AWS CLI, and the cache is
//! updated when the token is refreshed.
//!
//! `CreateToken` of the OIDC API refreshes an access token with the refresh token and the client
//! registration in the cache file. The new tokens are written back, because a refresh token may be
//! valid only once.
//! <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::login;
use super::session::Session;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Url};
use crate::lock;
use crate::secret::Secret;
use crate::show;
use crate::source::aws::account::{Account, Service};
use crate::time::{self, parse_rfc3339, rfc3339};
use crate::token;

/// A token that expires within this number of seconds is refreshed, as in the AWS SDKs.
const REFRESH_BEFORE: i64 = 15 * 60;

/// The members of a response that are stored.
const STORED: [&str; 2] = ["accessToken", "refreshToken"];

/// The cache file of a session.
struct TokenCache<'a> {
    path: &'a Path,
}

impl TokenCache<'_> {
    /// Reads the members of the file.
    fn read(&self, profile: &str) -> Result<CachedToken, Error> {
        let text = files::read_text(self.path, "sso_session", Kind::Expired)
            .map_err(|error| error.fix(login(profile)))?;
        CachedToken::parse(text.expose()).ok_or_else(|| {
            let what = format!("{} is not JSON", show::path(self.path));
            Error::new(Kind::Configuration, what).fix(login(profile))
        })
    }

    /// Writes the new tokens for the AWS CLI and the next run.
    fn write(&self, cached: &Map<String, Value>, response: &Map<String, Value>, account: &Account) {
        let mut cached = cached.clone();
        for name in STORED {
            if let Some(value) = given(response, name) {
                cached.insert(name.to_owned(), value.clone());
            }
        }
        let lifetime = response.get("expiresIn").and_then(time::lifetime).unwrap_or(0);
        cached.insert("expiresAt".to_owned(), rfc3339(account.cx.clock.now() + lifetime).into());
        let text = Secret::new(Value::from(cached).to_string());
        if let Err(error) = files::update(self.path, text.expose().as_bytes()) {
            account.cx.log.line(format!("cannot cache the SSO token: {error}"));
        }
    }
}

/// The members of the cache file.
pub(in crate::source::aws::credentials) struct CachedToken(Map<String, Value>);

impl CachedToken {
    /// Reads the text of the file; `None` if it is not a JSON object.
    pub(in crate::source::aws::credentials) fn parse(text: &str) -> Option<CachedToken> {
        serde_json::from_str(text).ok().map(CachedToken)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// When the access token expires, if the file states it.
    fn expiry(&self) -> Option<i64> {
        self.text("expiresAt").and_then(parse_expiry)
    }

    /// Whether the token expires soon and can be refreshed.
    pub(in crate::source::aws::credentials) fn needs_refresh(&self, now: i64) -> bool {
        let needed = ["refreshToken", "clientId", "clientSecret"];
        let expires_soon = self.expiry().is_none_or(|expiry| expiry - now < REFRESH_BEFORE);
        expires_soon && needed.iter().all(|name| self.text(name).is_some())
    }

    /// The access token.
    ///
    /// # Errors
    /// `EXPIRED` if the token has expired, or if the file has no token with an expiry.
    fn valid_token(&self, session: &Session, now: i64) -> Result<Secret, Error> {
        let expired = |what: String| {
            let what = format!("the SSO session of the profile {:?} {what}", session.profile);
            Error::new(Kind::Expired, what).fix(login(session.profile))
        };
        let incomplete = |member: &str| {
            let path = show::path(&session.cache_file);
            expired("cannot be used".to_owned()).cause(format!("{path} has no valid {member}"))
        };
        let token = self.text("accessToken").ok_or_else(|| incomplete("accessToken"))?;
        match self.expiry() {
            Some(expiry) if expiry > now => Ok(Secret::new(token)),
            Some(expiry) => {
                Err(expired(format!("expired at {}", rfc3339(expiry))).depending_on(expiry))
            }
            None => Err(incomplete("expiresAt")),
        }
    }
}

impl Session<'_> {
    fn cache(&self) -> TokenCache<'_> {
        TokenCache { path: &self.cache_file }
    }

    /// Gets the cached token. Refreshes it if it expires soon and the cache has a refresh token.
    ///
    /// The refresh token may be valid only once, and all runs and profiles of the session share it.
    /// Therefore, only the run that holds the lock next to the file uses the refresh token.
    ///
    /// # Errors
    /// `EXPIRED` if the user must sign in again.
    pub(super) fn access_token(&self, account: &Account) -> Result<Secret, Error> {
        account.cx.log.warn_if_shared(&self.cache_file);
        let cached = self.cache().read(self.profile)?;
        let now = account.cx.clock.now();
        if !cached.needs_refresh(now) {
            return cached.valid_token(self, now);
        }
        let _lock = lock::beside(&self.cache_file, Duration::ZERO, account.cx)?;
        let cached = self.cache().read(self.profile)?;
        if !cached.needs_refresh(now) {
            return cached.valid_token(self, now);
        }
        self.refresh(&cached.0, account).or_else(|error| {
            // Another program, such as the AWS CLI, may have used the refresh token first.
            let found = self.cache().read(self.profile);
            let found = found.and_then(|found| found.valid_token(self, now));
            account.cx.log.line(format!("cannot refresh the SSO token: {error}"));
            found.map_err(|_| error)
        })
    }

    fn refresh(&self, cached: &Map<String, Value>, account: &Account) -> Result<Secret, Error> {
        let member = |name: &str| cached.get(name).cloned().unwrap_or_default();
        let (base, setting) = self.endpoint(Service::SsoOidc, account)?;
        let address = format!("{}/token", base.as_typed().trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|why| {
            Error::new(Kind::Configuration, format!("the URL of the SSO token endpoint {why}"))
                .fix(format!("check {setting}"))
        })?;
        let body = json!({
            "grantType": "refresh_token",
            "clientId": member("clientId"),
            "clientSecret": member("clientSecret"),
            "refreshToken": member("refreshToken"),
        });
        let post = http::Request::post(&url, setting)
            .once()
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
        let object = response.json()?;
        let token = object.get("accessToken").and_then(Value::as_str).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} has no accessToken"))
                .fix(login(self.profile))
        })?;
        let mut stored = STORED.iter().filter_map(|name| given(&object, name));
        if !stored.all(|value| value.as_str().is_some_and(token::is_opaque)) {
            let what = format!("the response from {url} contains a token that is not valid");
            return Err(Error::new(Kind::Protocol, what).fix(login(self.profile)));
        }
        self.cache().write(cached, &object, account);
        Ok(Secret::new(token))
    }
}

/// A member that is not null.
fn given<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Parses `expiresAt`, which older versions of the AWS CLI write with `UTC` instead of `Z`.
fn parse_expiry(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&text.replace("UTC", "Z")))
}
