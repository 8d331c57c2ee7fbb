//! TCP, or a Unix socket, as a connector of the HTTP agent. Every wait ends on time.
//!
//! The kernel rounds the timeout of a socket up: Linux by up to two seconds if it is longer than
//! sixteen. A server that hangs would be named too late, after the watchdog has ended the run.
//! Therefore a wait consists of short slices, and none is longer than the time until the deadline
//! of the run, whatever the HTTP library allows.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{self, DefaultResolver, ResolvedSocketAddrs};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, time,
};
use ureq::{Error, Timeout};

use crate::world::Deadline;

/// The longest timeout that a socket gets. Linux rounds it up by at most 32 ms.
const SLICE: Duration = Duration::from_millis(250);

/// By how much Windows extends the timeout of a socket. On Windows, a socket must not be used after a
/// timeout, so a wait is not split into slices.
const WINDOWS_DELAY: Duration = Duration::from_millis(500);

/// Resolves a host name on a separate thread, and names the stage of a timeout.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    /// Whether the connections are to a Unix socket, for which no address is needed.
    pub(super) is_unneeded: bool,
}

impl resolver::Resolver for Resolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        if self.is_unneeded {
            let mut unused = self.empty();
            unused.push((Ipv4Addr::LOCALHOST, 0).into());
            return Ok(unused);
        }
        resolve(uri, config, timeout).map_err(|error| match error {
            Error::Io(error) => Error::Other(Box::new(Unresolved(error))),
            other => other,
        })
    }
}

/// Resolves a host name on a separate thread. The library would panic if the system refused the
/// thread; this function then resolves the name on the calling thread, because a wait for the DNS
/// servers is better than a failure.
fn resolve(uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
    use resolver::Resolver as _;
    let (sender, receiver) = mpsc::sync_channel(1);
    let unlimited = NextTimeout { after: time::Duration::NotHappening, ..timeout };
    let (name, settings) = (uri.clone(), config.clone());
    let on_thread = move || {
        let _ = sender.send(DefaultResolver::default().resolve(&name, &settings, unlimited));
    };
    match thread::Builder::new().spawn(on_thread) {
        Ok(_) => {
            let resolved = receiver.recv_timeout(*timeout.after);
            resolved.unwrap_or(Err(Error::Timeout(Timeout::Resolve)))
        }
        Err(_) => DefaultResolver::default().resolve(uri, config, unlimited),
    }
}

/// Why a host name could not be resolved. The standard library has no error kind for this.
#[derive(Debug)]
pub(super) struct Unresolved(io::Error);

impl std::error::Error for Unresolved {}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Connects to the first address that accepts a connection, or to a Unix socket.
#[derive(Debug)]
pub(super) struct SocketConnector {
    pub(super) deadline: Deadline,
    /// The Unix socket to connect to instead of the host in the URL.
    pub(super) unix: Option<PathBuf>,
}

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, SocketTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let wait = Wait::new(details.timeout, self.deadline, Timeout::Connect);
        let stream = match &self.unix {
            Some(path) => connect_to_unix_socket(path, &wait)?,
            None => connect(&details.addrs, &wait)?,
        };
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = LazyBuffers::new(input, output);
        let (read, write) = (Duration::ZERO, Duration::ZERO);
        Ok(Some(Either::B(SocketTransport {
            stream,
            buffers,
            deadline: self.deadline,
            read,
            write,
        })))
    }
}

fn connect(addresses: &[SocketAddr], wait: &Wait) -> Result<TcpStream, Error> {
    let mut failure = Error::Timeout(wait.reason);
    for (index, address) in addresses.iter().enumerate() {
        let left = wait.left()?;
        let is_last = index + 1 == addresses.len();
        let share = if is_last { left } else { left / 2 };
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if is_timeout(&error) => failure = Error::Timeout(wait.reason),
            Err(error) => failure = Error::Io(error),
        }
    }
    Err(failure)
}

/// Connects in a separate thread, because the standard library has no timeout for this. The other calls of
/// this file are the same for both types of socket, so a `TcpStream` can own either.
#[cfg(unix)]
fn connect_to_unix_socket(path: &Path, wait: &Wait) -> Result<TcpStream, Error> {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    thread::Builder::new().spawn(move || sender.send(UnixStream::connect(path)))?;
    let result = receiver.recv_timeout(wait.left()?).map_err(|_| Error::Timeout(wait.reason))?;
    Ok(OwnedFd::from(result?).into())
}

#[cfg(not(unix))]
fn connect_to_unix_socket(_: &Path, _: &Wait) -> Result<TcpStream, Error> {
    Err(Error::Io(ErrorKind::Unsupported.into()))
}

/// A connection.
#[derive(Debug)]
pub(super) struct SocketTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
    deadline: Deadline,
    /// The timeouts that the socket has; zero if it has none yet.
    read: Duration,
    write: Duration,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let wait = Wait::new(timeout, self.deadline, timeout.reason);
        let mut output = self.buffers.output().get(..amount).unwrap_or_default();
        while !output.is_empty() {
            let slice = wait.slice()?;
            if slice != self.write {
                set_timeout(self.stream.set_write_timeout(Some(slice)))?;
                self.write = slice;
            }
            match self.stream.write(output) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(length) => output = output.get(length..).unwrap_or_default(),
                Err(error) => wait.next_slice(error)?,
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let wait = Wait::new(timeout, self.deadline, timeout.reason);
        let length = loop {
            let slice = wait.slice()?;
            if slice != self.read {
                set_timeout(self.stream.set_read_timeout(Some(slice)))?;
                self.read = slice;
            }
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(length) => break length,
                Err(error) => wait.next_slice(error)?,
            }
        };
        self.buffers.input_appended(length);
        Ok(length > 0)
    }

    /// Whether the server has neither closed the connection nor sent data without a request.
    fn is_open(&mut self) -> bool {
        let mut is_silent = || -> io::Result<bool> {
            self.stream.set_nonblocking(true)?;
            let read = self.stream.read(&mut [0]);
            self.stream.set_nonblocking(false)?;
            Ok(matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock))
        };
        is_silent().unwrap_or(false)
    }
}

/// Sets the timeout of a socket. macOS refuses it after the server has closed the connection, when
/// there may still be a response to read.
fn set_timeout(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if cfg!(target_os = "macos") && error.kind() == ErrorKind::InvalidInput => {
            Ok(())
        }
        result => result,
    }
}

/// One wait, until its own timeout or the deadline of the run, whichever is earlier.
struct Wait {
    end: Deadline,
    reason: Timeout,
}

impl Wait {
    fn new(timeout: NextTimeout, deadline: Deadline, reason: Timeout) -> Wait {
        Wait { end: deadline.waiting_at_most(*timeout.after), reason }
    }

    /// The time that is left.
    fn left(&self) -> Result<Duration, Error> {
        match self.end.remaining() {
            Duration::ZERO => Err(Error::Timeout(self.reason)),
            left => Ok(left),
        }
    }

    /// The timeout of a socket for the next slice of this wait.
    fn slice(&self) -> Result<Duration, Error> {
        let left = self.left()?;
        Ok(match cfg!(windows) {
            true => left.saturating_sub(WINDOWS_DELAY).max(Duration::from_millis(1)),
            // A kernel counts in ticks of up to 10 ms, and zero would mean no timeout.
            false => left.min(SLICE).max(Duration::from_millis(1)),
        })
    }

    /// Returns `Ok` if the wait continues after a read or write that failed with `error`.
    fn next_slice(&self, error: io::Error) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::Interrupted => Ok(()),
            _ if is_timeout(&error) && cfg!(windows) => Err(Error::Timeout(self.reason)),
            _ if is_timeout(&error) => Ok(()),
            _ => Err(Error::Io(error)),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn a_unix_socket_is_used_instead_of_the_host() {
        use std::collections::BTreeMap;
        use std::os::unix::net::UnixListener;
        use std::thread;

        use super::*;
        use crate::http::{Agent, Request, Settings, Url};
        use crate::world::{Clock, Env, Log, World};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntoken").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let (env, log) = (Env::Map(BTreeMap::new()), Log::open(None, Clock));
        let deadline = Deadline::after(Duration::from_secs(10));
        let settings = Settings { unix_socket: Some(path), ..Settings::default() };
        let agent = Agent::new(World { env, clock: Clock, deadline, log }, settings);
        let url = Url::parse("http://localhost/t").unwrap();
        let response = agent.send(Request::get(&url, "the socket")).unwrap();
        assert_eq!(response.text(), Some("token"));
        let request = server.join().unwrap().to_ascii_lowercase();
        assert!(request.starts_with("get /t http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nhost: localhost\r\n"), "{request}");
    }
}
