//! The thread that calls the module for one key.
//!
//! It lives until the process ends and keeps its session, so that a server logs in once. If the
//! module blocks, the jobs of the thread are given up at their deadlines, and the thread continues
//! when the module does.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::failure::{self, Failure};
use super::opened::{Found, Opened, Target};
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Pkcs11Uri;
use crate::secret::Secret;
use crate::world::Deadline;

/// The way to the thread of one key.
#[derive(Debug, Clone)]
pub(super) struct Worker(Sender<Job>);

type Job = Box<dyn FnOnce(&mut State) + Send>;

/// The threads, by URI. The login is a state of the process, so that threads for the same key would
/// not be independent.
static WORKERS: Mutex<Vec<(String, Worker)>> = Mutex::new(Vec::new());

/// What a thread knows.
#[derive(Default)]
struct State {
    key: Option<Opened>,
    /// The PIN that the token has refused. It is not sent again.
    refused: Option<Secret>,
}

impl Worker {
    /// The thread for this key.
    ///
    /// # Errors
    /// `INTERNAL` if no thread can be started.
    pub(super) fn of(uri: &Pkcs11Uri) -> Result<Worker, Error> {
        let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
        let name = uri.to_string();
        if let Some((_, worker)) = workers.iter().find(|(known, _)| *known == name) {
            return Ok(worker.clone());
        }
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || {
            let mut state = State::default();
            jobs.into_iter().for_each(|job| job(&mut state));
        };
        thread::Builder::new().spawn(work).map_err(|error| {
            Error::new(Kind::Internal, "cannot start a thread")
                .cause(error)
                .fix("raise the limit of processes (ulimit -u)")
        })?;
        let worker = Worker(sender);
        workers.push((name, worker.clone()));
        Ok(worker)
    }

    /// Opens the key, unless it is still open. Returns what is known about it.
    ///
    /// # Errors
    /// Those of the calls, and `UNREACHABLE` at the deadline.
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
    /// As for [`Worker::open`].
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
        files::may_wait();
        let (reply, result) = mpsc::channel();
        let target = target.clone();
        let _ = self.0.send(Box::new(move |state| {
            if !deadline.has_passed() {
                let result = job(state, &target);
                let _ = reply.send(result.map_err(|failure| match failure {
                    Failure::Call(failed) => failure::of_call(failed, &target),
                    Failure::Known(error) => *error,
                }));
            }
        }));
        result.recv_timeout(deadline.remaining()).unwrap_or_else(|_| {
            Err(Error::new(Kind::Unreachable, "the PKCS#11 module does not respond")
                .fix("check the token and its service, such as pcscd, or increase --timeout")
                .lost())
        })
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
            None => Opened::open(target, &mut self.refused)?,
        };
        let result = job(&key)?;
        self.key = Some(key);
        Ok(result)
    }
}
