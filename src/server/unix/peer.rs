//! Which user is at the other end of a connection.
//!
//! Every process of a host can connect to a loopback address, so a connection from another user is
//! refused on Linux, where `socket_owner` finds the user.

use std::net::SocketAddr;
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use super::{socket_owner, user_namespace};
use crate::error::{Error, Kind};

/// Which users may connect: the user of this process, root, and the users of `--allow-uid`.
#[derive(Debug, Clone)]
pub struct AllowedUsers(Vec<u32>);

impl AllowedUsers {
    /// Allows the users with these IDs too.
    ///
    /// # Errors
    /// `USAGE` if one is not a number.
    pub fn new(uids: &[String]) -> Result<AllowedUsers, Error> {
        let uids = uids.iter().map(|uid| uid.parse()).collect::<Result<_, _>>();
        uids.map(AllowedUsers).map_err(|_| {
            Error::new(Kind::Usage, "--allow-uid is not a numeric user ID")
                .fix("use a value such as --allow-uid=1000 (id -u NAME prints the ID of a user)")
        })
    }

    /// Whether a user may connect. An unknown user may not.
    pub(in crate::server) fn contains(&self, uid: Option<u32>) -> bool {
        let own = rustix::process::getuid().as_raw();
        uid.is_some_and(|uid| uid == own || uid == 0 || self.0.contains(&uid))
    }
}

/// The user at the other end of a Unix socket.
#[cfg(target_os = "linux")]
pub(super) fn of_unix(socket: impl AsFd) -> Option<u32> {
    Some(rustix::net::sockopt::socket_peercred(socket).ok()?.uid.as_raw())
}

/// Returns the user of this process, because the mode of the socket file allows only its owner to
/// connect.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_unix(_socket: impl AsFd) -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

/// Finds the user who opened a TCP connection.
#[derive(Debug)]
pub struct Finder {
    /// A socket to the kernel. It is opened at the start, so that it works even when too many files
    /// are open.
    #[cfg(target_os = "linux")]
    kernel: Option<std::os::fd::OwnedFd>,
    /// Whether the kernel has found any socket. If so, a socket that the kernel does not find has
    /// been closed.
    #[cfg(target_os = "linux")]
    has_found: std::cell::Cell<bool>,
    /// The ID that several users share, if they can connect.
    #[cfg(target_os = "linux")]
    ambiguous: Option<u32>,
}

#[cfg(target_os = "linux")]
impl Finder {
    pub(super) fn new() -> Finder {
        let ambiguous = user_namespace::overflow_id();
        Finder { kernel: socket_owner::kernel(), has_found: false.into(), ambiguous }
    }

    /// The user of the process that connected from `peer` to `local`.
    pub(super) fn of_tcp(&self, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
        let asked = self.kernel.as_ref().and_then(|kernel| socket_owner::ask(kernel, peer, local));
        self.has_found.set(self.has_found.get() || asked.is_some());
        // The table is searched only if the kernel finds no sockets, because it is long if there
        // are many connections.
        let found =
            if self.has_found.get() { asked } else { socket_owner::search_table(peer, local) };
        found.filter(|uid| Some(*uid) != self.ambiguous)
    }
}

/// On other systems, every user of the host can connect.
#[cfg(not(target_os = "linux"))]
impl Finder {
    pub(super) fn new() -> Finder {
        Finder {}
    }

    pub(super) fn of_tcp(&self, _peer: SocketAddr, _local: SocketAddr) -> Option<u32> {
        Some(rustix::process::getuid().as_raw())
    }
}
