//! The tokens that the server provides. Requests for the same token share one fetch.
//!
//! A token is renewed when less than five to ten minutes of its life remain, and clients get an earlier
//! expiry: see [`AccessToken::expiry_for_clients`]. While it is still valid, it is
//! served if the renewal fails or takes longer than two seconds.
//!
//! The clock of the host may be set while the server runs. A token has expired when the clock or the time
//! since its arrival says so: a suspended host measures only the former.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::system::Waker;
use crate::contract::exit;
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::http::TOLERATED_SKEW;
use crate::world::Deadline;

/// A token that a client requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// An access token with these scopes.
    Access(Vec<String>),
    /// An ID token for this audience, with the email address if the flag is set.
    Identity(String, bool),
    /// The subject token, in JSON if the flag is set.
    Subject(bool),
}

/// Fetches a token; a cached one is used only if the flag is set. It is called in another thread.
pub type Fetch = Arc<dyn Fn(&Wanted, bool) -> Result<AccessToken, Error> + Send + Sync>;

/// How many tokens are fetched at a time.
const THREADS: usize = 4;

/// The largest number of cached tokens.
const MOST: usize = 64;

/// The largest number of tokens that wait to be fetched.
const MOST_PENDING: usize = 256;

/// How long clients wait for a new token while an old one is valid.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longer than any token lives.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How many threads there may be if some of them hang, for example because a file system does not respond.
const MOST_THREADS: usize = 16;

/// A fetch that has not ended this long after its timeout hangs: its own waits end earlier.
const HANGS_AFTER: Duration = Duration::from_secs(1);

/// How many threads may panic before the server ends.
const MOST_LOST: usize = 16;

/// The tokens, and the threads that fetch them.
pub(super) struct Tokens {
    known: HashMap<Wanted, Known>,
    send: Sender<(Wanted, bool)>,
    results: Receiver<(Wanted, Result<AccessToken, Error>)>,
    worker: Worker,
    /// How many threads were started.
    threads: usize,
    pending: usize,
    /// The longest time of a fetch that does not hang.
    longest: Duration,
}

/// What a thread needs to fetch tokens.
#[derive(Clone)]
struct Worker {
    fetch: Fetch,
    queue: Arc<Mutex<Receiver<(Wanted, bool)>>>,
    done: Sender<(Wanted, Result<AccessToken, Error>)>,
    /// Used when a result is available.
    waker: Waker,
    /// How many threads panicked.
    lost: Arc<AtomicUsize>,
    /// From when on each fetch that has begun and has not ended hangs.
    running: Arc<Mutex<Vec<Deadline>>>,
}

#[derive(Default)]
struct Known {
    token: Option<AccessToken>,
    /// When the token expires, measured from its arrival.
    until: Option<Deadline>,
    /// While the token is being fetched: how long clients with a valid token wait, and when the fetch hangs.
    pending: Option<(Deadline, Deadline)>,
}

/// The result of a lookup.
pub(super) enum Answer {
    /// A valid token.
    Token(AccessToken),
    /// The token is being fetched.
    Pending,
    /// The token is being renewed. This one is still valid and is served if the renewal fails, or
    /// at the deadline.
    Renewing(AccessToken, Deadline),
}

impl Known {
    /// The token with the earlier one of both expiries.
    fn token(&self, now: i64) -> Option<AccessToken> {
        let left = self.until?.until_end().as_millis().div_ceil(1000);
        let until = now.saturating_add(i64::try_from(left).unwrap_or(i64::MAX));
        let token = self.token.clone()?;
        Some(AccessToken { expiry: token.expiry.min(until), ..token })
    }

    /// Replaces the token. If it is the known one, from a cache, it still expires when it did before.
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
    pub(super) fn new(fetch: Fetch, timeout: Duration, waker: Waker) -> Tokens {
        let (send, queue) = mpsc::channel();
        let (done, results) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let (lost, running) = (Arc::default(), Arc::default());
        let worker = Worker { fetch, queue, done, waker, lost, running };
        let (known, longest) = (HashMap::new(), timeout + HANGS_AFTER);
        Tokens { known, send, results, worker, threads: 0, pending: 0, longest }
    }

    /// The token for a request at this time; starts a fetch if no cached token is valid for long enough.
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
        let pending =
            pending.unwrap_or_else(|| (Deadline::after(PATIENCE), Deadline::after(self.longest)));
        known.pending = Some(pending);
        let patience = pending.0;
        if is_new {
            self.start(wanted, reuses);
        }
        match valid {
            Some(token) if patience.until_end().is_zero() => Answer::Token(token),
            Some(token) => Answer::Renewing(token, patience),
            None => Answer::Pending,
        }
    }

    /// The next result that has arrived. A failed renewal has no effect on clients that have a
    /// valid token.
    pub(super) fn next_result(&mut self, now: i64) -> Option<(Wanted, Result<AccessToken, Error>)> {
        let Ok((wanted, result)) = self.results.try_recv() else {
            // This thread replaces one that has panicked.
            self.start_thread();
            return None;
        };
        self.pending = self.pending.saturating_sub(1);
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

    /// Whether so many threads have panicked that the server must end, because each of them stays in
    /// memory. Their results have arrived.
    pub(super) fn has_failed(&self) -> bool {
        self.worker.lost.load(Ordering::SeqCst) >= MOST_LOST
    }

    /// How many threads fetch tokens or wait for a request.
    fn live_threads(&self) -> usize {
        self.threads.saturating_sub(self.worker.lost.load(Ordering::SeqCst))
    }

    fn start_thread(&mut self) {
        let (live, hanging) = (self.live_threads(), self.worker.hanging());
        let (worker, longest) = (self.worker.clone(), self.longest);
        let usable = live.saturating_sub(hanging);
        if self.pending > usable
            && usable < THREADS
            && live < MOST_THREADS
            && thread::Builder::new().spawn(move || worker.run(longest)).is_ok()
        {
            self.threads += 1;
        }
    }

    fn start(&mut self, wanted: &Wanted, reuses: bool) {
        self.pending += 1;
        self.start_thread();
        let refusal = if self.pending > MOST_PENDING {
            let what = "too many different tokens are requested at the same time";
            Some(
                Error::new(Kind::Unreachable, what)
                    .fix("request fewer different scopes and audiences at the same time"),
            )
        } else if self.live_threads() == 0 || self.send.send((wanted.clone(), reuses)).is_err() {
            let error = Error::new(Kind::Unreachable, "cannot start a thread");
            Some(error.fix(match cfg!(windows) {
                true => "close other programs on this host",
                false => "raise the limit on processes (ulimit -u)",
            }))
        } else {
            None
        };
        if let Some(error) = refusal {
            self.worker.report(wanted.clone(), Err(error));
        }
    }
}

/// The token with the expiry that clients get.
fn for_clients(token: AccessToken, now: i64) -> AccessToken {
    AccessToken { expiry: token.expiry_for_clients(now), ..token }
}

impl Worker {
    fn run(&self, longest: Duration) {
        while let Some((wanted, reuses)) = self.next() {
            let hangs_from = Deadline::after(longest);
            self.running().push(hangs_from);
            let (worker, lost) = (self.clone(), wanted.clone());
            exit::contain_panics(move |error| {
                worker.has_ended(hangs_from);
                let _ = worker.done.send((lost, Err(error)));
                worker.lost.fetch_add(1, Ordering::SeqCst);
                worker.waker.wake();
            });
            let result = (self.fetch)(&wanted, reuses);
            self.has_ended(hangs_from);
            self.report(wanted, result);
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Deadline>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads hang.
    fn hanging(&self) -> usize {
        self.running().iter().filter(|hangs_from| hangs_from.until_end().is_zero()).count()
    }

    fn has_ended(&self, hangs_from: Deadline) {
        let mut running = self.running();
        if let Some(at) = running.iter().position(|other| *other == hangs_from) {
            running.swap_remove(at);
        }
    }

    fn next(&self) -> Option<(Wanted, bool)> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    fn report(&self, wanted: Wanted, result: Result<AccessToken, Error>) {
        let _ = self.done.send((wanted, result));
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::super::system::{Interest, Woken, handle, poll};
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
        (Tokens::new(Arc::new(fetch), Duration::from_secs(25), waker), woken)
    }

    /// Waits for a result.
    fn wait(woken: &mut Woken) {
        poll(&[(handle(woken), Interest::Read)], None);
        woken.clear();
    }

    fn wanted() -> Wanted {
        Wanted::Access(Vec::new())
    }

    /// The token that is fetched for a request at this time.
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

    /// A source may have a cache of its own.
    #[test]
    fn the_same_token_does_not_become_younger() {
        let now = LIFE - 100;
        let mut known = Known::default();
        let text = || Secret::new("same".to_owned());
        let token = AccessToken { text: text(), expiry: LIFE, issued: 0, member: None };
        known.set(&token, now);
        known.set(&token, now - 5000);
        assert!(known.token(now - 5000).unwrap().expiry <= now - 4900);
    }
}
