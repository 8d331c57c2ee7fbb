//! Tells systemd, or another service manager with the same protocol, about the state of this process.
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::sync::Arc;

use crate::world::Env;

/// The socket of the service manager, if there is one.
#[derive(Debug, Clone)]
pub(super) struct Notify(Option<Arc<Socket>>);

impl Notify {
    /// Opens a socket for the address in `NOTIFY_SOCKET`.
    pub(super) fn new(env: &Env) -> Notify {
        let address = env.get("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        Notify(address.and_then(|address| Socket::new(&address)).map(Arc::new))
    }

    /// Sends assignments, one per line, and returns false if this must be tried again. It never waits.
    pub(super) fn send(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|socket| socket.send(text))
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Socket(std::os::unix::net::UnixDatagram, std::os::unix::net::SocketAddr);

#[cfg(unix)]
impl Socket {
    fn new(address: &std::ffi::OsStr) -> Option<Socket> {
        let socket = std::os::unix::net::UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Socket(socket, socket_address(address)?))
    }

    fn send(&self, text: &str) -> bool {
        let sent = self.0.send_to_addr(text.as_bytes(), &self.1);
        !sent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// Reads the address of a socket: an absolute path, or on Linux `@` and an abstract name.
#[cfg(unix)]
fn socket_address(text: &std::ffi::OsStr) -> Option<std::os::unix::net::SocketAddr> {
    use std::os::unix::net::SocketAddr;
    #[cfg(target_os = "linux")]
    if let Some(name) = text.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name).ok();
    }
    SocketAddr::from_pathname(text).ok()
}

/// No service manager of Windows has this protocol.
#[cfg(windows)]
#[derive(Debug)]
struct Socket;

#[cfg(windows)]
impl Socket {
    fn new(_: &std::ffi::OsStr) -> Option<Socket> {
        None
    }

    fn send(&self, _: &str) -> bool {
        true
    }
}
