//! The connection to a proxy as a connector of the HTTP agent.
//!
//! The HTTP library reports only the status with which a proxy refuses a connection. The reason is in
//! the headers of that response, so the connection stores them.

use std::sync::{Arc, Mutex, PoisonError};

use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::LONGEST;
use crate::world::Deadline;

/// Connects through a proxy, and names the stage of a timeout. A refusal is a `ConnectProxyFailed`
/// with the head of the response, or with other text if there was no response.
#[derive(Debug, Default)]
pub(super) struct ProxyConnector(ConnectProxyConnector);

impl<In: Transport> Connector<In> for ProxyConnector {
    type Out = <ConnectProxyConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let head = Head::default();
        let (run, of_connection) = (details.run_connector.clone(), head.clone());
        // The HTTP library restarts its timeout with each part of the response.
        let end = Deadline::after(LONGEST.min(*details.timeout.after));
        let listening = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: Arc::new(move |details: &ConnectionDetails| {
                let connection = run(details)?;
                Ok(Listening { connection, head: of_connection.clone(), end }.boxed())
            }),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.0.connect(&listening, chained).map_err(|error| match error {
            Error::Timeout(Timeout::Resolve) => error,
            Error::Timeout(_) => Error::Timeout(Timeout::Connect),
            Error::ConnectProxyFailed(reason) => {
                Error::ConnectProxyFailed(head.text().unwrap_or(reason))
            }
            other => other,
        })
    }
}

/// The head of the first response on a connection. The head ends with an empty line.
#[derive(Debug, Clone, Default)]
struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    const END: &[u8] = b"\r\n\r\n";

    /// Stores what was received so far, until the head is complete.
    fn receive(&self, input: &[u8]) {
        let mut head = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !head.ends_with(Head::END) {
            let end = input.windows(Head::END.len()).position(|part| part == Head::END);
            let end = end.map_or(input.len(), |start| start + Head::END.len());
            *head = input.get(..end).unwrap_or_default().to_vec();
        }
    }

    fn is_complete(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ends_with(Head::END)
    }

    /// The head as text; `None` if nothing was received.
    fn text(&self) -> Option<String> {
        let head = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!head.is_empty()).then(|| String::from_utf8_lossy(&head).into_owned())
    }
}

/// A connection that stores the head of the first response.
#[derive(Debug)]
struct Listening {
    connection: Box<dyn Transport>,
    head: Head,
    /// When the head must be complete.
    end: Deadline,
}

impl Transport for Listening {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.connection.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut timeout = timeout;
        if !self.head.is_complete() {
            timeout.after = timeout.after.min(self.end.until_end().into());
        }
        let progress = self.connection.await_input(timeout)?;
        self.head.receive(self.connection.buffers().input());
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}
