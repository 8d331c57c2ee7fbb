//! One connection: its bytes, and what it waits for.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use zeroize::Zeroizing;

use super::fetches::Wanted;
use super::request::{Received, Request};
use super::response::Response;
use super::system::Stream;
use crate::google::access_token::AccessToken;
use crate::world::Deadline;

/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

/// How long the client may take to read a response.
const READING: Duration = Duration::from_secs(5);

/// Lets a client send the body of its request (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long a connection stays open without a request while other connections wait. The client has
/// just connected or has just read a response.
const GRACE: Duration = Duration::from_millis(50);

/// [`GRACE`] for a connection on which a part of a request has arrived.
const SLOW_GRACE: Duration = Duration::from_millis(150);

/// A connection and its state.
pub(super) struct Connection {
    stream: Stream,
    received: Vec<u8>,
    to_send: Zeroizing<Vec<u8>>,
    pub(super) state: State,
    /// When the state ends; `None` while no request has begun.
    pub(super) deadline: Option<Deadline>,
    /// The connection is not closed before this time to make room for another.
    grace: Deadline,
    keeps_open: bool,
    /// Whether the client was told to send the body of its request.
    continued: bool,
    /// Whether the client sends nothing more. It may have disconnected, or wait for its response.
    pub(super) has_ended: bool,
}

/// What a connection waits for.
pub(super) enum State {
    /// For a request, or the rest of one.
    Request,
    /// For a token. At the deadline, the old token is served.
    Token { wanted: Wanted, is_head: bool, old: Option<AccessToken> },
    /// For the end of the time that the client waits for a change.
    Held { response: Response, is_head: bool },
    /// Until the client has read the response.
    Sending,
    /// For nothing: the connection is closed.
    Closed,
}

/// What has been received.
pub(super) enum Event {
    Request(Request),
    Wrong(u16),
    Nothing,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Connection {
        Connection {
            stream,
            received: Vec::new(),
            to_send: Zeroizing::default(),
            state: State::Request,
            deadline: Some(Deadline::after(ARRIVAL)),
            grace: Deadline::after(GRACE),
            keeps_open: false,
            continued: false,
            has_ended: false,
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The time from which the connection can be closed to make room for another; `None` while
    /// there is a complete request, unless its client has probably disconnected. A client that
    /// waits for a change repeats its request.
    pub(super) fn idle_from(&self) -> Option<Deadline> {
        let is_idle = match self.state {
            State::Token { .. } => self.has_ended,
            State::Request | State::Held { .. } => true,
            State::Sending | State::Closed => false,
        };
        is_idle.then_some(self.grace)
    }

    /// Reads what has arrived, and returns a request if it is complete.
    pub(super) fn receive(&mut self) -> Event {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.state = State::Closed;
                    return Event::Nothing;
                }
                Ok(length) => {
                    if self.received.is_empty() {
                        self.deadline = Some(Deadline::after(ARRIVAL));
                        self.grace = Deadline::after(SLOW_GRACE);
                    }
                    self.received.extend(chunk.get(..length).unwrap_or_default());
                    match self.next_request() {
                        Event::Nothing => {}
                        event => return event,
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Event::Nothing,
                Err(_) => {
                    self.state = State::Closed;
                    return Event::Nothing;
                }
            }
        }
    }

    /// Takes the next request from the bytes that were received, unless the connection waits for
    /// something else.
    pub(super) fn next_request(&mut self) -> Event {
        if !matches!(self.state, State::Request) || self.received.is_empty() {
            return Event::Nothing;
        }
        match Request::read(&self.received) {
            Received::Expecting if !self.continued => {
                self.continued = true;
                // If this message is not sent, the client sends the body after its own timeout.
                let _ = self.stream.write(CONTINUE);
                Event::Nothing
            }
            Received::Part | Received::Expecting => Event::Nothing,
            Received::Wrong(status) => {
                self.keeps_open = false;
                Event::Wrong(status)
            }
            Received::Whole(request, length) => {
                self.received.drain(..length.min(self.received.len()));
                self.continued = false;
                self.keeps_open = request.keeps_open;
                Event::Request(request)
            }
        }
    }

    /// Sends a response. A HEAD request gets no body.
    pub(super) fn respond(&mut self, response: &Response, is_head: bool) {
        self.to_send = response.bytes(self.keeps_open, is_head);
        self.state = State::Sending;
        self.deadline = Some(Deadline::after(READING));
        self.send();
    }

    /// Sends as much as the client accepts. Afterwards the connection waits for the next request,
    /// or is closed.
    pub(super) fn send(&mut self) {
        while !self.to_send.is_empty() {
            match self.stream.write(&self.to_send) {
                Ok(length) => {
                    let sent = length.min(self.to_send.len());
                    self.to_send.drain(..sent);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.state = State::Closed;
                    return;
                }
            }
        }
        self.deadline = (!self.received.is_empty()).then(|| Deadline::after(ARRIVAL));
        self.grace = Deadline::after(GRACE);
        self.state = if self.keeps_open { State::Request } else { State::Closed };
    }
}
