//! A lock next to a file, `PATH.lock`, which one run holds at a time.
//!
//! The operating system releases the lock when the process ends for any reason.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::files::ownership::{self, Refusal};
use crate::show;
use crate::world::World;

/// The pause between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(10);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    /// The lock file. The holder of the lock may write to it.
    pub file: Arc<File>,
    /// Whether this run waited because another run held the lock.
    pub waited: bool,
}

thread_local! {
    /// The files of the locks that this thread has taken.
    static TAKEN: RefCell<Vec<Weak<File>>> = const { RefCell::new(Vec::new()) };
}

fn register(file: &Arc<File>) {
    TAKEN.with_borrow_mut(|taken| {
        taken.retain(|file| file.strong_count() > 0);
        taken.push(Arc::downgrade(file));
    });
}

/// Releases the locks that this thread holds, for a thread that will never drop them.
pub fn release_all() {
    for file in TAKEN.take().iter().filter_map(Weak::upgrade) {
        let _ = fs2::FileExt::unlock(&*file);
    }
}

/// Waits for the lock next to `path` until less than `reserve` remains before the deadline. If
/// locking is not possible, for example on a file system without locks, this is logged and the run
/// continues without a lock.
///
/// # Errors
/// `UNREACHABLE` if another run still holds the lock then.
pub fn beside(path: &Path, reserve: Duration, world: &World) -> Result<Option<Lock>, Error> {
    let path = &path_beside(path);
    let none = |error: Refusal| {
        world.log.line(format!("cannot lock {}: {error}", show::path(path)));
        Ok(None)
    };
    let file = match ownership::open_lock(path) {
        Ok(file) => Arc::new(file),
        Err(error) => return none(error),
    };
    let mut waited = false;
    loop {
        match fs2::FileExt::try_lock_exclusive(&*file) {
            Ok(()) => {
                register(&file);
                // Shows that the lock file is in use, and not left over.
                let _ = file.set_modified(world.clock.time());
                return Ok(Some(Lock { file, waited }));
            }
            Err(error) if !is_held(&error) => return none(error.into()),
            Err(_) if !waited => {
                world.log.line(format!("waiting: another run holds the lock {}", show::path(path)));
                waited = true;
            }
            Err(_) => {}
        }
        if world.deadline.remaining() <= reserve {
            let what = format!("another run holds the lock {}", show::path(path));
            return Err(Error::new(Kind::Unreachable, what)
                .fix("wait for that run, stop it, or increase --timeout"));
        }
        thread::sleep(POLL);
    }
}

/// The path of the lock file next to a file.
pub fn path_beside(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn is_held(error: &std::io::Error) -> bool {
    error.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}
