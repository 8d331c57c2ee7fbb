//! The lock next to a cached file. The lock file also contains the last failure.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use super::CachedFile;
use super::failure::{Failure, Refusals, is_record};
use crate::error::Error;
use crate::files::ownership::{LIMIT, is_blank};
use crate::show;
use crate::world::World;
use crate::{files, lock};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Arc<File>,
    /// Whether this run waited because another run held the lock.
    pub(super) waited: bool,
}

impl CachedFile {
    /// Waits for the lock for at most half of the remaining time; `None` if another run still holds
    /// the lock then, or if locking is not possible.
    ///
    /// # Errors
    /// The failure of the run that held the lock while this run waited, or a refusal that is
    /// remembered.
    pub(super) fn lock(&self, refusals: Refusals, world: &World) -> Result<Option<Lock>, Error> {
        if self.path.symlink_metadata().is_ok_and(|file| !file.is_file()) {
            world.log.line(format!("{} is not a regular file", show::path(&self.path)));
            return Ok(None);
        }
        let start = world.clock.now_ms();
        let reserve = world.deadline.remaining() / 2;
        let lock: Lock = match lock::beside(&self.path, reserve, world) {
            Ok(Some(lock)) => lock.into(),
            Ok(None) => return Ok(None),
            Err(error) => {
                world.log.line(format!("fetching without the lock: {}", error.what()));
                return Ok(None);
            }
        };
        match lock.failure() {
            Some(failure) if !failure.concerns(&self.request) => Ok(Some(lock)),
            Some(failure) if lock.waited && failure.time_ms >= start => Err(failure.error()),
            Some(failure) if failure.is_recent(refusals, world.clock.now_ms()) => {
                Err(failure.remembered())
            }
            _ => Ok(Some(lock)),
        }
    }
}

impl From<lock::Lock> for Lock {
    fn from(lock::Lock { file, waited }: lock::Lock) -> Lock {
        Lock { file, waited }
    }
}

impl Lock {
    /// The remembered refusal of this request, if there is one.
    pub fn refusal(&self, request: &str, world: &World) -> Option<Error> {
        let failure = self.failure().filter(|failure| failure.concerns(request))?;
        failure.is_recent(Refusals::All, world.clock.now_ms()).then(|| failure.remembered())
    }

    /// Shares a failure with the runs that wait for this lock to make the same request, and
    /// remembers a refusal.
    pub fn share_failure(&self, error: &Error, request: &str, world: &World) {
        let record = Failure::record(error, request, world.clock.now_ms());
        // Only the holder of the lock reads or writes the file, so it can be written in place.
        if let Err(error) = self.write(record.as_bytes()) {
            world.log.line(format!("cannot share the failure with waiting runs: {error}"));
        }
    }

    /// Replaces the content of the lock file, which must be empty or an earlier failure: the lock
    /// may have the name of a file that belongs to another program, such as `poetry.lock`.
    fn write(&self, record: &[u8]) -> std::io::Result<()> {
        let mut file = &*self.file;
        file.rewind()?;
        let old = files::read_limited(file, LIMIT)?;
        if !old.is_some_and(|old| is_blank(&old) || is_record(&old)) {
            return Err(std::io::Error::other("the lock file contains data from another program"));
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(record)
    }

    /// Reads the failure in the lock file.
    fn failure(&self) -> Option<Failure> {
        let bytes = files::read_limited(&*self.file, LIMIT).ok()??;
        Failure::read(&bytes)
    }
}
