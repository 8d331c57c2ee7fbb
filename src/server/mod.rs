//! A metadata server like that of a Compute Engine host, on a loopback address or a Unix socket:
//! for clients that do not run executables, and for ID tokens in all of Google's libraries.
//!
//! One thread accepts connections, reads requests and responds; it never waits for a client or for
//! Google. A few more threads fetch tokens. A request for metadata must have the header
//! `Metadata-Flavor: Google`, and every connection must come from an allowed user.
//! <https://cloud.google.com/compute/docs/metadata/overview>

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod system;

mod connection;
mod fetches;
mod request;
mod response;
mod routes;
mod tokens;
mod tree;

use std::io::ErrorKind;
use std::time::Duration;

use self::connection::{Connection, Event, State};
use self::fetches::Fetches;
use self::response::Response;
use self::routes::Route;
use self::system::{Interest, handle, poll};
use self::tokens::{Answer, Tokens};
use crate::error::{Error, Kind};
use crate::files::{self, MORE_FILES};
use crate::secret::Secret;
use crate::world::{Clock, Deadline, Log};

pub use self::fetches::{Fetch, Wanted};
pub use self::system::{AllowedUsers, Listener, Waker, Woken};
pub use self::tree::Identity;

/// The maximum number of open connections. Further connections wait in the kernel.
const MOST_CONNECTIONS: usize = 64;

/// The pause in accepting connections after the operating system has failed to accept one, for
/// example because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// The settings of a server.
pub struct Settings {
    /// The project and the service account.
    pub identity: Identity,
    /// Fetches a token.
    pub fetch: Fetch,
    /// The secret that a request for `/subject-token` must contain; `None` refuses every such
    /// request.
    pub secret: Option<Secret>,
    /// Which users may connect.
    pub users: AllowedUsers,
    /// How long a request may take.
    pub timeout: Duration,
    /// The log.
    pub log: Log,
}

/// A server that has not been started.
pub struct Server {
    settings: Settings,
    listener: Listener,
    /// The names of this server that a `Host` header may contain.
    hosts: Vec<String>,
    tokens: Tokens,
    connections: Vec<Connection>,
    /// No connection is accepted before this time.
    pause: Option<Deadline>,
    /// Readable when a token has arrived.
    woken: Woken,
    /// Readable when the server must stop.
    ended: Woken,
}

impl Server {
    /// Creates a server for `listener`. The server runs until `ended` is readable.
    ///
    /// # Errors
    /// `CONFIGURATION` if the operating system refuses a socket.
    pub fn new(settings: Settings, listener: Listener, ended: Woken) -> Result<Server, Error> {
        let (woken, waker) = Waker::new().map_err(|error| {
            Error::new(Kind::Configuration, "cannot create a socket").cause(error).fix(MORE_FILES)
        })?;
        let fetches = Fetches::new(settings.fetch.clone(), settings.timeout, waker);
        let tokens = Tokens::new(fetches);
        let (hosts, connections) = (routes::hosts(listener.address()), Vec::new());
        Ok(Server { settings, listener, hosts, tokens, connections, pause: None, woken, ended })
    }

    /// Runs until the server must stop.
    ///
    /// # Errors
    /// `INTERNAL` if too many fetches panic.
    pub fn run(mut self) -> Result<(), Error> {
        while let Some(ready) = self.wait() {
            if ready.is_woken {
                self.woken.clear();
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
            if self.tokens.have_failed() {
                self.distribute();
                return Err(Error::new(
                    Kind::Internal,
                    "too many requests failed because of a bug",
                )
                .fix("report the failures in the file of --log-file=PATH"));
            }
        }
        Ok(())
    }

    /// Waits until something happens; `None` if the server must stop.
    fn wait(&self) -> Option<Ready> {
        let idle = self.connections.iter().filter_map(Connection::idle_from);
        let accepts_from = match self.pause {
            None if self.connections.len() < MOST_CONNECTIONS => None,
            pause => pause.or(idle.min()).filter(|from| !from.until_end().is_zero()),
        };
        let is_full = self.connections.len() >= MOST_CONNECTIONS
            && !self.connections.iter().any(|connection| connection.idle_from().is_some());
        let accepts = accepts_from.is_none() && !is_full;
        let listens = if accepts { Interest::Read } else { Interest::End };
        let mut waits = vec![
            (handle(&self.ended), Interest::Read),
            (handle(&self.woken), Interest::Read),
            (handle(&self.listener), listens),
        ];
        waits.extend(self.connections.iter().map(|connection| {
            let interest = match connection.state {
                State::Request => Interest::Read,
                State::Sending => Interest::Write,
                State::Token { .. } | State::Held { .. } if !connection.has_ended => {
                    Interest::LastByte
                }
                State::Token { .. } | State::Held { .. } | State::Closed => Interest::End,
            };
            (handle(connection.stream()), interest)
        }));
        let deadlines = self.connections.iter().filter_map(|connection| connection.deadline);
        let next = deadlines.chain(accepts_from).min().map(|deadline| deadline.until_end());
        let ready = poll(&waits, next);
        let [ended, is_woken, is_connected, connections @ ..] = ready.as_slice() else {
            return Some(Ready::default());
        };
        let connections = connections.iter().enumerate();
        (!ended).then(|| Ready {
            is_woken: *is_woken,
            is_connected: *is_connected,
            connections: connections.filter(|(_, ready)| **ready).map(|(at, _)| at).collect(),
        })
    }

    /// Accepts the waiting connections. If there are too many, the one that has been idle the
    /// longest is closed.
    fn accept(&mut self) {
        self.pause = None;
        self.connections.retain(|connection| !matches!(connection.state, State::Closed));
        if self.connections.len() >= MOST_CONNECTIONS {
            self.close_idle();
        }
        // Only one idle connection is closed, because there may be only one new connection.
        for _ in self.connections.len()..MOST_CONNECTIONS {
            let (stream, user) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    use ErrorKind::{ConnectionAborted, ConnectionReset, WouldBlock};
                    let is_usual = [WouldBlock, ConnectionAborted, ConnectionReset];
                    if !is_usual.contains(&error.kind()) {
                        self.settings.log.line(format!("cannot accept a connection: {error}"));
                        self.close_idle();
                        self.pause = Some(Deadline::after(PAUSE));
                    }
                    return;
                }
            };
            let mut connection = Connection::new(stream);
            if !self.settings.users.contains(user) {
                self.settings.log.line("a connection from another user was refused");
                let what = "this metadata server belongs to another user";
                connection.respond(&Response::failure(403, what), false);
                continue;
            }
            self.connections.push(connection);
            let last = self.connections.len() - 1;
            self.proceed(last);
        }
    }

    /// Closes the connection that has been idle for the longest time, if there is one that may be
    /// closed.
    fn close_idle(&mut self) {
        let idle = self.connections.iter().enumerate();
        let idle = idle.filter_map(|(index, connection)| Some((connection.idle_from()?, index)));
        if let Some((from, index)) = idle.min()
            && from.until_end().is_zero()
        {
            self.connections.remove(index);
        }
    }

    /// Continues with a connection that is ready.
    fn proceed(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let event = match connection.state {
            State::Request => connection.receive(),
            State::Sending => {
                connection.send();
                connection.next_request()
            }
            State::Token { .. } if !connection.has_ended => {
                connection.has_ended = true;
                Event::Nothing
            }
            State::Token { .. } | State::Held { .. } | State::Closed => {
                connection.state = State::Closed; // the client has disconnected
                Event::Nothing
            }
        };
        self.handle(index, event);
    }

    /// Answers a request, and those after it: a client may send several without waiting for the
    /// responses.
    fn handle(&mut self, index: usize, mut event: Event) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        loop {
            match event {
                Event::Nothing => return,
                Event::Wrong(status) => {
                    let what = "the request is not valid HTTP or is too large";
                    return connection.respond(&Response::failure(status, what), false);
                }
                Event::Request(request) => {
                    let is_head = request.method == "HEAD";
                    match routes::route(&request, &self.settings, &self.hosts) {
                        Route::Response(response) => connection.respond(&response, is_head),
                        Route::Held(response, wait) => {
                            connection.deadline = Some(Deadline::after(wait));
                            connection.state = State::Held { response, is_head };
                        }
                        Route::Token(wanted) => match self.tokens.get(&wanted, Clock.now()) {
                            Answer::Token(token) => {
                                connection.respond(&routes::token(&wanted, &token), is_head);
                            }
                            Answer::Pending => {
                                connection.deadline = Some(Deadline::after(self.settings.timeout));
                                connection.state = State::Token { wanted, is_head, old: None };
                            }
                            Answer::Renewing(old, deadline) => {
                                connection.deadline = Some(deadline);
                                connection.state = State::Token { wanted, is_head, old: Some(old) };
                            }
                        },
                    }
                }
            }
            event = connection.next_request();
        }
    }

    /// Responds to the connections that wait for a token that has arrived.
    fn distribute(&mut self) {
        while let Some((wanted, result)) = self.tokens.next_result(Clock.now()) {
            // The fetch itself logs all other failures.
            if let Err(error) = &result
                && error.kind() == Kind::Internal
            {
                self.settings.log.failure(error);
            }
            self.answer(|connection| match &connection.state {
                State::Token { wanted: waiting, is_head, old } if *waiting == wanted => {
                    let response = match (&result, old) {
                        (Ok(token), _) | (Err(_), Some(token)) => routes::token(&wanted, token),
                        (Err(error), None) => routes::failure(error),
                    };
                    Some((response, *is_head))
                }
                _ => None,
            });
        }
    }

    fn pass_deadlines(&mut self) {
        let has_passed = |connection: &Connection| {
            connection.deadline.is_some_and(|deadline| deadline.until_end().is_zero())
        };
        self.answer(|connection| match &connection.state {
            State::Token { wanted, is_head, old } if has_passed(connection) => {
                let late =
                    Error::new(Kind::Unreachable, "no token was received within the timeout");
                let late = files::blaming_file(late.fix("increase --timeout")).to_string();
                let response = match old {
                    Some(token) => routes::token(wanted, token),
                    None => Response::failure(503, &late),
                };
                Some((response, *is_head))
            }
            State::Held { response, is_head } if has_passed(connection) => {
                Some((response.clone(), *is_head))
            }
            _ => None,
        });
        self.connections.retain(|connection| !has_passed(connection));
    }

    /// Sends a response to each connection for which `response` returns one. The flag says whether
    /// to omit the body.
    fn answer(&mut self, response: impl Fn(&Connection) -> Option<(Response, bool)>) {
        for index in 0..self.connections.len() {
            let Some(connection) = self.connections.get_mut(index) else { return };
            if let Some((response, is_head)) = response(connection) {
                connection.respond(&response, is_head);
                let event = connection.next_request();
                self.handle(index, event);
            }
        }
    }
}

/// The sockets that are ready.
#[derive(Default)]
struct Ready {
    is_woken: bool,
    is_connected: bool,
    connections: Vec<usize>,
}
