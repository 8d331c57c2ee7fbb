//! A metadata server like that of a Compute Engine host, at a loopback address or a Unix socket: for
//! clients that run no executables, and for ID tokens in all of Google's libraries.
//!
//! One thread accepts connections, reads requests and responds; it never waits for a client or for
//! Google. A few more threads fetch tokens. A request must have the header `Metadata-Flavor: Google`,
//! and must come from the same user.
//! <https://cloud.google.com/compute/docs/metadata/overview>

mod connection;
mod listener;
mod peer;
mod request;
mod response;
mod routes;
mod tokens;
mod tree;

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::connection::{Connection, Event, State};
use self::response::Response;
use self::routes::Route;
use self::tokens::{Answer, PATIENCE, Tokens};
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::secret::Secret;
use crate::world::{Deadline, Log};

pub use self::listener::Listener;
pub use self::peer::AllowedUsers;
pub use self::tokens::{Fetch, Wanted};
pub use self::tree::Identity;

/// The largest number of open connections. Further ones wait in the kernel.
const MOST_CONNECTIONS: usize = 64;

/// What the server hands out, and to whom.
pub struct Settings {
    /// The project and the service account.
    pub identity: Identity,
    /// Fetches a token.
    pub fetch: Fetch,
    /// The secret with which `/subject-token` is requested; without it, the path is refused.
    pub secret: Option<Secret>,
    /// Which users may connect.
    pub users: AllowedUsers,
    /// How long a request may take.
    pub timeout: Duration,
    /// The log.
    pub log: Log,
}

/// A server that was not started yet.
pub struct Server {
    settings: Settings,
    listener: Listener,
    tokens: Tokens,
    connections: Vec<Connection>,
    /// Readable when a token has arrived.
    woken: UnixStream,
    /// Readable when the server must end.
    ended: UnixStream,
}

impl Server {
    /// A server for this listener, which runs until `ended` is readable or closed.
    ///
    /// # Errors
    /// `INTERNAL` if the operating system refuses a pair of sockets.
    pub fn new(settings: Settings, listener: Listener, ended: UnixStream) -> Result<Server, Error> {
        let pair = || {
            let (woken, wake) = UnixStream::pair()?;
            woken.set_nonblocking(true)?;
            wake.set_nonblocking(true)?;
            Ok::<_, std::io::Error>((woken, wake))
        };
        let (woken, wake) = pair().map_err(|error| {
            Error::new(Kind::Internal, "cannot make a pair of sockets")
                .cause(error)
                .fix("raise the limit of open files (ulimit -n)")
        })?;
        let tokens = Tokens::new(settings.fetch.clone(), wake);
        Ok(Server { settings, listener, tokens, connections: Vec::new(), woken, ended })
    }

    /// Runs until the end.
    pub fn run(mut self) {
        loop {
            let Some(ready) = self.wait() else { return };
            if ready.is_woken {
                let _ = self.woken.read(&mut [0; 64]);
                self.distribute();
            }
            for index in ready.connections {
                self.proceed(index);
            }
            self.pass_deadlines();
            if ready.is_connected {
                self.accept();
            }
            self.connections.retain(|connection| !matches!(connection.state, State::Closed));
        }
    }

    /// Waits until something happens; `None` at the end.
    fn wait(&self) -> Option<Ready> {
        let has_room = self.connections.len() < MOST_CONNECTIONS
            || self.connections.iter().any(Connection::is_idle);
        let listens = if has_room { PollFlags::IN } else { PollFlags::empty() };
        let mut waits = vec![
            PollFd::new(&self.ended, PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
            PollFd::new(&self.listener, listens),
        ];
        waits.extend(self.connections.iter().map(|connection| {
            let flags = match connection.state {
                State::Request => PollFlags::IN,
                State::Sending => PollFlags::OUT,
                State::Token { .. } | State::Closed => PollFlags::empty(),
            };
            PollFd::new(connection.stream(), flags)
        }));
        let deadlines = self.connections.iter().filter_map(|connection| connection.deadline);
        let next = deadlines.map(|deadline| deadline.until_watchdog()).min();
        let timeout = next.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        if poll(&mut waits, timeout.as_ref()).is_err() {
            return Some(Ready::default()); // a signal
        }
        let is_ready = |wait: &PollFd| !wait.revents().is_empty();
        let [ended, woken, listener, connections @ ..] = waits.as_slice() else { return None };
        (!is_ready(ended)).then(|| Ready {
            is_woken: is_ready(woken),
            is_connected: is_ready(listener),
            connections: connections
                .iter()
                .enumerate()
                .filter_map(|(index, wait)| is_ready(wait).then_some(index))
                .collect(),
        })
    }

    /// Accepts what waits. The oldest idle connection makes room.
    fn accept(&mut self) {
        loop {
            self.connections.retain(|connection| !matches!(connection.state, State::Closed));
            if self.connections.len() >= MOST_CONNECTIONS {
                let Some(idle) = self.connections.iter().position(Connection::is_idle) else {
                    return;
                };
                self.connections.remove(idle);
            }
            let Some((stream, uid)) = self.listener.accept() else { return };
            let mut connection = Connection::new(stream);
            if !self.settings.users.contains(uid) {
                self.settings.log.line("a connection of another user was refused");
                let what = "this metadata server belongs to another user";
                connection.respond(&Response::failure(403, what), false);
                continue;
            }
            self.connections.push(connection);
            let last = self.connections.len() - 1;
            self.proceed(last);
        }
    }

    /// Continues with a connection that is ready.
    fn proceed(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let mut event = match connection.state {
            State::Request => connection.receive(),
            State::Sending => {
                connection.send();
                Event::Nothing
            }
            State::Token { .. } => {
                connection.state = State::Closed; // the client has gone
                Event::Nothing
            }
            State::Closed => Event::Nothing,
        };
        // A client may send several requests without waiting for the responses.
        loop {
            match event {
                Event::Nothing => return,
                Event::Wrong(status) => {
                    let what = "the request is not valid HTTP, or too large";
                    return connection.respond(&Response::failure(status, what), false);
                }
                Event::Request(request) => {
                    let address = self.listener.address();
                    let is_head = request.method == "HEAD";
                    match routes::route(&request, &self.settings, address) {
                        Route::Response(response) => connection.respond(&response, is_head),
                        Route::Token(wanted) => match self.tokens.get(&wanted) {
                            Answer::Token(token) => {
                                connection.respond(&routes::token(&wanted, &token), is_head);
                            }
                            Answer::Pending(old) => {
                                let limit =
                                    if old.is_some() { PATIENCE } else { self.settings.timeout };
                                connection.deadline = Some(Deadline::after(limit));
                                connection.state = State::Token { wanted, is_head, old };
                            }
                        },
                    }
                }
            }
            event = match connection.state {
                State::Request => connection.next_request(),
                _ => Event::Nothing,
            };
        }
    }

    /// Gives the tokens that have arrived to those that wait for them.
    fn distribute(&mut self) {
        while let Some((wanted, result)) = self.tokens.next_result() {
            for connection in &mut self.connections {
                let State::Token { wanted: waiting, is_head, old } = &connection.state else {
                    continue;
                };
                if *waiting == wanted {
                    let response = match (&result, old) {
                        (Ok(token), _) | (Err(_), Some(token)) => routes::token(&wanted, token),
                        (Err(error), None) => routes::failure(error),
                    };
                    let is_head = *is_head;
                    connection.respond(&response, is_head);
                }
            }
        }
    }

    fn pass_deadlines(&mut self) {
        for connection in &mut self.connections {
            let has_passed =
                connection.deadline.is_some_and(|deadline| deadline.until_watchdog().is_zero());
            if !has_passed {
                continue;
            }
            match &connection.state {
                State::Token { wanted, is_head, old } => {
                    let response = late(wanted, old.as_ref());
                    let is_head = *is_head;
                    connection.respond(&response, is_head);
                }
                State::Request | State::Sending | State::Closed => connection.state = State::Closed,
            }
        }
    }
}

/// What is ready.
#[derive(Default)]
struct Ready {
    is_woken: bool,
    is_connected: bool,
    connections: Vec<usize>,
}

/// The response to a request whose token has not arrived in time.
fn late(wanted: &Wanted, old: Option<&AccessToken>) -> Response {
    match old {
        Some(token) => routes::token(wanted, token),
        None => Response::failure(503, "no token within the timeout; increase --timeout"),
    }
}
