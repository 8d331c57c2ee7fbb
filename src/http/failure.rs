//! Why there was no complete response: timeout, host name, connection, proxy, TLS or HTTP.

use std::io;

use ureq::Timeout;

use super::proxy::NamedProxy;
use super::socket_connector::Unresolved;
use super::tls::{self, Terms};
use super::{Request, proxy, proxy_refusal};
use crate::error::{Error, Kind};
use crate::files::LIMIT;

/// The error for a failed request. `proxy` is the proxy, if one was used.
pub(super) fn explain(
    error: &ureq::Error,
    request: &Request,
    proxy: Option<&NamedProxy>,
    terms: &Terms,
) -> Error {
    let (url, option) = (request.url, request.option);
    let host = url.host();
    if let Some(error) = tls::find(error) {
        return match proxy.filter(|proxy| proxy.uses_tls() && tls::is_without_tls(error)) {
            Some(NamedProxy { name, .. }) => {
                let what = format!("the proxy in {name} did not respond with TLS");
                let fix = format!("set {} to http://HOST:PORT", proxy::variable(name));
                Error::new(Kind::Configuration, what).fix(fix).local()
            }
            None => tls::explain(error, host, option, terms),
        };
    }
    if let (ureq::Error::ConnectProxyFailed(head), Some(proxy)) = (error, proxy) {
        return proxy_refusal::explain(head, request, proxy).local();
    }
    let via = proxy.map(|proxy| proxy.name);
    let unreachable = |what: String| Error::new(Kind::Unreachable, what);
    let check = format!("check {option}");
    if let (Some(name), true) = (via, never_connected(error)) {
        let or = proxy::or_bypass(name, &format!("add {host} to NO_PROXY"));
        return unreachable(format!("cannot connect to the proxy in {name}"))
            .cause(without_prefix(error))
            .fix(format!("check {name}{or}"))
            .local();
    }
    if is_unknown_host(error) {
        return unreachable(format!("the host name {host} cannot be resolved"))
            .fix(format!("check {option} and the DNS settings, or set HTTPS_PROXY"));
    }
    match error {
        ureq::Error::Timeout(stage) => timed_out(*stage, request, via),
        ureq::Error::BodyExceedsLimit(_) => {
            let limit = LIMIT / 1024 / 1024;
            Error::new(
                Kind::Protocol,
                format!("the response from {url} is larger than {limit} MiB"),
            )
            .fix(check)
        }
        ureq::Error::LargeResponseHeader(..) | ureq::Error::Protocol(_) => {
            Error::new(Kind::Protocol, format!("the response from {url} is not HTTP")).fix(check)
        }
        ureq::Error::Io(io) => interrupted(io, request, via),
        other => unreachable(format!("cannot communicate with {url}")).cause(other).fix(check),
    }
}

/// The error for a request that took too long. The server may have received the request, unless the
/// host name was not resolved or no connection was made.
fn timed_out(stage: Timeout, request: &Request, via: Option<&'static str>) -> Error {
    let (url, option) = (request.url, request.option);
    let host = url.host();
    let (what, check) = match (stage, via) {
        (Timeout::Resolve, Some(name)) => {
            (format!("the host name of the proxy in {name} was not resolved"), name)
        }
        (Timeout::Connect, Some(name)) => {
            (format!("the proxy in {name} did not connect to {host}"), name)
        }
        (_, Some(name)) => (format!("{url} did not respond through the proxy in {name}"), name),
        (Timeout::Resolve, None) => {
            (format!("the host name {host} was not resolved"), "the DNS settings")
        }
        (Timeout::Connect, None) => (format!("cannot connect to {url}"), option),
        (_, None) => (format!("{url} did not respond"), option),
    };
    let or = match (stage, via) {
        (_, Some(name)) => proxy::or_bypass(name, &format!("add {host} to NO_PROXY")),
        (Timeout::Resolve, None) => String::new(),
        _ => " and the network".to_owned(),
    };
    let error = Error::new(Kind::Unreachable, format!("{what} in time"))
        .fix(format!("check {check}{or}, or increase --timeout"));
    match stage {
        Timeout::Resolve | Timeout::Connect if via.is_some() => error.local(),
        Timeout::Resolve | Timeout::Connect => error,
        _ => error.lost(),
    }
}

/// The error for a connection that failed.
fn interrupted(io: &io::Error, request: &Request, via: Option<&'static str>) -> Error {
    let (url, option) = (request.url, request.option);
    let what = match io.kind() {
        io::ErrorKind::ConnectionRefused => "cannot connect to",
        io::ErrorKind::UnexpectedEof => "incomplete response from",
        io::ErrorKind::ConnectionReset => "connection reset by",
        _ => "cannot communicate with",
    };
    let fix = match via {
        Some(name) => format!("check {name} and {option}, or try again"),
        None => format!("check {option} and the network, or try again"),
    };
    let error = Error::new(Kind::Unreachable, format!("{what} {url}")).cause(io).fix(fix);
    match io.kind() {
        io::ErrorKind::ConnectionRefused => error,
        _ => error.lost(),
    }
}

/// The reason for a failure, without the name of its category.
fn without_prefix(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(io) => io.to_string(),
        ureq::Error::Other(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Whether no connection was made. If a proxy is used, this is the connection to the proxy.
fn never_connected(error: &ureq::Error) -> bool {
    let refused =
        matches!(error, ureq::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused);
    refused || is_unknown_host(error)
}

/// Whether a host name could not be resolved.
fn is_unknown_host(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Other(error) => error.is::<Unresolved>(),
        _ => false,
    }
}
