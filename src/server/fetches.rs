//! Fetches tokens in threads: a few at a time, and more if some of them hang.
//!
//! A thread that panics is replaced. If many threads panic, the server must end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::system::Waker;
use crate::contract::exit;
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::program::MORE_PROCESSES;
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

/// Fetches a token; a cached one is used only if the flag is set. The function is called in another
/// thread.
pub type Fetch = Arc<dyn Fn(&Wanted, bool) -> Result<AccessToken, Error> + Send + Sync>;

/// The number of tokens that are fetched at the same time.
const THREADS: usize = 4;

/// The maximum number of tokens that wait to be fetched.
const MOST_PENDING: usize = 256;

/// The maximum number of threads if some of them hang, for example because a file system does not
/// respond.
const MOST_THREADS: usize = 16;

/// A fetch hangs if it has not ended this long after its timeout, because its own waits end
/// earlier.
const HANGS_AFTER: Duration = Duration::from_secs(1);

/// The number of threads that panic before the server ends.
const MOST_LOST: usize = 16;

/// The fetches that have begun or wait, and their results.
pub(super) struct Fetches {
    send: Sender<(Wanted, bool)>,
    results: Receiver<(Wanted, Result<AccessToken, Error>)>,
    worker: Worker,
    /// The number of threads that were started.
    threads: usize,
    pending: usize,
    /// The longest time of a fetch that does not hang.
    pub(super) longest: Duration,
}

/// What a thread needs to fetch tokens.
#[derive(Clone)]
struct Worker {
    fetch: Fetch,
    queue: Arc<Mutex<Receiver<(Wanted, bool)>>>,
    done: Sender<(Wanted, Result<AccessToken, Error>)>,
    /// Used when a result is available.
    waker: Waker,
    /// The number of threads that panicked.
    lost: Arc<AtomicUsize>,
    /// For each running fetch, the time from which it counts as hanging.
    running: Arc<Mutex<Vec<Deadline>>>,
}

impl Fetches {
    /// Creates an empty queue. A fetch ends within `timeout`, and `waker` is used when a result is
    /// available.
    pub(super) fn new(fetch: Fetch, timeout: Duration, waker: Waker) -> Fetches {
        let (send, queue) = mpsc::channel();
        let (done, results) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let (lost, running) = (Arc::default(), Arc::default());
        let worker = Worker { fetch, queue, done, waker, lost, running };
        let longest = timeout + HANGS_AFTER;
        Fetches { send, results, worker, threads: 0, pending: 0, longest }
    }

    /// Takes the next result that has arrived.
    pub(super) fn next_result(&mut self) -> Option<(Wanted, Result<AccessToken, Error>)> {
        let Ok(found) = self.results.try_recv() else {
            // A new thread replaces one that has panicked.
            self.start_thread();
            return None;
        };
        self.pending = self.pending.saturating_sub(1);
        Some(found)
    }

    /// Whether so many threads panicked that the server must end: a thread that panicked stays in
    /// memory. The results of these threads have arrived.
    pub(super) fn have_failed(&self) -> bool {
        self.worker.lost.load(Ordering::SeqCst) >= MOST_LOST
    }

    /// The number of threads that fetch tokens or wait for a request.
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

    /// Starts a fetch, or reports why that is impossible as its result.
    pub(super) fn start(&mut self, wanted: &Wanted, reuses: bool) {
        self.pending += 1;
        self.start_thread();
        let refusal = if self.pending > MOST_PENDING {
            let what = "too many different tokens are requested at the same time";
            Some(
                Error::new(Kind::Unreachable, what)
                    .fix("request fewer different scopes and audiences at the same time"),
            )
        } else if self.live_threads() == 0 || self.send.send((wanted.clone(), reuses)).is_err() {
            Some(Error::new(Kind::Unreachable, "cannot start a thread").fix(MORE_PROCESSES))
        } else {
            None
        };
        if let Some(error) = refusal {
            self.worker.report(wanted.clone(), Err(error));
        }
    }
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

    /// The number of threads that hang.
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
