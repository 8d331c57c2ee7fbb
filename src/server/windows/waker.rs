//! Interrupts a wait for sockets from another thread.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::sync::Arc;

/// Makes a [`Woken`] readable.
#[derive(Debug, Clone)]
pub struct Waker(Arc<UdpSocket>);

/// A socket that is readable after [`Waker::wake`].
#[derive(Debug)]
pub struct Woken(Arc<UdpSocket>);

impl Waker {
    /// Creates a waker and the socket that it makes readable. Both are one loopback socket that is
    /// connected to itself, so that it receives nothing from other sockets.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn new() -> io::Result<(Woken, Waker)> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        let mut woken = Woken(Arc::new(socket));
        // Another process may have sent something before the socket was connected.
        woken.clear();
        let waker = Waker(woken.0.clone());
        Ok((woken, waker))
    }

    /// Makes the socket readable.
    pub fn wake(&self) {
        let _ = self.0.send(&[0]); // the socket is readable if it is full
    }
}

impl Woken {
    /// Makes the socket not readable.
    pub(in crate::server) fn clear(&mut self) {
        while self.0.recv(&mut [0]).is_ok() {}
    }
}

impl AsSocket for Woken {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}
