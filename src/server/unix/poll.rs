//! Waits until one of several sockets is ready.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// What a socket must be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Interest {
    /// To read or to accept.
    Read,
    /// To write.
    Write,
    /// Neither. The socket becomes ready when the other end sends nothing more (Linux), or has
    /// closed the connection.
    LastByte,
    /// Neither. The socket becomes ready when the connection is closed in both directions.
    End,
}

/// The socket, for [`poll`].
pub(in crate::server) fn handle(socket: &impl AsFd) -> BorrowedFd<'_> {
    socket.as_fd()
}

/// Waits until a socket is ready or the time has passed, and returns which ones are ready. The list
/// is empty if a signal interrupted the wait.
pub(in crate::server) fn poll(
    sockets: &[(BorrowedFd<'_>, Interest)],
    timeout: Option<Duration>,
) -> Vec<bool> {
    let mut waits: Vec<PollFd> = sockets
        .iter()
        .map(|(socket, interest)| {
            let flags = match interest {
                Interest::Read => PollFlags::IN,
                Interest::Write => PollFlags::OUT,
                #[cfg(target_os = "linux")]
                Interest::LastByte => PollFlags::RDHUP,
                _ => PollFlags::empty(),
            };
            PollFd::from_borrowed_fd(*socket, flags)
        })
        .collect();
    let timeout = timeout.map(|left| Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    });
    match rustix::event::poll(&mut waits, timeout.as_ref()) {
        Ok(_) => waits.iter().map(|wait| !wait.revents().is_empty()).collect(),
        Err(_) => Vec::new(),
    }
}
