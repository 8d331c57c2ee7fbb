//! Waits until one of several sockets is ready.
//! <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsapoll>
#![allow(unsafe_code)] // calls into the operating system

use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Networking::WinSock::{POLLRDNORM, POLLWRNORM, WSAPOLLFD, WSAPoll};

/// The pause after the system could not wait.
const PAUSE: Duration = Duration::from_millis(100);

/// What a socket must be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Interest {
    /// To read or to accept.
    Read,
    /// To write.
    Write,
    /// Neither. The socket never becomes ready: Windows cannot distinguish a client that has sent
    /// its whole request from one that has disconnected.
    LastByte,
    /// Neither, as for `LastByte`.
    End,
}

/// The socket, for [`poll`].
pub(in crate::server) fn handle(socket: &impl AsSocket) -> BorrowedSocket<'_> {
    socket.as_socket()
}

/// Waits until a socket is ready or the time has passed, and returns which ones are ready. The list
/// is empty if the system cannot wait.
pub(in crate::server) fn poll(
    sockets: &[(BorrowedSocket<'_>, Interest)],
    timeout: Option<Duration>,
) -> Vec<bool> {
    let wait = |(socket, interest): &(BorrowedSocket<'_>, Interest)| {
        let events = match interest {
            Interest::Read => POLLRDNORM,
            Interest::Write => POLLWRNORM,
            Interest::LastByte | Interest::End => return None,
        };
        Some(WSAPOLLFD { fd: socket.as_raw_socket() as usize, events, revents: 0 })
    };
    let mut waits: Vec<WSAPOLLFD> = sockets.iter().filter_map(wait).collect();
    // A part of a millisecond is rounded up, so that the deadline has passed after the wait.
    let timeout = timeout
        .map_or(-1, |left| i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: pointer and length are those of the list, whose sockets are open.
    if unsafe { WSAPoll(waits.as_mut_ptr(), waits.len() as u32, timeout) } < 0 {
        thread::sleep(PAUSE);
        return Vec::new();
    }
    let mut ready = waits.iter().map(|wait| wait.revents != 0);
    let is_polled = |interest| matches!(interest, Interest::Read | Interest::Write);
    let ready =
        sockets.iter().map(|(_, interest)| is_polled(*interest) && ready.next().unwrap_or(false));
    ready.collect()
}
