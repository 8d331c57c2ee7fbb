//! TLS as a connector of the HTTP agent. The connector also stores the certificate of the server,
//! because HTTP Negotiate binds a sign-on to that certificate (RFC 5929).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::tls::Terms;

/// The certificate of the server of the latest connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer(Arc<Mutex<Option<CertificateDer<'static>>>>);

impl Peer {
    /// The certificate, if the connection uses TLS.
    pub(super) fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, certificate: Option<CertificateDer<'static>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

/// Wraps a connection in TLS if the URL requires it.
#[derive(Debug)]
pub(super) struct TlsConnector {
    terms: Arc<Terms>,
    peer: Peer,
    /// Created for the first TLS connection, because loading a trust store takes time.
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConnector {
    pub(super) fn new(terms: Arc<Terms>, peer: Peer) -> TlsConnector {
        TlsConnector { terms, peer, config: OnceLock::new() }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let config = self.terms.config().map_err(|error| Error::Other(Box::new(error)))?;
        Ok(self.config.get_or_init(|| Arc::new(config)).clone())
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = match &self.terms.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host).map_err(|_| Error::HostNotFound)?,
        };
        let connection = ClientConnection::new(self.config()?, name)
            .map_err(|error| Error::Other(Box::new(error)))?;
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        let mut stream = StreamOwned::new(connection, socket);
        let handshake = stream.conn.complete_io(&mut stream.sock);
        handshake.map_err(|error| refusal(&mut stream, error))?;
        let chain = stream.conn.peer_certificates().unwrap_or_default();
        self.peer.set(chain.first().map(|certificate| certificate.clone().into_owned()));
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers: LazyBuffers::new(input, output), stream })))
    }
}

/// A connection with TLS.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: Stream,
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

type Stream = StreamOwned<ClientConnection, TransportAdapter>;

/// Replaces the error for a connection that the server closed with the alert that the server sent
/// before, if there is one. A server can refuse a client certificate while the rest of the
/// handshake or the request is still being sent.
fn refusal(stream: &mut Stream, error: io::Error) -> io::Error {
    let closed = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
    let Stream { conn, sock } = stream;
    while closed.contains(&error.kind()) && conn.read_tls(sock).is_ok_and(|length| length > 0) {
        if let Err(alert) = conn.process_new_packets() {
            return io::Error::other(alert);
        }
    }
    error
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let result = self.stream.write_all(output);
        Ok(result.map_err(|error| refusal(&mut self.stream, error))?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        // rustls first writes the data that an earlier call did not write.
        let read = self.stream.read(self.buffers.input_append_buf());
        let amount = read.map_err(|error| refusal(&mut self.stream, error))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
