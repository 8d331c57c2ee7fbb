//! The one HTTP agent: deadline, trust, proxies, no redirects, limits, and errors in plain words.
//!
//! A request that carries a credential must reach the host that was named and no other: redirects
//! are refused, plain http is only for loopback and link-local hosts (or the one of `--allow-http`),
//! and certificates are checked against the platform's trust store or `--ca-file`.

mod proxy;
mod response;
mod tls;
mod url;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;

use ureq::http::{HeaderName, HeaderValue, Uri};
use ureq::tls::ClientCert;
use ureq::{Agent, Proxy};

pub use response::Response;
pub use tls::client_cert;
pub use url::Url;

use crate::context::{Deadline, Env};
use crate::error::{Error, Kind, server_words};
use crate::files::LIMIT;
use crate::log::Log;
use crate::secret::Secret;

/// What the options say about HTTP.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--ca-file`: trust these authorities instead of the platform's.
    pub ca_file: Option<PathBuf>,
    /// `--allow-http`: the one host that plain http may go to.
    pub allow_http: Option<String>,
}

/// Sends requests. Connections are kept and used again for the same host.
#[derive(Debug)]
pub struct Http {
    settings: Settings,
    env: Env,
    deadline: Deadline,
    client_cert: Option<ClientCert>,
    agent: OnceLock<Agent>,
}

/// A value that is sent: shown to nobody, and struck from the far end's words if it is secret.
#[derive(Debug, Clone)]
pub enum Text {
    /// What may be seen.
    Plain(String),
    /// What may not.
    Secret(Secret),
}

impl Text {
    fn expose(&self) -> &str {
        match self {
            Text::Plain(text) => text,
            Text::Secret(secret) => secret.expose(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Plain(text.to_owned())
    }
}

impl From<Secret> for Text {
    fn from(secret: Secret) -> Text {
        Text::Secret(secret)
    }
}

/// A GET, or with form fields a POST.
#[derive(Debug)]
pub struct Request<'a> {
    url: &'a Url,
    /// The option whose value chose the address, such as `--url`, for messages.
    option: &'static str,
    headers: Vec<(Cow<'a, str>, Text)>,
    form: Option<Vec<(Cow<'a, str>, Text)>>,
}

impl<'a> Request<'a> {
    /// A GET of `url`, which `option` led to.
    pub fn get(url: &'a Url, option: &'static str) -> Request<'a> {
        Request {
            url,
            option,
            headers: Vec::new(),
            form: None,
        }
    }

    /// A POST of a form to `url`, which `option` led to.
    pub fn post(url: &'a Url, option: &'static str) -> Request<'a> {
        Request {
            form: Some(Vec::new()),
            ..Request::get(url, option)
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a form field.
    pub fn field(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.form
            .get_or_insert_default()
            .push((name.into(), value.into()));
        self
    }

    fn secrets(&self) -> Vec<Secret> {
        let sent = self.headers.iter().chain(self.form.iter().flatten());
        sent.filter_map(|(_, text)| match text {
            Text::Secret(secret) => Some(secret.clone()),
            Text::Plain(_) => None,
        })
        .collect()
    }
}

impl Http {
    /// An agent for one run; nothing is opened yet.
    pub fn new(settings: Settings, env: Env, deadline: Deadline) -> Http {
        Http {
            settings,
            env,
            deadline,
            client_cert: None,
            agent: OnceLock::new(),
        }
    }

    /// Another agent that shows this certificate to every server that asks for one.
    pub fn with_client_cert(&self, client_cert: ClientCert) -> Http {
        Http {
            settings: self.settings.clone(),
            env: self.env.clone(),
            deadline: self.deadline,
            client_cert: Some(client_cert),
            agent: OnceLock::new(),
        }
    }

    /// Sends a request and reads the answer, whatever its status, up to 1 MiB.
    ///
    /// # Errors
    /// `CONFIGURATION` where the address, the trust or the proxy has to be changed, `DENIED` by a
    /// proxy, `UNREACHABLE` where no whole answer came, `PROTOCOL` where it is not HTTP or too long.
    pub fn send(&self, request: Request, log: &Log) -> Result<Response, Error> {
        let url = request.url;
        self.refuse_plain_http(&request)?;
        let via = proxy::for_url(url, &self.env)?;
        let proxy_variable = via.as_ref().map(|(_, name)| *name);
        let method = if request.form.is_some() {
            "POST"
        } else {
            "GET"
        };
        let through = proxy_variable
            .map(|name| format!(" through {name}"))
            .unwrap_or_default();
        log.line(format!("{method} {url}{through}"));

        let secrets = request.secrets();
        let result = self.exchange(&request, via.map(|(proxy, _)| proxy), &secrets);
        let result = result.map_err(|failure| match failure {
            Failure::Ours(error) => error,
            Failure::Http(error) => self.explain(&error, &request, proxy_variable, &secrets),
        });
        match &result {
            Ok(response) => log.line(format!("answer {} from {url}", response.status)),
            Err(error) => log.line(format!("no answer from {url}: {error}")),
        }
        result
    }

    fn refuse_plain_http(&self, request: &Request) -> Result<(), Error> {
        let url = request.url;
        let allowed = self.settings.allow_http.as_deref();
        if url.is_https()
            || url.is_local()
            || allowed.is_some_and(|h| h.eq_ignore_ascii_case(url.host()))
        {
            return Ok(());
        }
        let host = url.host();
        Err(Error::new(
            Kind::Configuration,
            format!("{url} would send a credential in the clear"),
        )
        .hint(format!(
            "use https in {}, or add --allow-http={host}",
            request.option
        )))
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
        let agent = self.agent()?;
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            headers.push(header(name, value)?);
        }
        let uri: &Uri = request.url.as_uri();
        let remaining = Some(self.deadline.remaining());
        let answer = match &request.form {
            Some(form) => {
                let mut call = agent
                    .post(uri)
                    .config()
                    .timeout_global(remaining)
                    .proxy(proxy)
                    .build();
                for (name, value) in headers {
                    call = call.header(name, value);
                }
                call.send_form(
                    form.iter()
                        .map(|(name, value)| (name.as_ref(), value.expose())),
                )
            }
            None => {
                let mut call = agent
                    .get(uri)
                    .config()
                    .timeout_global(remaining)
                    .proxy(proxy)
                    .build();
                for (name, value) in headers {
                    call = call.header(name, value);
                }
                call.call()
            }
        };
        Response::read(answer.map_err(Failure::Http)?, request, secrets).map_err(Failure::Http)
    }

    fn agent(&self) -> Result<&Agent, Error> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let config = Agent::config_builder()
            .tls_config(tls::config(
                self.settings.ca_file.as_deref(),
                self.client_cert.clone(),
            )?)
            .proxy(None) // chosen for each address
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("wif-token/", env!("CARGO_PKG_VERSION")))
            .accept("*/*");
        Ok(self.agent.get_or_init(|| config.build().new_agent()))
    }

    fn explain(
        &self,
        error: &ureq::Error,
        request: &Request,
        proxy: Option<&'static str>,
        secrets: &[Secret],
    ) -> Error {
        let (url, option) = (request.url, request.option);
        let host = url.host();
        if let Some(error) = tls::find(error) {
            return tls::explain(error, host, option, self.settings.ca_file.as_deref());
        }
        let unreachable = |what: String| Error::new(Kind::Unreachable, what);
        let check = format!("check {option}");
        if is_unknown_host(error) {
            return unreachable(format!("the host of {url} is unknown")).hint(format!(
                "check {option} and the name servers, or set HTTPS_PROXY"
            ));
        }
        match error {
            ureq::Error::Timeout(_) => unreachable(format!("no answer from {url} in time")).hint(
                format!("check {option} and the network, or raise --timeout"),
            ),
            ureq::Error::ConnectProxyFailed(reason) => refused_by_proxy(reason, url, proxy),
            ureq::Error::BodyExceedsLimit(_) => {
                let limit = LIMIT / 1024 / 1024;
                Error::new(
                    Kind::Protocol,
                    format!("the answer of {url} is larger than {limit} MiB"),
                )
                .hint(check)
            }
            ureq::Error::LargeResponseHeader(..) | ureq::Error::Protocol(_) => {
                Error::new(Kind::Protocol, format!("{url} does not answer in HTTP")).hint(check)
            }
            ureq::Error::Io(io) => {
                let what = match io.kind() {
                    std::io::ErrorKind::ConnectionRefused => "nothing listens at",
                    std::io::ErrorKind::UnexpectedEof => "the answer was cut off by",
                    std::io::ErrorKind::ConnectionReset => "the connection was cut by",
                    _ => "cannot talk to",
                };
                let hint = match proxy {
                    Some(name) => format!("check {name} and {option}, or try again"),
                    None => format!("check {option} and the network, or try again"),
                };
                unreachable(format!("{what} {url}")).cause(io).hint(hint)
            }
            other => {
                let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
                unreachable(format!("cannot talk to {url}"))
                    .cause(server_words(&other.to_string(), &secrets))
                    .hint(check)
            }
        }
    }
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

/// Whether a name could not be resolved: the standard library gives such errors no kind.
fn is_unknown_host(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Io(io) => io
            .to_string()
            .starts_with("failed to lookup address information"),
        _ => false,
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

/// A proxy's answer to CONNECT; `reason` ends with the status, as in `… responded 407/407`.
fn refused_by_proxy(reason: &str, url: &Url, variable: Option<&'static str>) -> Error {
    let variable = variable.unwrap_or("HTTPS_PROXY");
    let status = reason
        .rsplit('/')
        .next()
        .and_then(|status| status.parse::<u16>().ok());
    let host = url.host();
    match status {
        Some(407) => Error::new(
            Kind::Denied,
            format!("the proxy of {variable} wants a password"),
        )
        .cause(format!("status 407 for {host}"))
        .hint(format!("put http://USER:PASSWORD@HOST:PORT in {variable}")),
        Some(status @ 400..=499) => Error::new(
            Kind::Denied,
            format!("the proxy of {variable} refused {host}"),
        )
        .cause(format!("status {status}"))
        .hint(format!("allow {host} there, or add it to NO_PROXY")),
        status => {
            let cause = status.map_or("no answer".to_owned(), |status| format!("status {status}"));
            Error::new(
                Kind::Unreachable,
                format!("the proxy of {variable} cannot reach {host}"),
            )
            .cause(cause)
            .hint(format!("check {variable}, or add {host} to NO_PROXY"))
        }
    }
}
