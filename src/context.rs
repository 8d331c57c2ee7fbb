//! The context of a run: its world (environment, clock, deadline, log) and its HTTP agent.
//!
//! A context is built only by [`Context::new`]. A part of a run that needs another environment,
//! other trust or a shorter deadline uses a [narrowed](Context::narrowed) context.
//!
//! The source `google` needs the ID tokens of a credential file, and a credential file can need a
//! source. The context breaks this circle: it hands the functions of the client down to the source.

use std::ops::Deref;
use std::path::Path;

use crate::error::{self, Error};
use crate::http::{Agent, Request, Response, Settings, TOLERATED_SKEW, Url, wrong_clock};
use crate::secret::Secret;
use crate::world::World;

/// The world of a run, the agent that sends its requests, and how to get ID tokens of Google
/// credentials.
#[derive(Debug)]
pub struct Context {
    agent: Agent,
    /// How to get ID tokens of Google credentials.
    pub id_tokens: IdTokens,
}

/// How to get ID tokens with a credential file, or from the metadata server if there is no file.
/// The client implements both functions. Their errors are those of the credentials.
#[derive(Debug, Clone, Copy)]
pub struct IdTokens {
    /// Gets an ID token. The arguments are the credential file, the audience and the context.
    pub get: fn(Option<&Path>, &str, &Context) -> Result<Secret, Error>,
    /// Identifies the principal of the tokens.
    pub identity: fn(Option<&Path>, &Context) -> Result<String, Error>,
}

/// A context gives direct access to its world: `cx.env`, `cx.clock`, `cx.deadline`, `cx.log`.
impl Deref for Context {
    type Target = World;

    fn deref(&self) -> &World {
        self.agent.world()
    }
}

impl Context {
    /// Creates a context for this world. Opens no connection.
    pub fn new(world: World, settings: Settings, id_tokens: IdTokens) -> Context {
        Context { agent: Agent::new(world, settings), id_tokens }
    }

    /// Copies this context, with separate connections, and applies `change` to the copy.
    pub fn narrowed(&self, change: impl FnOnce(&mut World, &mut Settings)) -> Context {
        let (mut world, mut settings) = (self.agent.world().clone(), self.agent.settings().clone());
        change(&mut world, &mut settings);
        Context { agent: self.agent.narrowed(world, settings), id_tokens: self.id_tokens }
    }

    /// Sends a request, as [`Agent::send`] does.
    ///
    /// # Errors
    /// The errors of [`Agent::send`].
    pub fn send(&self, request: Request) -> Result<Response, Error> {
        self.agent.send(request)
    }

    /// Checks the settings of all requests: the trusted authorities.
    ///
    /// # Errors
    /// `CONFIGURATION` if their file cannot be read or contains no certificate.
    pub fn require_authorities(&self) -> Result<(), Error> {
        self.agent.settings().tls.require_authorities()
    }

    /// Checks that the proxy for a URL is valid.
    ///
    /// # Errors
    /// `CONFIGURATION` if the proxy is not valid.
    pub fn require_valid_proxy(&self, url: &Url) -> Result<(), Error> {
        self.agent.require_valid_proxy(url)
    }

    /// Whether requests are refused (`--offline`).
    pub fn is_offline(&self) -> bool {
        self.agent.settings().offline
    }

    /// Describes how a request reaches a URL and which authorities it trusts, for reports.
    pub fn route(&self, url: &Url) -> String {
        self.agent.route(url)
    }

    /// The number of seconds by which this host's clock is ahead of the last server that sent its
    /// time.
    pub fn skew(&self) -> Option<i64> {
        self.clocks().last().map(|(_, skew)| *skew)
    }

    /// The servers that sent their time, as [`Agent::clocks`] returns them.
    pub fn clocks(&self) -> Vec<(String, i64)> {
        self.agent.clocks()
    }

    /// The fix for the clock of this host; `None` unless a server has shown that it is wrong.
    pub fn wrong_clock(&self) -> Option<String> {
        self.wrong_clock_by(TOLERATED_SKEW)
    }

    /// Like [`Context::wrong_clock`], for a server that tolerates a difference of `tolerated`
    /// seconds.
    pub fn wrong_clock_by(&self, tolerated: i64) -> Option<String> {
        self.skew().filter(|skew| skew.abs() > tolerated).map(wrong_clock)
    }

    /// Prepares a failure for the report: removes the secrets that were sent, and makes the
    /// correction of the clock the fix, if a server has shown that the failure would not happen
    /// with a correct clock.
    pub fn explained(&self, error: Error) -> Error {
        let error = error.hiding(&self.agent.sent());
        let (limit, skew) = (error.limit(), self.skew());
        let is_of_clock =
            |(limit, skew): (i64, i64)| error::is_of_clock(limit, self.clock.now(), skew);
        match self.wrong_clock().filter(|_| limit.zip(skew).is_some_and(is_of_clock)) {
            Some(fix) => error.fix(fix),
            None => error,
        }
    }

    /// The certificate of the server of the latest connection, DER-encoded.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.agent.peer_certificate()
    }
}
