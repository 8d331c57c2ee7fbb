//! Responses from memory in place of a network.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

thread_local! {
    static RESPONSES: RefCell<VecDeque<Vec<u8>>> = const { RefCell::new(VecDeque::new()) };
}

/// Sets the bytes that servers send on the next connections of this thread, one item for each
/// connection.
pub(crate) fn respond_with<'a>(responses: impl Iterator<Item = &'a [u8]>) {
    RESPONSES.set(responses.map(<[u8]>::to_vec).collect());
}

/// Creates an agent with the configuration of `agent` that makes no network connections.
pub(super) fn without_network(agent: &ureq::Agent) -> ureq::Agent {
    ureq::Agent::with_parts(agent.config().clone(), Memory, Nowhere)
}

#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        Ok(addresses)
    }
}

#[derive(Debug)]
struct Memory;

impl<In: Transport> Connector<In> for Memory {
    type Out = Response;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<In>,
    ) -> Result<Option<Response>, Error> {
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let bytes = RESPONSES.with_borrow_mut(VecDeque::pop_front).unwrap_or_default();
        Ok(Some(Response { bytes, sent: 0, buffers: LazyBuffers::new(input, output) }))
    }
}

/// A connection on which the server sends `bytes` and then closes the connection.
#[derive(Debug)]
struct Response {
    bytes: Vec<u8>,
    sent: usize,
    buffers: LazyBuffers,
}

impl Transport for Response {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), Error> {
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let mut rest = self.bytes.get(self.sent..).unwrap_or_default();
        let length = rest.read(self.buffers.input_append_buf())?;
        self.sent += length;
        self.buffers.input_appended(length);
        Ok(length > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}
