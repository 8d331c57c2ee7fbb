//! What the code of a run may touch: its world, and the HTTP agent that shares it.
//!
//! A context is built in one place ([`Context::new`]). A part of a run that needs another
//! environment, other trust or a shorter deadline gets a [narrowed](Context::narrowed) one.

use std::ops::Deref;

use crate::error::Error;
use crate::http::{Agent, Request, Response, Settings, Url};
use crate::world::World;

/// The world of a run, and how it sends requests.
#[derive(Debug)]
pub struct Context {
    agent: Agent,
}

/// A context is used as its world: `cx.env`, `cx.clock`, `cx.deadline`, `cx.log`.
impl Deref for Context {
    type Target = World;

    fn deref(&self) -> &World {
        self.agent.world()
    }
}

impl Context {
    /// The context of a world. Nothing is opened yet.
    pub fn new(world: World, settings: Settings) -> Context {
        Context { agent: Agent::new(world, settings) }
    }

    /// Another context that differs by this change, with connections of its own.
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

    /// How a request reaches an address and what it trusts there, in words.
    pub fn route(&self, url: &Url) -> String {
        self.agent.route(url)
    }

    /// How many seconds this host's clock is ahead of the first server that stated its time.
    pub fn skew(&self) -> Option<i64> {
        self.agent.skew()
    }

    /// The certificate of the server that was connected to last, as DER.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.agent.peer_certificate()
    }
}
