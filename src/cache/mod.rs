//! A file that caches a token, with a lock beside it.
//!
//! It contains a subject token (the output file of the contract) or an access token
//! (`--cache-file`). Clients read the output file before they run the executable, and fail on every
//! run if the file is invalid. Therefore the file only contains complete documents of a success:
//! the content is written to a temporary file in the same directory with mode 0600, synced, and
//! renamed. `PATH.lock` makes concurrent runs fetch only once: a run that waited for the lock reads
//! the file again, and reports the failure of the run that held the lock.
//!
//! If the file or the lock fails, this is logged and the token is still printed.

mod lock;

use std::io::ErrorKind;
use std::path::PathBuf;

pub use self::lock::Lock;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::world::World;

/// The largest file that is read, in bytes. A token of 1 MiB in base64 fits.
const LIMIT: usize = 2 * files::LIMIT;

/// What can be cached.
pub trait Cached: Sized {
    /// Reads the content of a file that was written for the request of this digest.
    ///
    /// # Errors
    /// Why the content is not used, for the log.
    fn from_file(bytes: &[u8], request: &str) -> Result<Self, &'static str>;

    /// The content of a file for the request of this digest.
    fn to_file(&self, request: &str) -> Secret;

    /// The first second since 1970 in which it is no longer used.
    fn usable_until(&self) -> i64;
}

/// A file that caches a token, and the digest of the request that the token must be for.
#[derive(Debug)]
pub struct CachedFile {
    path: PathBuf,
    /// The option, variable or member that names the file, such as `--cache-file`.
    place: &'static str,
    request: String,
}

impl CachedFile {
    /// The file at `path`, which `place` names, for the request of this digest.
    pub fn new(path: PathBuf, place: &'static str, request: String) -> CachedFile {
        CachedFile { path, place, request }
    }

    /// The token in the file, if it is for this request and has not expired.
    pub fn fresh<T: Cached>(&self, world: &World) -> Option<T> {
        let shown = self.path.display();
        let refuse = |why: &str| {
            world.log.line(format!("cached file not used: {shown}: {why}"));
            None
        };
        let _waiting = files::Waiting::new(&self.path);
        let file = match files::open_regular(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                world.log.line(format!("no cached token: {shown} does not exist"));
                return None;
            }
            Err(error) => return refuse(&error.to_string()),
        };
        let bytes = match files::read_limited(file, LIMIT) {
            Ok(Some(bytes)) => zeroize::Zeroizing::new(bytes),
            Ok(None) => return refuse("it is larger than 2 MiB"),
            Err(error) => return refuse(&error.to_string()),
        };
        match T::from_file(&bytes, &self.request) {
            Ok(cached) if cached.usable_until() > world.clock.now() => {
                world.log.line(format!("using the cached token in {shown}"));
                Some(cached)
            }
            Ok(_) => refuse("it has expired"),
            Err(why) => refuse(why),
        }
    }

    /// Replaces the content of the file by this text, completely or not at all.
    ///
    /// # Errors
    /// `CONFIGURATION` with the reason. The old file is then unchanged.
    pub fn replace(&self, text: &str) -> Result<(), Error> {
        files::replace(&self.path, text.as_bytes()).map_err(|error| self.failed("write", &error))
    }

    /// Replaces the content of the file by this token, completely or not at all.
    ///
    /// # Errors
    /// As [`CachedFile::replace`].
    pub fn write(&self, cached: &impl Cached) -> Result<(), Error> {
        self.replace(cached.to_file(&self.request).expose())
    }

    /// Replaces the content of the file by this token. A failure is only logged.
    pub fn try_write(&self, cached: &impl Cached, world: &World) {
        match self.write(cached) {
            Ok(()) => world.log.line(format!("token cached in {}", self.path.display())),
            Err(error) => world.log.line(format!("token not cached: {error}")),
        }
    }

    /// Removes the file.
    ///
    /// # Errors
    /// `CONFIGURATION` if it exists and cannot be removed.
    pub fn remove(&self) -> Result<(), Error> {
        files::remove(&self.path).map_err(|error| self.failed("remove", &error))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Error {
        Error::new(Kind::Configuration, format!("cannot {what} {}", self.path.display()))
            .cause(error)
            .fix(format!("check {}", self.place))
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

/// Gets the token in the file, or fetches one for all concurrent runs. Without
/// `reuse`, a token is always fetched.
///
/// # Errors
/// Those of [`CachedFile::lock`] and of `fetch`.
pub fn obtain<T: Cached>(
    file: Option<&CachedFile>,
    reuse: bool,
    world: &World,
    fetch: impl FnOnce() -> Result<T, Error>,
) -> Result<Obtained<T>, Error> {
    let cached = || file.filter(|_| reuse)?.fresh(world);
    if let Some(cached) = cached() {
        return Ok(Obtained::Cached(cached));
    }
    files::survive_size_limit();
    let lock = file.map_or(Ok(None), |file| file.lock(world))?;
    if let Some(cached) = cached() {
        return Ok(Obtained::Cached(cached));
    }
    let fetched = fetch().inspect_err(|error| {
        world.log.failure(error);
        if let (Some(lock), Some(file)) = (&lock, file) {
            lock.share_failure(error, file, world);
        }
    })?;
    if let (Some(_), Some(file)) = (&lock, file) {
        files::remove_leftovers(&file.path);
    }
    Ok(Obtained::New(fetched, lock))
}
