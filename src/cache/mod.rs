//! A file that caches a token, with a lock next to it.
//!
//! It contains a subject token (the output file of the contract) or an access token
//! (`--cache-file`). Clients read the output file before they run the executable, and fail on every
//! run if the file is invalid. Therefore the file contains only complete documents that report a
//! success: the content is written to a temporary file in the same directory with mode 0600,
//! synced, and renamed. `PATH.lock` makes concurrent runs fetch only once: a run that waited for
//! the lock reads the file again, and reports the failure of the run that held the lock. A run
//! stops waiting while it still has time to fetch by itself. Before a run fails, it reads the file
//! once more.
//!
//! `tests/model` checks this protocol in every order of its steps, with runs that are killed or
//! stopped. `tests/model_steps` compares the steps of the model with the calls in this module.
//!
//! A caller may need a token that is usable for some time. A token that is issued with a shorter
//! lifetime is given to every run that was waiting for it, and is replaced by the next run.
//!
//! If the server cannot be reached, a cached token that is still valid is used in the last minutes
//! of its lifetime. A refusal is remembered for a few seconds, so that clients that retry do not lock
//! the account. If the file or the lock fails, this is logged and the token is still printed.

pub mod bound;
mod dependencies;
mod failure;
mod lock;
pub mod private;

use std::path::{Path, PathBuf};

pub use self::failure::Refusals;
pub use self::lock::Lock;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Existing, Refusal};
use crate::secret::Secret;
use crate::show;
use crate::time::rfc3339;
use crate::world::World;

/// By how much the clocks of hosts that share a file may differ, in seconds.
const TOLERATED_SKEW: i64 = 300;

/// What can be cached.
pub trait Cached: Sized {
    /// Reads the content of a file that was written for the request with this digest.
    ///
    /// # Errors
    /// Why the content is not used, for the log.
    fn from_file(bytes: &[u8], request: &str) -> Result<Self, &'static str>;

    /// Builds the content of a file for the request with this digest.
    fn to_file(&self, request: &str) -> Secret;

    /// The time from which on the value is replaced, in seconds since 1970.
    fn usable_until(&self) -> i64;

    /// The time from which on the value is no longer valid, in seconds since 1970. It is never
    /// earlier than [`Cached::usable_until`].
    fn valid_until(&self) -> i64;

    /// How many seconds earlier than `min_life` requires the value is replaced.
    fn spread(&self, _min_life: i64) -> i64 {
        0
    }

    /// The time at which the value was fetched, in seconds since 1970; `i64::MIN` if it is unknown.
    fn issued(&self) -> i64 {
        i64::MIN
    }

    /// Removes the expiry margin, so that the value can be used until it is no longer valid.
    fn without_margin(self) -> Self;
}

/// What a cached file contains.
#[derive(Debug)]
enum Content<T> {
    /// A token to use.
    Fresh(T),
    /// A token to replace, which is still valid.
    Stale(T),
    /// No token for this request.
    Nothing,
}

/// Whether a file with this content may be replaced with a new token, or removed if there is no new
/// token.
pub type IsOurs = fn(&Existing<'_>, Option<&str>) -> bool;

/// A file that caches a token, and the digest of the request that the token must be for.
#[derive(Debug)]
pub struct CachedFile {
    path: PathBuf,
    /// The option, variable or member that names the file, such as `--cache-file`.
    place: &'static str,
    request: String,
    /// For how many seconds a token must still be usable.
    min_life: i64,
    is_ours: IsOurs,
}

impl CachedFile {
    /// Describes the file at `path`, which `place` names, for the request with this digest. The
    /// file is replaced only if `is_ours` recognizes its content.
    pub fn new(path: PathBuf, place: &'static str, request: String, is_ours: IsOurs) -> CachedFile {
        CachedFile { path, place, request, min_life: 0, is_ours }
    }

    /// Sets for how many seconds a token must still be usable. A token with less time left is
    /// replaced.
    pub fn for_at_least(self, min_life: i64) -> CachedFile {
        CachedFile { min_life, ..self }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the token in the file, if it is for this request and need not be replaced.
    pub fn fresh<T: Cached>(&self, world: &World) -> Option<T> {
        match self.read(world) {
            Content::Fresh(token) => Some(token),
            _ => None,
        }
    }

    /// Reads the token for this request.
    fn read<T: Cached>(&self, world: &World) -> Content<T> {
        let shown = show::path(&self.path);
        let refuse = |why: &str| {
            world.log.line(format!("cached file not used: {shown}: {why}"));
            Content::Nothing
        };
        // Reading the file does not start the watchdog: clients read the file themselves before
        // they start this program, so its file system responds.
        let bytes = match ownership::read_trusted(&self.path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                world.log.line(format!("no cached token: {shown} does not exist"));
                return Content::Nothing;
            }
            Err(why) => return refuse(&why.to_string()),
        };
        let now = world.clock.now();
        match T::from_file(&bytes, &self.request) {
            Ok(cached) if cached.issued() > now + TOLERATED_SKEW => {
                refuse("the clock was ahead when the token was fetched, so its expiry is wrong")
            }
            Ok(cached)
                if cached.usable_until().saturating_sub(self.min_life)
                    > now + cached.spread(self.min_life) =>
            {
                world.log.line(format!("using the cached token in {shown}"));
                Content::Fresh(cached)
            }
            Ok(cached) if cached.valid_until() > now => {
                world.log.line(format!("the cached token in {shown} expires soon"));
                Content::Stale(cached)
            }
            Ok(_) => refuse("it has expired"),
            Err(why) => refuse(why),
        }
    }

    /// Replaces the content of the file with this text, completely or not at all.
    ///
    /// # Errors
    /// `CONFIGURATION` with the reason. After an error, the old file is unchanged.
    pub fn replace(&self, text: &str) -> Result<(), Error> {
        let is_ours = |existing: &Existing<'_>| (self.is_ours)(existing, Some(text));
        files::replace(&self.path, text.as_bytes(), is_ours)
            .map_err(|refusal| self.failed("write", &refusal))
    }

    /// Replaces the content of the file with this token, completely or not at all.
    ///
    /// # Errors
    /// The errors of [`CachedFile::replace`].
    pub fn write(&self, cached: &impl Cached) -> Result<(), Error> {
        self.replace(cached.to_file(&self.request).expose())
    }

    /// Replaces the content of the file with this token, and returns whether this succeeded. A
    /// failure is only logged.
    pub fn try_write(&self, cached: &impl Cached, world: &World) -> bool {
        let written = self.write(cached);
        let is_written = written.is_ok();
        match written {
            Ok(()) => world.log.line(format!("token cached in {}", show::path(&self.path))),
            Err(error) => world.log.not_cached(error),
        }
        is_written
    }

    /// Removes the file.
    ///
    /// # Errors
    /// `CONFIGURATION` if it exists and cannot or must not be removed.
    pub fn remove(&self) -> Result<(), Error> {
        files::remove(&self.path, |existing| (self.is_ours)(existing, None))
            .map_err(|refusal| self.failed("remove", &refusal))
    }

    fn failed(&self, what: &str, refusal: &Refusal) -> Error {
        Error::new(Kind::Configuration, format!("cannot {what} {}", show::path(&self.path)))
            .cause(refusal)
            .fix(refusal.fix(&self.path, self.place))
    }
}

/// A token, and whether it was cached.
#[derive(Debug)]
pub enum Obtained<T> {
    /// The token was in the file.
    Cached(T),
    /// The token was fetched. The lock is held until this is dropped.
    New(T, Option<Lock>),
}

/// How to get a token that is not cached.
pub struct Fetching<'a, T> {
    /// Fetches the token.
    pub fetch: &'a dyn Fn() -> Result<T, Error>,
    /// Which refusals of earlier runs are reported without a new attempt.
    pub refusals: Refusals,
}

/// Returns the cached token, or fetches one token that all concurrent runs share. Without `reuse`, a
/// token is always fetched.
///
/// # Errors
/// The errors of [`CachedFile::lock`] and of the fetch.
pub fn obtain<T: Cached>(
    file: Option<&CachedFile>,
    reuse: bool,
    world: &World,
    fetching: &Fetching<T>,
) -> Result<Obtained<T>, Error> {
    let file_to_read = file.filter(|_| reuse);
    let read = || file_to_read.map_or(Content::Nothing, |file| file.read(world));
    let first = match read() {
        Content::Fresh(token) => return Ok(Obtained::Cached(token)),
        content => content,
    };
    files::may_wait();
    let error = match fetch_once(file, file_to_read, &first, world, fetching) {
        Err(error) => error,
        obtained => return obtained,
    };
    // By now, another run may have cached this token, or a token for another request.
    let last = match read() {
        Content::Nothing => first,
        content => content,
    };
    match last {
        Content::Fresh(token) => Ok(Obtained::Cached(token)),
        Content::Stale(token)
            if error.kind() == Kind::Unreachable && token.valid_until() > world.clock.now() =>
        {
            let expiry = rfc3339(token.valid_until());
            world.log.line(format!("using the cached token until it expires at {expiry}: {error}"));
            Ok(Obtained::Cached(token.without_margin()))
        }
        _ => Err(error),
    }
}

/// Whether the run that held the lock has fetched this token while this run waited, so that no
/// token with a longer lifetime is available.
fn is_of_another_run<T: Cached>(
    token: &T,
    first: &Content<T>,
    lock: Option<&Lock>,
    world: &World,
) -> bool {
    let is_new = match first {
        Content::Stale(old) => old.valid_until() < token.valid_until(),
        _ => true,
    };
    is_new && lock.is_some_and(|lock| lock.waited) && token.usable_until() > world.clock.now()
}

/// Fetches a token under the lock, unless another run has cached one since this run read `first`.
fn fetch_once<T: Cached>(
    file: Option<&CachedFile>,
    file_to_read: Option<&CachedFile>,
    first: &Content<T>,
    world: &World,
    fetching: &Fetching<T>,
) -> Result<Obtained<T>, Error> {
    let lock = file.map_or(Ok(None), |file| file.lock(fetching.refusals, world))?;
    match file_to_read.map_or(Content::Nothing, |file| file.read(world)) {
        Content::Fresh(token) => return Ok(Obtained::Cached(token)),
        Content::Stale(token) if is_of_another_run(&token, first, lock.as_ref(), world) => {
            return Ok(Obtained::Cached(token));
        }
        _ => {}
    }
    let token = (fetching.fetch)().inspect_err(|error| {
        world.log.failure(error);
        if let (Some(lock), Some(file)) = (&lock, file) {
            lock.share_failure(error, &file.request, world);
        }
    })?;
    if let (Some(_), Some(file)) = (&lock, file) {
        files::remove_leftovers(&file.path);
    }
    Ok(Obtained::New(token, lock))
}
