//! Keeps what a foreign library in this process prints out of standard output and standard error.
//!
//! Clients merge both streams into the document that they parse. A PKCS#11 module may print at any
//! time, on its own threads too. Before a module is loaded, both streams are moved to other file
//! descriptors, and `/dev/null` takes their place until the process ends.

use std::fs::File;
use std::sync::OnceLock;

/// The streams of this process, at their other descriptors.
#[derive(Debug)]
pub struct Moved {
    /// Standard output.
    pub stdout: File,
    /// Standard error.
    pub stderr: File,
}

static MOVED: OnceLock<Moved> = OnceLock::new();

/// The streams, if they were moved.
pub fn moved() -> Option<&'static Moved> {
    MOVED.get()
}

/// Moves the streams. Programs that this process starts do not inherit them, and get `/dev/null`
/// instead.
///
/// # Errors
/// The errors of the operating system.
#[cfg(all(unix, not(target_feature = "crt-static")))]
pub fn move_away() -> std::io::Result<()> {
    use rustix::io::fcntl_dupfd_cloexec;
    use rustix::stdio;

    static MOVING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _moving = MOVING.lock();
    if MOVED.get().is_some() {
        return Ok(());
    }
    let copy = |stream| fcntl_dupfd_cloexec(stream, 3).map(File::from);
    let moved = Moved { stdout: copy(stdio::stdout())?, stderr: copy(stdio::stderr())? };
    let null = File::options().write(true).open("/dev/null")?;
    let _ = MOVED.set(moved);
    stdio::dup2_stdout(&null)?;
    stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Ends the process at once if a foreign library was loaded: the exit handlers of the library may
/// block or crash, and this program has nothing left to do.
pub fn exit_at_once_if_moved(status: i32) {
    #[cfg(unix)]
    if moved().is_some() {
        #[allow(unsafe_code)]
        // SAFETY: the call has no preconditions and does not return.
        unsafe {
            libc::_exit(status)
        }
    }
    let _ = status;
}
