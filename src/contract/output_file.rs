//! The output file: used while fresh, replaced whole, behind a lock of its own.
//!
//! Clients read this file before they run the executable and stop for ever at a broken one, so it
//! only ever holds a whole success: a randomly named file in the same directory, mode 0600, synced,
//! renamed into place. `PATH.lock` makes concurrent runs fetch once; who waited for it looks at the
//! file again, and takes over a failure of the run that held it.
//!
//! Trouble with the file or the lock costs nobody a token: it is logged, and the run goes on.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::{files, lock};

/// The largest output file that is read, in bytes: a token of 1 MiB in base64, with room to spare.
const LIMIT: usize = 2 * files::LIMIT;

/// What an output file keeps.
pub trait Kept: Sized {
    /// Reads the content of a file that was made for this request.
    ///
    /// # Errors
    /// The reason why it is not used, for the log.
    fn from_file(bytes: &[u8], request: &str) -> Result<Self, &'static str>;

    /// The content of a file that is made for this request.
    fn to_file(&self, request: &str) -> Secret;

    /// The first second since 1970 in which it is not given away any more.
    fn usable_until(&self) -> i64;
}

/// An output file and the digest of the request it has to be made for.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    request: String,
}

impl OutputFile {
    /// The file at `path` for the request of this digest.
    pub fn new(path: PathBuf, request: String) -> OutputFile {
        OutputFile { path, request }
    }

    /// What is in the file, if it is whole, made for this request, and not over.
    pub fn fresh<T: Kept>(&self, cx: &Context) -> Option<T> {
        let shown = self.path.display();
        let refuse = |why: &str| {
            cx.log.line(format!("not used: {shown}: {why}"));
            None
        };
        let file = match files::open_regular(&self.path) {
            Ok(file) => file,
            Err(error) => return refuse(&error.to_string()),
        };
        let bytes = match files::read_limited(file, LIMIT) {
            Ok(Some(bytes)) => zeroize::Zeroizing::new(bytes),
            Ok(None) => return refuse("it is larger than 2 MiB"),
            Err(error) => return refuse(&error.to_string()),
        };
        match T::from_file(&bytes, &self.request) {
            Ok(kept) if kept.usable_until() > cx.clock.now() => {
                cx.log.line(format!("fresh: {shown}"));
                Some(kept)
            }
            Ok(_) => refuse("it is over"),
            Err(why) => refuse(why),
        }
    }

    /// Waits for the lock until the deadline. Without a lock, as on a file system that has none,
    /// the run goes on.
    ///
    /// # Errors
    /// `UNREACHABLE` where another run holds the lock all the time, or the failure of the run that
    /// held it while this one waited.
    pub fn lock(&self, cx: &Context) -> Result<Option<Lock>, Error> {
        let began = cx.clock.now_ms();
        let Some(lock::Lock { file, waited }) = lock::beside(&self.path, cx)? else {
            return Ok(None);
        };
        let lock = Lock { file };
        match lock.failure_since(began, &self.request).filter(|_| waited) {
            Some(error) => Err(error),
            None => Ok(Some(lock)),
        }
    }

    /// Replaces the file by this content, whole or not at all.
    ///
    /// # Errors
    /// `CONFIGURATION` with the reason; the old file is still there then.
    pub fn replace(&self, content: &str) -> Result<(), Error> {
        files::replace(&self.path, content.as_bytes()).map_err(|error| {
            Error::new(Kind::Configuration, format!("cannot write {}", self.path.display()))
                .cause(error)
                .hint("check --output-file or the configuration's output_file")
        })
    }

    /// The same for what is to be kept; trouble is logged and costs nobody the token.
    pub fn keep(&self, kept: &impl Kept, cx: &Context) {
        match self.deliver(kept) {
            Ok(()) => cx.log.line(format!("kept in {}", self.path.display())),
            Err(error) => cx.log.line(format!("not kept: {error}")),
        }
    }

    /// Writes it for a client that reads the answer from the file only.
    ///
    /// # Errors
    /// As [`OutputFile::replace`].
    pub fn deliver(&self, kept: &impl Kept) -> Result<(), Error> {
        self.replace(kept.to_file(&self.request).expose())
    }

    /// Removes the file.
    ///
    /// # Errors
    /// `CONFIGURATION` where it is there and stays there.
    pub fn remove(&self) -> Result<(), Error> {
        files::remove(&self.path).map_err(|error| {
            Error::new(Kind::Configuration, format!("cannot remove {}", self.path.display()))
                .cause(error)
                .hint("check --output-file or the configuration's output_file")
        })
    }
}

/// What was asked for, and whether somebody else had fetched it.
#[derive(Debug)]
pub enum Obtained<T> {
    /// It was in the file.
    Kept(T),
    /// It was fetched now; the lock is held until this is dropped.
    New(T, Option<Lock>),
}

/// Takes what is in the file, or fetches it once for all concurrent runs. `before` is called when
/// it may take time; without `reuse` it is always fetched.
///
/// # Errors
/// Those of [`OutputFile::lock`] and of `fetch`.
pub fn obtain<T: Kept>(
    file: Option<&OutputFile>,
    reuse: bool,
    cx: &Context,
    before: impl FnOnce(),
    fetch: impl FnOnce() -> Result<T, Error>,
) -> Result<Obtained<T>, Error> {
    let kept = || file.filter(|_| reuse)?.fresh(cx);
    if let Some(kept) = kept() {
        return Ok(Obtained::Kept(kept));
    }
    before();
    files::survive_size_limit();
    let lock = file.map_or(Ok(None), |file| file.lock(cx))?;
    if let Some(kept) = kept() {
        return Ok(Obtained::Kept(kept));
    }
    let fetched = fetch().inspect_err(|error| {
        cx.log.line(format!("failed: {} {error}", error.kind().code()));
        if let (Some(lock), Some(file)) = (&lock, file) {
            lock.leave_failure(error, file, cx);
        }
    })?;
    if let (Some(_), Some(file)) = (&lock, file) {
        files::remove_leftovers(&file.path);
    }
    Ok(Obtained::New(fetched, lock))
}

/// The lock, held until it is dropped. Its file keeps the last failure, for the runs that wait.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Leaves a failure for the runs that wait for this lock to make the same request.
    pub fn leave_failure(&self, error: &Error, output_file: &OutputFile, cx: &Context) {
        let record = json!({
            "request": output_file.request,
            "failed_at_ms": cx.clock.now_ms(),
            "code": error.kind().code(),
            "message": error.to_string(),
        });
        let mut file = &self.file;
        // Only the holder reads or writes here: no need for a rename.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(record.to_string().as_bytes()));
        if let Err(error) = written {
            cx.log.line(format!("no failure left for the runs that wait: {error}"));
        }
    }

    /// The failure of a run that made the same request and ended at or after `began`
    /// (milliseconds since 1970).
    fn failure_since(&self, began: i64, request: &str) -> Option<Error> {
        let bytes = files::read_limited(&self.file, LIMIT).ok()??;
        let record: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |name: &str| record.get(name)?.as_str();
        if text("request")? != request || record.get("failed_at_ms")?.as_i64()? < began {
            return None;
        }
        Some(Error::new(Kind::from_code(text("code")?)?, text("message")?))
    }
}
