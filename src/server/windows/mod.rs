//! Sockets and users on Windows.

mod listener;
mod peer;
mod poll;
mod waker;

pub use self::listener::Listener;
pub use self::peer::AllowedUsers;
pub use self::waker::{Waker, Woken};

pub(super) use self::poll::{Interest, handle, poll};
pub(super) use std::net::TcpStream as Stream;
