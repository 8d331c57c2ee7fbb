//! The context of a run: its world (environment, clock, deadline, log) and its HTTP agent.
//!
//! A context is built only by [`Context::new`]. A part of a run that needs another environment,
//! other trust or a shorter deadline uses a [narrowed](Context::narrowed) context.

use std::ops::Deref;

use crate::error::Error;
use crate::http::{Agent, Request, Response, Settings, Url};
use crate::world::World;

/// The world of a run, and the agent that sends its requests.
#[derive(Debug)]
pub struct Context {
    agent: Agent,
}

/// A context gives direct access to its world: `cx.env`, `cx.clock`, `cx.deadline`, `cx.log`.
impl Deref for Context {
    type Target = World;

    fn deref(&self) -> &World {
        self.agent.world()
    }
}

impl Context {
    /// A context for this world. No connection is opened yet.
    pub fn new(world: World, settings: Settings) -> Context {
        Context { agent: Agent::new(world, settings) }
    }

    /// A copy of this context with this change applied. It has separate connections.
    pub fn narrowed(&self, change: impl FnOnce(&mut World, &mut Settings)) -> Context {
        let (mut world, mut settings) = (self.agent.world().clone(), self.agent.settings().clone());
        change(&mut world, &mut settings);
        Context::new(world, settings)
    }

    /// Sends a request, as [`Agent::send`] does.
    ///
    /// # Errors
    /// Those of [`Agent::send`].
    pub fn send(&self, request: Request) -> Result<Response, Error> {
        self.agent.send(request)
    }

    /// Describes how a request reaches a URL and which authorities it trusts, for reports.
    pub fn route(&self, url: &Url) -> String {
        self.agent.route(url)
    }

    /// The seconds by which this host's clock is ahead of the first server that sent its time.
    pub fn skew(&self) -> Option<i64> {
        self.agent.skew()
    }

    /// The certificate of the server of the latest connection, DER-encoded.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.agent.peer_certificate()
    }
}
