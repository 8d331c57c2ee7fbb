//! The one HTTP agent: deadline, trust, proxies, no redirects, limits, and errors in plain words.
//!
//! A request that carries a credential must reach the host that was named and no other: redirects
//! are refused, plain http is only for loopback and link-local hosts (or the one of `--allow-http`),
//! and certificates are checked against the platform's trust store or `--ca-file`.

mod connector;
mod failure;
pub mod form;
mod proxy;
mod request;
mod response;
pub mod retry;
mod tls;
mod url;
#[cfg(any(windows, test))]
mod windows_proxy;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ureq::http::header::CONTENT_TYPE;
use ureq::http::request::Builder;
use ureq::http::{HeaderName, HeaderValue, Method};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, AsSendBody, Body, Proxy};

use self::connector::{Peer, TlsConnector};
pub use request::{Request, Text};
pub use response::Response;
pub use tls::{Authorities, ClientCert, Terms};
pub use url::Url;

use crate::context::{Clock, Deadline, Env};
use crate::error::{Error, Kind};
use crate::log::Log;
use crate::secret::Secret;

/// A file of certificate authorities to trust.
#[derive(Debug, Clone)]
pub struct CaFile {
    /// Where it is.
    pub path: PathBuf,
    /// The option or variable that named it, for messages.
    pub place: &'static str,
}

/// How long one request may last at most: a run that waits minutes for a person is not to spend them
/// on a dead network.
const LONGEST: Duration = Duration::from_secs(60);

/// How long a connection may lie idle and be used again: some servers close one after five seconds,
/// and a request that crosses with the close is lost.
const IDLE: Duration = Duration::from_secs(2);

/// What the options say about HTTP.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--ca-file`: trust these authorities instead of the platform's.
    pub ca_file: Option<CaFile>,
    /// `--allow-http`: the one host that plain http may go to.
    pub allow_http: Option<String>,
    /// `--offline`: send nothing.
    pub offline: bool,
}

/// What is said of a request that [`Settings::offline`] keeps back.
pub const OFFLINE: &str = "nothing is sent with --offline";

/// Sends requests. Connections are kept and used again for the same host.
#[derive(Debug)]
pub struct Http {
    settings: Settings,
    env: Env,
    clock: Clock,
    deadline: Deadline,
    terms: Arc<Terms>,
    /// The one proxy to go through, and what names it, whatever the variables say.
    proxy: Option<(Proxy, &'static str)>,
    agent: OnceLock<Agent>,
    peer: Peer,
    skew: OnceLock<i64>,
}

impl Http {
    /// An agent for one run; nothing is opened yet.
    pub fn new(settings: Settings, env: Env, clock: Clock, deadline: Deadline) -> Http {
        let (agent, peer, skew) = (OnceLock::new(), Peer::default(), OnceLock::new());
        let authorities = settings.ca_file.clone().map(Authorities::File);
        let terms = Arc::new(Terms { authorities, ..Terms::default() });
        Http { settings, env, clock, deadline, terms, proxy: None, agent, peer, skew }
    }

    /// Another agent that shows this certificate to every server that asks for one.
    pub fn with_client_cert(&self, client_cert: ClientCert) -> Http {
        self.with_terms(Terms { client_cert: Some(client_cert), ..Terms::default() })
    }

    /// Another agent that speaks TLS on these terms; where they name no authorities, those of
    /// `--ca-file` or of the platform count.
    pub fn with_terms(&self, terms: Terms) -> Http {
        let other = Http::new(self.settings.clone(), self.env.clone(), self.clock, self.deadline);
        let authorities = terms.authorities.or_else(|| self.terms.authorities.clone());
        Http { terms: Arc::new(Terms { authorities, ..terms }), ..other }
    }

    /// The same agent, going through this proxy to every host; `name` is what names it.
    ///
    /// # Errors
    /// `CONFIGURATION` where it is no proxy address.
    pub fn through_proxy(self, address: &str, name: &'static str) -> Result<Http, Error> {
        Ok(Http { proxy: Some((proxy::read(address, name)?, name)), ..self })
    }

    /// Another agent that trusts these authorities, unless `--ca-file` names others.
    pub fn with_ca_file(&self, ca_file: CaFile) -> Http {
        let mut settings = self.settings.clone();
        settings.ca_file.get_or_insert(ca_file);
        Http::new(settings, self.env.clone(), self.clock, self.deadline)
    }

    /// Another agent with settings and an environment of its own.
    pub fn with(&self, settings: Settings, env: Env) -> Http {
        let settings = Settings { offline: self.settings.offline || settings.offline, ..settings };
        Http::new(settings, env, self.clock, self.deadline)
    }

    /// Another agent with the same settings that has asked nobody yet, or sends nothing at all.
    pub fn anew(&self, offline: bool) -> Http {
        self.with(Settings { offline, ..self.settings.clone() }, self.env.clone())
    }

    /// How a request gets to an address and whom it trusts there, in words.
    pub fn route(&self, url: &Url) -> String {
        let way = match proxy::for_url(url, &self.env) {
            Ok(None) => "directly".to_owned(),
            Ok(Some((_, name))) => format!("through {name}"),
            Err(error) => error.what(),
        };
        let trust = match (&self.settings.ca_file, url.is_https()) {
            (_, false) => "without TLS".to_owned(),
            (Some(file), true) => format!("trusting {}", file.path.display()),
            (None, true) => "trusting the platform's authorities".to_owned(),
        };
        format!("{} {way}, {trust}", url.host())
    }

    /// The certificate of the server that was connected to last, as DER.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.peer.certificate().map(|certificate| certificate.to_vec())
    }

    /// How many seconds this host's clock is ahead of the first server that told its time.
    pub fn skew(&self) -> Option<i64> {
        self.skew.get().copied()
    }

    /// Sends a request and reads the answer, whatever its status, up to 1 MiB. After 429 and 5xx it
    /// is sent again, unless it is to be sent [once](Request::once).
    ///
    /// # Errors
    /// `CONFIGURATION` where the address, the trust or the proxy has to be changed, `DENIED` by a
    /// proxy, `UNREACHABLE` where no whole answer came, `PROTOCOL` where it is not HTTP or too long.
    pub fn send(&self, request: Request, log: &Log) -> Result<Response, Error> {
        let url = request.url;
        if self.settings.offline {
            return Err(Error::new(Kind::Configuration, OFFLINE));
        }
        self.refuse_plain_http(&request)?;
        let via = match &self.proxy {
            _ if request.direct => None,
            Some(proxy) => Some(proxy.clone()),
            None => proxy::for_url(url, &self.env)?,
        };
        let proxy_name = via.as_ref().map(|(_, name)| *name);
        let through = proxy_name.map(|name| format!(" through {name}")).unwrap_or_default();
        let secrets = request.secrets();
        let again = |response: &Response| !request.once && retry::is_passing(response.status);
        retry::ask(self.deadline, again, || {
            log.line(format!("{} {url}{through}", request.method));
            let proxy = via.as_ref().map(|(proxy, _)| proxy.clone());
            self.send_once(&request, proxy, proxy_name, &secrets, log)
        })
    }

    fn send_once(
        &self,
        request: &Request,
        proxy: Option<Proxy>,
        proxy_name: Option<&'static str>,
        secrets: &[Secret],
        log: &Log,
    ) -> Result<Response, Error> {
        let url = request.url;
        let result = self.exchange(request, proxy, secrets);
        let result = result.map_err(|failure| match failure {
            Failure::Ours(error) => error,
            Failure::Http(ureq::Error::Other(error)) if error.is::<Error>() => {
                error.downcast().map_or_else(|_| self.deadline.error(), |error| *error)
            }
            Failure::Http(error) => {
                failure::explain(&error, request, proxy_name, &self.terms, secrets)
            }
        });
        match &result {
            Ok(response) => {
                log.line(format!("answer {} from {url}", response.status));
                if let Some(date) = response.date {
                    self.skew.get_or_init(|| self.clock.now() - date);
                }
            }
            Err(error) => log.line(format!("no answer from {url}: {error}")),
        }
        result
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
        Err(Error::new(Kind::Configuration, format!("{url} would send a credential in the clear"))
            .hint(format!("use https in {}, or add --allow-http={host}", request.option)))
    }

    fn exchange(
        &self,
        request: &Request,
        proxy: Option<Proxy>,
        secrets: &[Secret],
    ) -> Result<Response, Failure> {
        if self.deadline.is_over() {
            return Err(Failure::Ours(self.deadline.error()));
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
        let limit = Some(request.limit.unwrap_or(LONGEST).min(self.deadline.remaining()));
        let agent = self.agent();
        let answer = match request.method == Method::GET {
            true => run(agent, call, (), limit, proxy),
            false => run(agent, call, request.content().as_slice(), limit, proxy),
        };
        Response::read(answer.map_err(Failure::Http)?, request, secrets).map_err(Failure::Http)
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| {
            let tls = TlsConnector::new(self.terms.clone(), self.peer.clone());
            let connectors =
                ().chain(ConnectProxyConnector::default())
                    .chain(TcpConnector::default())
                    .chain(tls);
            let config = Agent::config_builder()
                .proxy(None) // chosen for each address
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false)
                .max_idle_age(IDLE)
                .user_agent(concat!("wif-token/", env!("CARGO_PKG_VERSION")))
                .accept("*/*");
            Agent::with_parts(config.build(), connectors, DefaultResolver::default())
        })
    }
}

fn run(
    agent: &Agent,
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
        Error::new(Kind::Configuration, format!("the header {name:?} {what}"))
            .hint("a header is a name and one line of text")
    };
    let header_name = HeaderName::try_from(name).map_err(|_| wrong("has no proper name"))?;
    let mut header_value = HeaderValue::try_from(value.expose())
        .map_err(|_| wrong("has control characters in its value"))?;
    header_value.set_sensitive(matches!(value, Text::Secret(_)));
    Ok((header_name, header_value))
}

/// What to do about a clock that is so many seconds ahead.
pub fn wrong_clock(skew: i64) -> String {
    let side = if skew > 0 { "ahead" } else { "behind" };
    format!(
        "this host's clock is {} s {side}: set it (chronyc makestep, w32tm /resync)",
        skew.abs()
    )
}
