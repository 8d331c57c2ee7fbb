//! An access token, its expiry, and its form in the file of `--cache-file`.
//!
//! Google gives all tokens the same lifetime. Each token is renewed a little earlier than required, by a
//! time that depends on the token, so that hosts that started together do not renew together.

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::cache::Cached;
use crate::cache::bound::{self, REQUEST_MEMBER};
use crate::error::{Error, Kind};
use crate::files::ownership::Existing;
use crate::http::Url;
use crate::random;
use crate::secret::Secret;
use crate::spread;
use crate::time;
use crate::token;

/// The type of access tokens (RFC 8693, section 3).
pub const URN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The member of the cache file with the name of the owner.
const MEMBER: &str = "wif_token_member";

/// The member of the cache file with the time at which the token was fetched.
const ISSUED: &str = "wif_token_issued";

/// The remaining lifetime, in seconds, below which a cached token is replaced by default: the caller
/// needs time to use it.
pub const MIN_LIFE: i64 = 300;

/// The assumed lifetime of a token whose response states none, in seconds.
const UNKNOWN_LIFETIME: i64 = 600;

/// An access token from the Security Token Service, or of a service account or a user.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token.
    pub text: Secret,
    /// When it expires, in seconds since 1970.
    pub expiry: i64,
    /// When it was fetched, in seconds since 1970.
    pub issued: i64,
    /// The name of the owner of the token in an IAM policy, for messages, if the token is used to
    /// impersonate a service account.
    pub member: Option<String>,
}

impl AccessToken {
    /// Creates a token that expires `lifetime` seconds after `now`; if the lifetime is unknown,
    /// [`UNKNOWN_LIFETIME`] is assumed. `server` issued the token, and `option` is the option or
    /// member that contains the URL of the server.
    ///
    /// # Errors
    /// `PROTOCOL` if the text is not a bearer token, or has expired.
    pub fn new(
        text: &str,
        lifetime: Option<i64>,
        now: i64,
        (server, option): (&Url, &str),
    ) -> Result<AccessToken, Error> {
        if !token::is_bearer(text) {
            let problem = if text.is_empty() { "empty" } else { "not a valid bearer token" };
            let what = format!("the access token from {server} is {problem}");
            return Err(Error::new(Kind::Protocol, what).fix(format!("check {option}")));
        }
        let lifetime = lifetime.unwrap_or(UNKNOWN_LIFETIME);
        if lifetime <= 0 {
            let what = format!("the access token from {server} has already expired");
            return Err(another_server(what, option));
        }
        let expiry = time::limited(now.saturating_add(lifetime), now);
        Ok(AccessToken { text: Secret::new(text), expiry, issued: now, member: None })
    }

    /// Whether the token need not be renewed at the time `now`, because it is valid for longer than
    /// [`MIN_LIFE`].
    pub fn is_fresh(&self, now: i64) -> bool {
        self.early_expiry() > now.saturating_add(MIN_LIFE)
    }

    /// The expiry to report to a client that caches the token, in seconds since 1970. It is earlier
    /// than the real expiry, so that clients on different hosts do not request new tokens at the
    /// same time. If the token should be renewed but cannot be, it is the real expiry.
    pub fn expiry_for_clients(&self, now: i64) -> i64 {
        if self.is_fresh(now) { self.early_expiry() } else { self.expiry }
    }

    fn early_expiry(&self) -> i64 {
        self.expiry.saturating_sub(self.spread(MIN_LIFE))
    }

    /// Whether a file was written for an access token, completely or not.
    pub fn is_ours(existing: &Existing<'_>, _new: Option<&str>) -> bool {
        let beginning = format!(r#"{{"issued_token_type":"{URN}""#);
        let content = existing.content;
        match serde_json::from_slice::<Value>(content) {
            Ok(value) => value.get(REQUEST_MEMBER).is_some(),
            Err(error) => error.is_eof() && content.starts_with(beginning.as_bytes()),
        }
    }

    /// Reads the token from an OAuth response (RFC 6749, section 5.1) at the time `now`. `server`
    /// and `option` are as in [`AccessToken::new`].
    ///
    /// # Errors
    /// `PROTOCOL` if the response does not contain a valid bearer token.
    pub fn of_oauth(
        members: &Map<String, Value>,
        now: i64,
        (server, option): (&Url, &str),
    ) -> Result<AccessToken, Error> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let token = text("access_token").ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {server} has no access_token"))
                .fix(format!("check {option}"))
        })?;
        if text("token_type").is_some_and(|name| !name.eq_ignore_ascii_case("Bearer")) {
            let what = format!("the token_type in the response from {server} is not Bearer");
            return Err(another_server(what, option));
        }
        let lifetime = members.get("expires_in").and_then(time::lifetime);
        AccessToken::new(token, lifetime, now, (server, option))
    }
}

/// How many seconds earlier than required a token is renewed: up to a tenth of the time for which
/// it is used. `issued` and `expiry` are in seconds since 1970. The result depends on the text of
/// the token: it is random, but the same for every run that reads the token from a file.
pub fn spread_of(text: &Secret, [issued, expiry]: [i64; 2], min_life: i64) -> i64 {
    let lifetime = expiry.checked_sub(issued).unwrap_or(0);
    let most = spread::longest_spread(lifetime, min_life);
    let digest = digest(&SHA256, text.expose().as_bytes());
    digest.as_ref().first_chunk().map_or(0, |bytes| random::share(*bytes, most))
}

/// The error for a response that Google never sends. `option` contains the URL of the server.
fn another_server(what: String, option: &str) -> Error {
    Error::new(Kind::Protocol, what).fix(format!(
        "check {option}, because usually a proxy or an emulator responded instead of Google"
    ))
}

impl Cached for AccessToken {
    fn from_file(bytes: &[u8], request: &str) -> Result<AccessToken, &'static str> {
        let value = bound::read(bytes, request)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("issued_token_type") != Some(URN) {
            return Err("it is not an access token");
        }
        let expiry = value.get("expiration_time").and_then(time::whole_second);
        let expiry = expiry.ok_or("it has no expiration_time")?;
        let token = text("access_token").filter(|token| token::is_bearer(token));
        Ok(AccessToken {
            text: Secret::new(token.ok_or("it has no access_token")?),
            expiry,
            issued: value.get(ISSUED).and_then(Value::as_i64).unwrap_or(i64::MIN),
            member: text(MEMBER).map(str::to_owned),
        })
    }

    fn to_file(&self, request: &str) -> Secret {
        let members = json!({
            "issued_token_type": URN,
            "access_token": self.text.expose(),
            "expiration_time": self.expiry,
            ISSUED: self.issued,
            MEMBER: self.member,
        });
        bound::to_request(members, request)
    }

    fn usable_until(&self) -> i64 {
        self.expiry
    }

    fn valid_until(&self) -> i64 {
        self.expiry
    }

    fn spread(&self, min_life: i64) -> i64 {
        spread_of(&self.text, [self.issued, self.expiry], min_life)
    }

    fn issued(&self) -> i64 {
        self.issued
    }

    fn without_margin(self) -> AccessToken {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn token(lifetime: Option<i64>) -> AccessToken {
        let url = Url::parse("https://sts.googleapis.com/").unwrap();
        AccessToken::new("ya29.x", lifetime, 1000, (&url, "token_url")).unwrap()
    }

    #[test]
    fn a_cache_file_is_used_only_for_its_request() {
        let token = token(Some(3600));
        let file = token.to_file("d");
        let read = AccessToken::from_file(file.expose().as_bytes(), "d").unwrap();
        assert_eq!((read.text.expose(), read.expiry), ("ya29.x", 4600));
        assert!(AccessToken::from_file(file.expose().as_bytes(), "e").is_err());
        for (from, to) in [
            ("\"ya29.x\"", "\"\""),
            ("4600", "4600000000000"),
            ("4600", "\"4600\""),
            ("access_token\",", "jwt\","),
            ("}", ""),
        ] {
            let bad = file.expose().replacen(from, to, 1);
            assert_ne!(bad, file.expose());
            assert!(AccessToken::from_file(bad.as_bytes(), "d").is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_cache_file_is_recognized() {
        let is_ours = |content: &[u8]| {
            AccessToken::is_ours(&Existing { content, whole: content, is_private: true }, None)
        };
        let file = token(Some(3600)).to_file("d");
        for length in 80..=file.expose().len() {
            assert!(is_ours(&file.expose().as_bytes()[..length]), "{length}");
        }
        for other in ["[]", "{}", "{", "ya29.x", r#"{"access_token":"x"}"#, r#"{"type":"x""#, "["] {
            assert!(!is_ours(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_token_is_not_used_forever() {
        let token = token(Some(i64::MAX));
        assert_eq!(token.expiry, 1000 + 90 * 24 * 3600);
    }

    #[test]
    fn a_token_without_a_remaining_lifetime_is_refused() {
        let url = Url::parse("https://sts.googleapis.com/").unwrap();
        for lifetime in [0, -1] {
            let error = AccessToken::new("ya29.x", Some(lifetime), 1000, (&url, "token_url"));
            assert_eq!(error.unwrap_err().kind(), Kind::Protocol);
        }
    }

    #[test]
    fn tokens_of_the_same_lifetime_are_renewed_at_different_times() {
        let url = Url::parse("https://sts.googleapis.com/").unwrap();
        let spreads = |life: i64| -> BTreeSet<i64> {
            let token = |number| {
                let text = format!("hunter2-{number}");
                AccessToken::new(&text, Some(life), 1000, (&url, "token_url")).unwrap()
            };
            (0..300).map(|number| token(number).spread(MIN_LIFE)).collect()
        };
        for (life, most, distinct) in [(3600, 300, 100), (900, 60, 40), (300, 0, 1)] {
            let spreads = spreads(life);
            assert!(spreads.len() >= distinct, "{life}: {spreads:?}");
            assert!(spreads.iter().all(|spread| (0..=most).contains(spread)), "{spreads:?}");
        }
        let of_an_old_file = AccessToken { issued: i64::MIN, ..token(Some(3600)) };
        assert_eq!(of_an_old_file.spread(300), 0);
    }

    #[test]
    fn clients_request_a_new_token_when_it_is_renewed() {
        let token = token(Some(3600));
        let early = token.expiry_for_clients(1000);
        assert_eq!(early, 4600 - token.spread(300));
        assert!(early < 4600, "the text of this token gives a spread");
        assert!(token.is_fresh(early - 301) && !token.is_fresh(early - 300));
        assert_eq!(token.expiry_for_clients(early - 300), 4600, "it cannot be renewed");
    }
}
