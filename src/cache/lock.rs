//! The lock next to a cached file. The lock file also contains the last failure: for runs that
//! wait, and, if the server refused the request, for runs that start within a few seconds.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use serde_json::{Value, json};

use super::CachedFile;
use super::dependencies::Dependencies;
use crate::error::{Error, Kind};
use crate::files::ownership::{LIMIT, is_blank};
use crate::show;
use crate::time::rfc3339;
use crate::world::World;
use crate::{files, lock};

/// How long a refusal is remembered, in milliseconds. Clients retry a failing helper many times
/// (kubectl 24 times), and an identity provider locks an account after a few wrong passwords.
const REMEMBERED_MS: i64 = 10_000;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Arc<File>,
    /// Whether another run held the lock before.
    pub(super) waited: bool,
}

impl CachedFile {
    /// Waits for the lock for at most half of the remaining time; `None` if there is no lock by
    /// then, or locks are not possible.
    ///
    /// # Errors
    /// The failure of the run that held the lock while this run waited, or a refusal that is
    /// remembered.
    pub(super) fn lock(
        &self,
        remembers_refusals: bool,
        world: &World,
    ) -> Result<Option<Lock>, Error> {
        if self.path.symlink_metadata().is_ok_and(|file| !file.is_file()) {
            world.log.line(format!("{} is not a regular file", show::path(&self.path)));
            return Ok(None);
        }
        let start = world.clock.now_ms();
        let reserve = world.deadline.remaining() / 2;
        let (file, waited) = match lock::beside(&self.path, reserve, world) {
            Ok(Some(lock::Lock { file, waited })) => (file, waited),
            Ok(None) => return Ok(None),
            Err(error) => {
                world.log.line(format!("fetching without the lock: {}", error.what()));
                return Ok(None);
            }
        };
        let lock = Lock { file, waited };
        match lock.failure() {
            Some(failure) if !failure.concerns(&self.request) => Ok(Some(lock)),
            Some(failure) if waited && failure.time_ms >= start => Err(failure.error()),
            Some(failure) if remembers_refusals && failure.is_recent(world.clock.now_ms()) => {
                Err(failure.remembered())
            }
            _ => Ok(Some(lock)),
        }
    }
}

/// The failure of an earlier run.
struct Failure {
    request: String,
    files: Dependencies,
    /// When it happened, in milliseconds since 1970.
    time_ms: i64,
    is_lost: bool,
    kind: Kind,
    message: String,
    fix: String,
}

impl Failure {
    fn error(self) -> Error {
        Error::new(self.kind, self.message).fix(self.fix)
    }

    /// Whether another attempt at the same request would fail in the same way. If a file has
    /// changed, such as one with a secret, the request is sent at once. The variables of a request
    /// are part of its digest.
    fn concerns(&self, request: &str) -> bool {
        self.request == request && !self.is_lost && self.files.are_unchanged()
    }

    fn is_recent(&self, now_ms: i64) -> bool {
        let since = now_ms.saturating_sub(self.time_ms);
        self.kind == Kind::Denied && (0..REMEMBERED_MS).contains(&since)
    }

    fn remembered(self) -> Error {
        let until = rfc3339((self.time_ms + REMEMBERED_MS) / 1000 + 1);
        let fix = format!(
            "{}; until {until}, this failure is reported without a new attempt, so that the \
             account is not locked",
            self.fix
        );
        self.error().fix(fix)
    }
}

impl Lock {
    /// Shares a failure with the runs that wait for this lock to make the same request, and
    /// remembers a refusal.
    pub(super) fn share_failure(&self, error: &Error, cached: &CachedFile, world: &World) {
        let record = json!({
            "request": cached.request,
            "files": Dependencies::seen().to_json(),
            "failed_at_ms": world.clock.now_ms(),
            "lost": error.is_lost(),
            "code": error.kind().code(),
            "message": error.what(),
            "fix": error.how_to_fix(),
        });
        // Only the holder of the lock reads or writes the file, so it can be written in place.
        if let Err(error) = self.write(record.to_string().as_bytes()) {
            world.log.line(format!("cannot share the failure with waiting runs: {error}"));
        }
    }

    /// Replaces the content of the lock file, which must be empty or an earlier failure: a file of
    /// another program, such as `poetry.lock`, may have the name of the lock.
    fn write(&self, record: &[u8]) -> std::io::Result<()> {
        let mut file = &*self.file;
        file.rewind()?;
        let old = files::read_limited(file, LIMIT)?;
        if !old.is_some_and(|old| is_blank(&old) || is_record(&old)) {
            return Err(std::io::Error::other("the lock file contains data of another program"));
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(record)
    }

    /// The failure in the lock file.
    fn failure(&self) -> Option<Failure> {
        let bytes = files::read_limited(&*self.file, LIMIT).ok()??;
        let record: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        Some(Failure {
            request: text("request")?.to_owned(),
            files: Dependencies::read(record.get("files")?)?,
            time_ms: record.get("failed_at_ms")?.as_i64()?,
            is_lost: record.get("lost").and_then(Value::as_bool).unwrap_or(false),
            kind: Kind::from_code(text("code")?)?,
            message: text("message")?.to_owned(),
            fix: text("fix")?.to_owned(),
        })
    }
}

/// Whether this is the content of a lock file after a failure, or the beginning of it.
fn is_record(content: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(content) {
        Ok(record) => ["request", "failed_at_ms"].iter().all(|name| record.get(name).is_some()),
        Err(error) => error.is_eof() && content.starts_with(br#"{"request":"#),
    }
}
