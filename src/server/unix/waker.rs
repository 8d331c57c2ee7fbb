//! Interrupts a wait for sockets from another thread.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Makes a [`Woken`] readable.
#[derive(Debug, Clone)]
pub struct Waker(Arc<UnixStream>);

/// A socket that is readable after [`Waker::wake`].
#[derive(Debug)]
pub struct Woken(UnixStream);

impl Waker {
    /// Creates a waker and the socket that it makes readable.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn new() -> io::Result<(Woken, Waker)> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        Ok((Woken(woken), Waker(Arc::new(wake))))
    }

    /// Makes the socket readable.
    pub fn wake(&self) {
        let _ = self.0.as_ref().write(&[0]); // the socket is readable if it is full
    }
}

impl Woken {
    /// Makes the socket not readable.
    pub(in crate::server) fn clear(&mut self) {
        let _ = self.0.read(&mut [0; 64]);
    }
}

impl AsFd for Woken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
