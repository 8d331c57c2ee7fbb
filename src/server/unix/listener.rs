//! Where the server listens: a loopback address, a Unix socket, or the socket that systemd passes.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, bind, listen, sockopt};

use super::peer;
use super::socket_file::{BACKLOG, SocketFile, failed, stream};
use crate::error::{Error, Kind};
use crate::show;
use crate::world::Env;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// On a loopback address.
    Tcp(TcpListener, peer::Finder),
    /// At a path, with the file if this process created it.
    Unix(UnixListener, Option<SocketFile>),
}

/// A connection.
#[derive(Debug)]
pub(in crate::server) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The errors of [`Listener::at`].
    pub fn anywhere() -> Result<Listener, Error> {
        let fix = "check the loopback interface and the limit on open files (ulimit -n)";
        Listener::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), "127.0.0.1", fix)
    }

    /// Listens on the address of `--listen`: `127.0.0.1:PORT`, `[::1]:PORT` or `unix:PATH`.
    ///
    /// # Errors
    /// `USAGE` for any other address; `CONFIGURATION` if the address is in use or cannot be used.
    pub fn at(address: &str) -> Result<Listener, Error> {
        if let Some(path) = address.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Listener::unix(Path::new(path));
        }
        let parsed: Option<SocketAddr> = address.parse().ok();
        match parsed.filter(|address| address.ip().is_loopback()) {
            Some(parsed) => Listener::tcp(parsed, address, "set --listen to another port"),
            None => {
                Err(Error::new(Kind::Usage, "--listen is not a loopback address or a Unix socket")
                    .fix("use --listen=127.0.0.1:PORT, --listen=[::1]:PORT or --listen=unix:PATH"))
            }
        }
    }

    fn tcp(address: SocketAddr, shown: &str, fix: &str) -> Result<Listener, Error> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let open = || -> io::Result<OwnedFd> {
            let socket = stream(family)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &address)?;
            listen(&socket, BACKLOG)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| failed(shown, &error, fix))?;
        Listener::Tcp(TcpListener::from(socket), peer::Finder::new()).ready(shown)
    }

    fn unix(path: &Path) -> Result<Listener, Error> {
        let (socket, file) = SocketFile::bind(path)?;
        Listener::Unix(UnixListener::from(socket), Some(file)).ready(&show::path(path))
    }

    /// Takes the socket that systemd passes to this process.
    /// <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>
    ///
    /// # Errors
    /// `USAGE` if there is none; `CONFIGURATION` if it is not one socket that listens on a loopback
    /// address or at a path.
    pub fn from_systemd(env: &Env) -> Result<Listener, Error> {
        let text = |name: &str| env.text(name);
        let is_own = text("LISTEN_PID")? == Some(std::process::id().to_string());
        let wrong = |what: &str| {
            Error::new(Kind::Configuration, what).fix(
                "set exactly one ListenStream in the socket unit, to 127.0.0.1:PORT, [::1]:PORT or \
                 a path",
            )
        };
        match text("LISTEN_FDS")? {
            Some(count) if is_own && count == "1" => {}
            Some(_) if is_own => return Err(wrong("systemd did not pass exactly one socket")),
            _ => {
                return Err(Error::new(Kind::Usage, "--listen is required")
                    .cause("systemd did not pass a socket to this process")
                    .fix("add --listen=127.0.0.1:PORT or --listen=unix:PATH"));
            }
        }
        // SAFETY: systemd passes the first socket as this descriptor to the process with the number in
        // LISTEN_PID, which is this one, and nothing else in this process uses the descriptor.
        #[allow(unsafe_code)]
        let socket = unsafe { OwnedFd::from_raw_fd(3) };
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)
            .map_err(|_| wrong("the socket from systemd is not open"))?;
        if !listens(&socket) || sockopt::socket_type(&socket) != Ok(SocketType::STREAM) {
            return Err(wrong("the socket from systemd is not a listening stream socket"));
        }
        let tcp = TcpListener::from(socket);
        match tcp.local_addr() {
            Ok(address) if address.ip().is_loopback() => {
                Listener::Tcp(tcp, peer::Finder::new()).ready("the socket from systemd")
            }
            Ok(_) => Err(wrong(
                "the socket from systemd listens on an address that other hosts can reach",
            )),
            Err(_) => {
                let unix = UnixListener::from(OwnedFd::from(tcp));
                Listener::Unix(unix, None).ready("the socket from systemd")
            }
        }
    }

    fn ready(self, shown: &str) -> Result<Listener, Error> {
        let result = match &self {
            Listener::Tcp(listener, _) => listener.set_nonblocking(true),
            Listener::Unix(listener, _) => listener.set_nonblocking(true),
        };
        result.map(|()| self).map_err(|error| failed(shown, &error, "check --listen"))
    }

    /// The address with its port; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener, _) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    /// Accepts one connection. Also returns the user who opened it, if known.
    ///
    /// # Errors
    /// `WouldBlock` if no connection waits, and those of the operating system.
    pub(in crate::server) fn accept(&self) -> io::Result<(Stream, Option<u32>)> {
        match self {
            Listener::Tcp(listener, finder) => {
                let (stream, from) = listener.accept()?;
                let uid = stream.local_addr().ok().and_then(|local| finder.of_tcp(from, local));
                stream.set_nonblocking(true)?;
                // Each response is one write, which must not wait for more.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), uid))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let uid = peer::of_unix(&stream);
                Ok((Stream::Unix(stream), uid))
            }
        }
    }
}

/// Whether a socket listens.
#[cfg(target_os = "linux")]
fn listens(socket: &OwnedFd) -> bool {
    sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// Returns false, because macOS cannot tell, and has no systemd.
#[cfg(not(target_os = "linux"))]
fn listens(_: &OwnedFd) -> bool {
    false
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener, _) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
