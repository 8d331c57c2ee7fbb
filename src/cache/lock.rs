//! The lock beside a cached file. The lock file also contains the last failure, for waiting runs.

use std::fs::File;
use std::io::{Seek, Write};

use serde_json::{Value, json};

use super::CachedFile;
use crate::error::{Error, Kind};
use crate::files::ownership::{LIMIT, is_blank};
use crate::world::World;
use crate::{files, lock};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl CachedFile {
    /// Waits for the lock until the deadline; `None` if there can be no lock.
    ///
    /// # Errors
    /// `UNREACHABLE` if another run holds the lock until the deadline, or the failure of the run
    /// that held the lock while this run waited.
    pub fn lock(&self, world: &World) -> Result<Option<Lock>, Error> {
        let start = world.clock.now_ms();
        let Some(lock::Lock { file, waited }) = lock::beside(&self.path, world)? else {
            return Ok(None);
        };
        let lock = Lock { file };
        match lock.failure_since(start, &self.request).filter(|_| waited) {
            Some(error) => Err(error),
            None => Ok(Some(lock)),
        }
    }
}

impl Lock {
    /// Shares a failure with the runs that wait for this lock to make the same request.
    pub(super) fn share_failure(&self, error: &Error, cached: &CachedFile, world: &World) {
        let record = json!({
            "request": cached.request,
            "failed_at_ms": world.clock.now_ms(),
            "code": error.kind().code(),
            "message": error.to_string(),
        });
        // Only the holder of the lock reads or writes the file, so it can be written in place.
        if let Err(error) = self.write(record.to_string().as_bytes()) {
            world.log.line(format!("cannot share the failure with waiting runs: {error}"));
        }
    }

    /// Replaces the content of the lock file, which must be empty or an earlier failure: a file of
    /// another program may have the name of the lock, such as `poetry.lock`.
    fn write(&self, record: &[u8]) -> std::io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        let old = files::read_limited(file, LIMIT)?;
        if !old.is_some_and(|old| is_blank(&old) || is_record(&old)) {
            return Err(std::io::Error::other("the lock file has a content of another program"));
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(record)
    }

    /// The failure of a run that made the same request and failed at or after `start`, in
    /// milliseconds since 1970.
    fn failure_since(&self, start: i64, request: &str) -> Option<Error> {
        let bytes = files::read_limited(&self.file, LIMIT).ok()??;
        let record: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |name: &str| record.get(name)?.as_str();
        if text("request")? != request || record.get("failed_at_ms")?.as_i64()? < start {
            return None;
        }
        Some(Error::new(Kind::from_code(text("code")?)?, text("message")?))
    }
}

/// Whether this is the content of a lock file after a failure, or the beginning of it.
fn is_record(content: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(content) {
        Ok(record) => ["request", "failed_at_ms"].iter().all(|name| record.get(name).is_some()),
        Err(error) => error.is_eof() && content.starts_with(br#"{"request":"#),
    }
}
