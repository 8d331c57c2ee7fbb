//! The thread that calls the module for one key.
//!
//! The thread lives until the process ends and keeps its session, so that a server logs in once. If
//! the module blocks, the jobs of the thread are given up at their deadlines, and the thread
//! continues when the module does.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::failure::Failure;
use super::key::{Found, Opened};
use super::target::Target;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Pkcs11Uri;
use crate::program;
use crate::secret::Secret;
use crate::world::Deadline;

/// A handle to the thread for one key.
#[derive(Clone)]
pub(super) struct Worker(Arc<Queue>);

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

/// The jobs that the thread has not begun. (The channels of the standard library would add 30 KiB to
/// the program.)
#[derive(Default)]
struct Queue {
    jobs: Mutex<Vec<Job>>,
    /// A job was added, or has ended.
    changed: Condvar,
}

type Job = Box<dyn FnOnce(&mut State) + Send>;

/// The threads, by the URIs of their keys. The login is a state of the process, so threads for the
/// same key would not be independent.
static WORKERS: Mutex<Vec<(String, Worker)>> = Mutex::new(Vec::new());

/// The state of a thread.
#[derive(Default)]
struct State {
    key: Option<Opened>,
    /// Why the key could not be opened with this PIN, and until when it is not opened again.
    failed: Option<(Option<Secret>, Error, Deadline)>,
}

/// How long a key that could not be opened is not opened again. A run that needs it twice sends the PIN
/// once, and a server does not send it for every request.
const PAUSE: Duration = Duration::from_secs(10);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Returns the thread for the key of `uri`, and starts it if necessary.
    ///
    /// # Errors
    /// `CONFIGURATION` if no thread can be started.
    pub(super) fn of(uri: &Pkcs11Uri) -> Result<Worker, Error> {
        let mut workers = locked(&WORKERS);
        let name = uri.to_string();
        if let Some((_, worker)) = workers.iter().find(|(known, _)| *known == name) {
            return Ok(worker.clone());
        }
        let worker = Worker(Arc::default());
        let queue = worker.0.clone();
        thread::Builder::new().spawn(move || queue.work()).map_err(|error| {
            Error::new(Kind::Configuration, "cannot start a thread")
                .cause(error)
                .fix(program::MORE_PROCESSES)
        })?;
        workers.push((name, worker.clone()));
        Ok(worker)
    }

    /// Opens the key, unless it is still open. Returns what is known about it.
    ///
    /// # Errors
    /// The errors of the calls, and `UNREACHABLE` at the deadline.
    pub(super) fn open(&self, target: &Arc<Target>, deadline: Deadline) -> Result<Found, Error> {
        self.run(target, deadline, |state, target| {
            // The token may have been removed since an earlier request.
            state.key = state.key.take().filter(Opened::is_usable);
            state.call(target, &|key| Ok(key.found()))
        })
    }

    /// Calls the module with the key.
    ///
    /// # Errors
    /// The errors of [`Worker::open`].
    pub(super) fn call<T: Send + 'static>(
        &self,
        target: &Arc<Target>,
        deadline: Deadline,
        job: impl Fn(&Opened) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.run(target, deadline, move |state, target| state.call(target, &job))
    }

    fn run<T: Send + 'static>(
        &self,
        target: &Arc<Target>,
        deadline: Deadline,
        job: impl Fn(&mut State, &Target) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let result = Arc::new(Mutex::new(None));
        let (target, stored) = (target.clone(), result.clone());
        let job = move |state: &mut State| {
            if !deadline.has_passed() {
                *locked(&stored) = Some(job(state, &target).map_err(|failure| failure.of(&target)));
            }
        };
        self.0.add(Box::new(job));
        self.0.wait(deadline, &|| locked(&result).is_some());
        let result = locked(&result).take();
        result.unwrap_or_else(|| {
            Err(Error::new(Kind::Unreachable, "the PKCS#11 module does not respond")
                .fix("check the token and its service, such as pcscd, or increase --timeout")
                .lost())
        })
    }
}

impl Queue {
    fn add(&self, job: Job) {
        locked(&self.jobs).push(job);
        self.changed.notify_all();
    }

    /// Waits for the end of a job, until the deadline.
    fn wait(&self, deadline: Deadline, has_ended: &dyn Fn() -> bool) {
        files::may_wait();
        let mut jobs = locked(&self.jobs);
        while !has_ended() && !deadline.has_passed() {
            let waited = self.changed.wait_timeout(jobs, deadline.remaining());
            jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Runs the jobs one after another, in the order of their arrival.
    fn work(&self) {
        let mut state = State::default();
        let mut jobs = locked(&self.jobs);
        loop {
            if jobs.is_empty() {
                jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let job = jobs.remove(0);
            drop(jobs);
            job(&mut state);
            jobs = locked(&self.jobs);
            self.changed.notify_all();
        }
    }
}

impl State {
    /// Runs a job with the key. After a failure, the session is closed.
    fn call<T>(
        &mut self,
        target: &Target,
        job: &dyn Fn(&Opened) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let key = match self.key.take() {
            Some(key) => key,
            None => self.open(target)?,
        };
        let result = job(&key)?;
        self.key = Some(key);
        Ok(result)
    }

    fn open(&mut self, target: &Target) -> Result<Opened, Failure> {
        let pin = target.pin.as_ref();
        let failed = self.failed.as_ref().filter(|(of, _, end)| {
            of.as_ref().map(Secret::expose) == pin.map(Secret::expose) && !end.has_passed()
        });
        if let Some((_, error, _)) = failed {
            return Err(error.clone().into());
        }
        Opened::open(target).map_err(|failure| {
            let error = failure.of(target);
            self.failed = Some((target.pin.clone(), error.clone(), Deadline::after(PAUSE)));
            error.into()
        })
    }
}
