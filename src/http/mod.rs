//! The HTTP agent: deadline, trust, proxies, limits, retries and error messages.
//!
//! A request may carry a credential, so it must only reach the host in its URL. Redirects are
//! refused. Plain http is only allowed for loopback and link-local hosts, the private address of an
//! endpoint that the platform announces, and the host of `--allow-http`. Certificates are verified
//! with the trust store of the platform or with `--ca-file`.

mod clocks;
mod distrust;
mod failure;
pub mod form;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod pin;
mod proxy;
mod proxy_connector;
mod proxy_refusal;
mod request;
mod response;
pub mod retry;
mod same_origin;
mod sent;
mod socket_connector;
mod tls;
mod tls_connector;
mod url;
mod verifier;
#[cfg(any(windows, test))]
mod windows_proxy;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ureq::http::header::CONTENT_TYPE;
use ureq::http::request::Builder;
use ureq::http::{HeaderName, HeaderValue, Method};
use ureq::unversioned::transport::Connector as _;
use ureq::{AsSendBody, Body, Proxy};

use self::clocks::Clocks;
use self::proxy_connector::ProxyConnector;
use self::sent::Sent;
use self::socket_connector::{Resolver, SocketConnector};
use self::tls_connector::{Peer, TlsConnector};
pub use clocks::{SET_CLOCK, TOLERATED_SKEW, wrong_clock};
pub use pin::Pin;
pub use proxy::NamedProxy;
pub use request::{Request, Text};
pub use response::Response;
pub use tls::{Authorities, CaFile, ClientCert, Terms, Unusable};
pub use url::Url;

use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::show;
use crate::world::World;

/// The maximum time for one request. A run that waits several minutes for a user must not spend
/// them on a network that does not respond.
const LONGEST: Duration = Duration::from_secs(60);

/// How long an idle connection can be reused. Some servers close a connection after five seconds,
/// and a request that is sent at this moment is lost.
const IDLE: Duration = Duration::from_secs(2);

/// How requests are sent.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The authorities to trust, and the client certificate.
    pub tls: Terms,
    /// `--allow-http`: the host for which plain http is allowed.
    pub allow_http: Option<String>,
    /// The proxy to use instead of those of the environment.
    pub proxy: Option<NamedProxy>,
    /// The Unix socket to which requests are sent instead of the host in the URL.
    pub unix_socket: Option<PathBuf>,
    /// Whether requests are refused (`--offline`).
    pub offline: bool,
    /// The address of the metadata server in this process. A request to this address would wait for
    /// itself.
    pub own: Option<SocketAddr>,
}

/// Sends requests, and reuses connections to the same host.
#[derive(Debug)]
pub struct Agent {
    world: World,
    settings: Settings,
    agent: OnceLock<ureq::Agent>,
    peer: Peer,
    clocks: Clocks,
    sent: Sent,
}

impl Agent {
    /// Creates an agent for `world`. It opens no connection yet.
    pub fn new(world: World, settings: Settings) -> Agent {
        Agent {
            world,
            settings,
            agent: OnceLock::new(),
            peer: Peer::default(),
            clocks: Clocks::default(),
            sent: Sent::default(),
        }
    }

    /// Creates a separate agent for `world` that shares the clocks and the sent secrets of this
    /// agent.
    pub fn narrowed(&self, world: World, settings: Settings) -> Agent {
        let (clocks, sent) = (self.clocks.clone(), self.sent.clone());
        Agent { clocks, sent, ..Agent::new(world, settings) }
    }

    /// The world of this agent.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The settings of this agent.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Describes how a request reaches a URL and which authorities it trusts, for reports.
    pub fn route(&self, url: &Url) -> String {
        let way = match proxy::for_url(url, &self.world.env) {
            Ok(None) => "directly".to_owned(),
            Ok(Some(NamedProxy { name, .. })) => format!("through {name}"),
            Err(error) => error.what(),
        };
        let trust = match (&self.settings.tls.authorities, url.is_https()) {
            (_, false) => "without TLS".to_owned(),
            (Some(authorities), true) => format!("trusting {}", authorities.place()),
            (None, true) => "trusting the certificate authorities of the platform".to_owned(),
        };
        format!("connects to {} {way}, {trust}", url.host())
    }

    /// The certificate of the server of the latest connection, DER-encoded.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.peer.certificate().map(|certificate| certificate.to_vec())
    }

    /// The servers that sent their time, the latest one last: the origin of each server, and the
    /// seconds by which this host's clock is ahead of the server's.
    pub fn clocks(&self) -> Vec<(String, i64)> {
        self.clocks.lock().clone()
    }

    /// The secrets of the latest requests, which must not appear in any message.
    pub fn sent(&self) -> Vec<Secret> {
        self.sent.with(Vec::new())
    }

    /// Sends a request and reads the response of any status, up to 1 MiB. After the status 429 or
    /// 5xx, the request is sent again, unless it must be sent only [once](Request::once).
    ///
    /// # Errors
    /// `CONFIGURATION` if the URL, the trust or the proxy must be changed, `DENIED` if a proxy
    /// refuses the request, `UNREACHABLE` if there is no complete response, `PROTOCOL` if the
    /// response is not HTTP or too long.
    pub fn send(&self, request: Request) -> Result<Response, Error> {
        let via = self.prepare(&request).map_err(Error::local)?;
        if self.settings.offline {
            return Err(Error::offline());
        }
        let of_proxy = via.as_ref().map(NamedProxy::secrets).unwrap_or_default();
        let secrets = self.sent.with(request.secrets().into_iter().chain(of_proxy).collect());
        let again = |response: &Response| !request.once && retry::is_passing(response.status);
        retry::ask(self.world.deadline, again, || self.send_once(&request, via.as_ref(), &secrets))
    }

    /// Checks everything that can be checked without the network, and chooses the proxy.
    fn prepare(&self, request: &Request) -> Result<Option<NamedProxy>, Error> {
        if self.agent.get().is_none() {
            self.settings.tls.require_authorities()?;
        }
        self.refuse_own_server(request)?;
        self.refuse_plain_http(request)?;
        match &self.settings.proxy {
            _ if request.direct => Ok(None),
            Some(proxy) => Ok(Some(proxy.clone())),
            None => proxy::for_url(request.url, &self.world.env),
        }
    }

    /// Checks that the proxy for a URL is valid.
    ///
    /// # Errors
    /// `CONFIGURATION` if it is not.
    pub fn require_valid_proxy(&self, url: &Url) -> Result<(), Error> {
        proxy::for_url(url, &self.world.env).map(drop)
    }

    fn send_once(
        &self,
        request: &Request,
        via: Option<&NamedProxy>,
        secrets: &[Secret],
    ) -> Result<Response, Error> {
        let (url, log, proxy_name) = (request.url, &self.world.log, via.map(|proxy| proxy.name));
        let through = proxy_name.map(|name| format!(" through {name}")).unwrap_or_default();
        log.line(format!("{} {url}{through}", request.method));
        let result = self.exchange(request, via.map(|via| via.proxy.clone()), secrets);
        let result = result.map_err(|failure| match failure {
            Failure::Ours(error) => error,
            Failure::Http(ureq::Error::Other(error)) if error.is::<Error>() => {
                error.downcast().map_or_else(|_| self.world.deadline.error(), |error| *error)
            }
            Failure::Http(error) => {
                failure::explain(&error, request, via, &self.settings.tls).hiding(secrets)
            }
        });
        match &result {
            Ok(response) => {
                log.line(format!("{url} responded with status {}", response.status));
                if let Some(date) = response.date {
                    self.clocks.record(url.origin(), self.world.clock.now() - date);
                }
            }
            Err(error) => log.line(format!("no response from {url}: {error}")),
        }
        result
    }

    fn refuse_own_server(&self, request: &Request) -> Result<(), Error> {
        let Request { url, option, .. } = request;
        match self.settings.own.is_some_and(|own| url.is_at(own)) {
            false => Ok(()),
            true => Err(Error::new(Kind::Configuration, format!("{url} is this metadata server"))
                .cause("it would wait for its own response")
                .fix(format!("set {option} to the server that issues the token"))),
        }
    }

    fn refuse_plain_http(&self, request: &Request) -> Result<(), Error> {
        let url = request.url;
        let allowed = self.settings.allow_http.as_deref();
        if url.is_https()
            || url.is_local()
            || request.direct && url.is_private()
            || allowed.is_some_and(|h| h.eq_ignore_ascii_case(url.host()))
        {
            return Ok(());
        }
        let host = url.host();
        Err(Error::new(
            Kind::Configuration,
            format!("plain http to {url} would expose a credential"),
        )
        .fix(format!("use an https URL in {}, or add --allow-http={host}", request.option)))
    }

    fn exchange(
        &self,
        request: &Request,
        proxy: Option<Proxy>,
        secrets: &[Secret],
    ) -> Result<Response, Failure> {
        if self.world.deadline.has_passed() {
            return Err(Failure::Ours(self.world.deadline.error()));
        }
        let mut call = ureq::http::Request::builder();
        call = call.method(request.method.clone()).uri(request.url.as_uri());
        if !request.form.is_empty() {
            call = call.header(CONTENT_TYPE, form::CONTENT_TYPE);
        }
        for (name, value) in &request.headers {
            let (name, value) = header(name, value)?;
            call = call.header(name, value);
        }
        let limit = Some(request.limit.unwrap_or(LONGEST).min(self.world.deadline.remaining()));
        let agent = self.agent();
        let response = match request.method == Method::GET {
            true => run(agent, call, (), limit, proxy),
            false => run(agent, call, request.content().as_slice(), limit, proxy),
        };
        Response::read(response.map_err(Failure::Http)?, request, secrets).map_err(Failure::Http)
    }

    fn agent(&self) -> &ureq::Agent {
        self.agent.get_or_init(|| {
            let tls = TlsConnector::new(Arc::new(self.settings.tls.clone()), self.peer.clone());
            let (deadline, unix) = (self.world.deadline, self.settings.unix_socket.clone());
            let resolver = Resolver { is_unneeded: unix.is_some() };
            let connectors =
                ().chain(ProxyConnector::default())
                    .chain(SocketConnector { deadline, unix })
                    .chain(tls);
            let config = ureq::Agent::config_builder()
                .proxy(None) // chosen for each request
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false)
                .max_idle_age(IDLE)
                .user_agent(concat!("wif-token/", env!("CARGO_PKG_VERSION")))
                .accept("*/*");
            let agent = ureq::Agent::with_parts(config.build(), connectors, resolver);
            #[cfg(feature = "fuzzing")]
            let agent = fuzzing::without_network(&agent);
            agent
        })
    }
}

fn run(
    agent: &ureq::Agent,
    call: Builder,
    body: impl AsSendBody,
    limit: Option<Duration>,
    proxy: Option<Proxy>,
) -> Result<ureq::http::Response<Body>, ureq::Error> {
    let call = agent.configure_request(call.body(body)?).timeout_global(limit).proxy(proxy);
    agent.run(call.build())
}

enum Failure {
    Ours(Error),
    Http(ureq::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Ours(error)
    }
}

fn header(name: &str, value: &Text) -> Result<(HeaderName, HeaderValue), Error> {
    let wrong = |what| {
        Error::new(Kind::Configuration, format!("the header {:?} {what}", show::value(name)))
            .fix("use a valid header name and a value on one line")
    };
    let header_name = HeaderName::try_from(name).map_err(|_| wrong("has an invalid name"))?;
    let mut header_value = HeaderValue::try_from(value.expose())
        .map_err(|_| wrong("has control characters in its value"))?;
    header_value.set_sensitive(matches!(value, Text::Secret(_)));
    Ok((header_name, header_value))
}
