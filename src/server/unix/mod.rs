//! Sockets and users on Unix.

mod listener;
mod peer;
mod poll;
mod socket_file;
#[cfg(target_os = "linux")]
mod socket_owner;
#[cfg(target_os = "linux")]
mod user_namespace;
mod waker;

pub use self::listener::Listener;
pub use self::peer::AllowedUsers;
pub use self::waker::{Waker, Woken};

pub(super) use self::listener::Stream;
pub(super) use self::poll::{Interest, handle, poll};
