//! The tokens that the server provides. Requests for the same token share one fetch.
//!
//! A token is renewed when less than five to ten minutes of its life remain, and clients get an earlier
//! expiry: see [`AccessToken::expiry_for_clients`]. While it is still valid, it is served if the renewal
//! fails or takes longer than two seconds.
//!
//! The clock of the host may be set while the server runs. A token has expired when the clock or the time
//! since its arrival says so: a suspended host measures only the former.

use std::collections::HashMap;
use std::time::Duration;

use super::fetches::{Fetches, Wanted};
use crate::error::Error;
use crate::google::access_token::AccessToken;
use crate::http::TOLERATED_SKEW;
use crate::world::Deadline;

/// The maximum number of cached tokens.
const MOST: usize = 64;

/// How long clients wait for a new token while an old one is valid.
const PATIENCE: Duration = Duration::from_secs(2);

/// A time that is longer than the lifetime of any token.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The tokens that are cached, and those that are being fetched.
pub(super) struct Tokens {
    known: HashMap<Wanted, Known>,
    fetches: Fetches,
}

#[derive(Default)]
struct Known {
    token: Option<AccessToken>,
    /// When the token expires, measured from its arrival.
    until: Option<Deadline>,
    /// While the token is being fetched: until when clients with a valid token wait, and from when
    /// the fetch counts as hanging.
    pending: Option<(Deadline, Deadline)>,
}

/// The result of a lookup.
pub(super) enum Answer {
    /// A valid token.
    Token(AccessToken),
    /// The token is being fetched.
    Pending,
    /// The token is being renewed. The old token is still valid and is served if the renewal fails,
    /// or at the deadline.
    Renewing(AccessToken, Deadline),
}

impl Known {
    /// The token with the earlier of two expiries: its own, and `until`.
    fn token(&self, now: i64) -> Option<AccessToken> {
        let left = self.until?.until_end().as_millis().div_ceil(1000);
        let until = now.saturating_add(i64::try_from(left).unwrap_or(i64::MAX));
        let token = self.token.clone()?;
        Some(AccessToken { expiry: token.expiry.min(until), ..token })
    }

    /// Replaces the token. If the new token is the known one, from a cache, it does not expire
    /// later than before.
    fn set(&mut self, token: &AccessToken, now: i64) {
        let life = u64::try_from(token.expiry.saturating_sub(now)).unwrap_or(0);
        let until = Deadline::after(Duration::from_secs(life).min(LONGEST));
        let is_same = |old: &AccessToken| {
            (old.text.expose(), old.expiry) == (token.text.expose(), token.expiry)
        };
        let old = self.until.filter(|_| self.token.as_ref().is_some_and(is_same));
        self.until = Some(old.map_or(until, |old| old.min(until)));
        self.token = Some(token.clone());
    }
}

impl Tokens {
    pub(super) fn new(fetches: Fetches) -> Tokens {
        Tokens { known: HashMap::new(), fetches }
    }

    /// Looks up the token for a request at the time `now`. Starts a fetch if no cached token is
    /// valid for long enough.
    pub(super) fn get(&mut self, wanted: &Wanted, now: i64) -> Answer {
        let fresh = self.known.get(wanted).and_then(|known| known.token(now));
        if let Some(token) = fresh.filter(|token| token.is_fresh(now)) {
            return Answer::Token(for_clients(token, now));
        }
        self.forget(wanted, now);
        let known = self.known.entry(wanted.clone()).or_default();
        // The token must still be valid at the end of the wait.
        let least = now + PATIENCE.as_secs() as i64;
        let token = known.token(now);
        // If the clock was set back, the cached files also seem to be valid for longer.
        let earlier = token.as_ref().map(|token| token.expiry + TOLERATED_SKEW);
        let reuses = known.token.as_ref().map(|token| token.expiry) <= earlier;
        let valid = token.filter(|token| token.expiry > least);
        let pending = known.pending.filter(|(_, hangs_from)| !hangs_from.until_end().is_zero());
        let is_new = pending.is_none();
        let pending = pending
            .unwrap_or_else(|| (Deadline::after(PATIENCE), Deadline::after(self.fetches.longest)));
        known.pending = Some(pending);
        let patience = pending.0;
        if is_new {
            self.fetches.start(wanted, reuses);
        }
        match valid {
            Some(token) if patience.until_end().is_zero() => Answer::Token(token),
            Some(token) => Answer::Renewing(token, patience),
            None => Answer::Pending,
        }
    }

    /// Takes the next result that has arrived. A failed renewal has no effect on clients that have
    /// a valid token.
    pub(super) fn next_result(&mut self, now: i64) -> Option<(Wanted, Result<AccessToken, Error>)> {
        let (wanted, result) = self.fetches.next_result()?;
        let known = self.known.entry(wanted.clone()).or_default();
        known.pending = None;
        if let Ok(token) = &result {
            known.set(token, now);
        }
        let result = result.map(|token| for_clients(known.token(now).unwrap_or(token), now));
        Some((wanted, result))
    }

    /// If there are too many tokens, drops those that have expired, then all that are not being
    /// fetched.
    fn forget(&mut self, wanted: &Wanted, now: i64) {
        if self.known.len() < MOST || self.known.contains_key(wanted) {
            return;
        }
        let is_valid = |known: &Known| known.token.as_ref().is_some_and(|token| token.expiry > now);
        self.known.retain(|_, known| known.pending.is_some() || is_valid(known));
        if self.known.len() >= MOST {
            self.known.retain(|_, known| known.pending.is_some());
        }
    }

    /// See [`Fetches::have_failed`].
    pub(super) fn have_failed(&self) -> bool {
        self.fetches.have_failed()
    }
}

/// The token with the expiry that clients get.
fn for_clients(token: AccessToken, now: i64) -> AccessToken {
    AccessToken { expiry: token.expiry_for_clients(now), ..token }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::system::{Interest, Waker, Woken, handle, poll};
    use super::*;
    use crate::secret::Secret;

    const LIFE: i64 = 3600;

    /// The tokens of a test server. Each token says whether a cached one could be used.
    fn tokens() -> (Tokens, Woken) {
        let (woken, waker) = Waker::new().unwrap();
        let fetch = |_: &Wanted, reuses| {
            let text = Secret::new(format!("{reuses}"));
            Ok(AccessToken { text, expiry: LIFE, issued: 0, member: None })
        };
        (Tokens::new(Fetches::new(Arc::new(fetch), Duration::from_secs(25), waker)), woken)
    }

    /// Waits for a result.
    fn wait(woken: &mut Woken) {
        poll(&[(handle(woken), Interest::Read)], None);
        woken.clear();
    }

    fn wanted() -> Wanted {
        Wanted::Access(Vec::new())
    }

    /// Fetches the token for a request at the time `now`.
    fn fetched(tokens: &mut Tokens, woken: &mut Woken, now: i64) -> AccessToken {
        assert!(!matches!(tokens.get(&wanted(), now), Answer::Token(_)));
        wait(woken);
        tokens.next_result(now).unwrap().1.unwrap()
    }

    #[test]
    fn a_token_does_not_live_longer_when_the_clock_is_set_back() {
        let (mut tokens, mut woken) = tokens();
        assert_eq!(fetched(&mut tokens, &mut woken, LIFE - 200).expiry, LIFE);
        let back = LIFE - 10_000;
        let Answer::Renewing(old, _) = tokens.get(&wanted(), back) else { panic!("no renewal") };
        assert!((back + 198..=back + 200).contains(&old.expiry), "{}", old.expiry);
        wait(&mut woken);
        assert_eq!(tokens.next_result(back).unwrap().1.unwrap().text.expose(), "false");
        // The new token has its whole life, and is served from now on.
        let Answer::Token(new) = tokens.get(&wanted(), back) else { panic!("no token") };
        let text = Secret::new("false");
        let whole = AccessToken { text, expiry: LIFE, issued: 0, member: None };
        assert_eq!((new.text.expose(), new.expiry), ("false", whole.expiry_for_clients(back)));
    }

    #[test]
    fn a_token_expires_when_the_clock_is_set_forward() {
        let (mut tokens, mut woken) = tokens();
        fetched(&mut tokens, &mut woken, 0);
        assert!(matches!(tokens.get(&wanted(), 0), Answer::Token(_)));
        assert!(matches!(tokens.get(&wanted(), LIFE), Answer::Pending));
        wait(&mut woken);
        assert_eq!(tokens.next_result(LIFE).unwrap().1.unwrap().text.expose(), "true");
    }

    /// A source may return the same token again, from its own cache.
    #[test]
    fn the_same_token_does_not_expire_later() {
        let now = LIFE - 100;
        let mut known = Known::default();
        let text = || Secret::new("same".to_owned());
        let token = AccessToken { text: text(), expiry: LIFE, issued: 0, member: None };
        known.set(&token, now);
        known.set(&token, now - 5000);
        assert!(known.token(now - 5000).unwrap().expiry <= now - 4900);
    }
}
