//! The hosts that may get a token.
//!
//! A helper that answers for every host gives the token to anyone who can make the tool send a
//! request. Therefore the host of a request is parsed like a URL and compared exactly.

use std::net::IpAddr;

use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::grammar::is_label;
use crate::world::Log;

/// The hosts of Google for which a helper has tokens, and the hosts of `--allow-host`.
#[derive(Debug)]
pub(super) struct Hosts {
    patterns: &'static [&'static str],
    allowed: Vec<String>,
}

impl Hosts {
    /// Permits the hosts that match one of `patterns`, where a leading `*.` stands for one or more
    /// labels, and the hosts in `allowed`.
    ///
    /// # Errors
    /// `USAGE` if one of `allowed` is not a host.
    pub(super) fn new(
        patterns: &'static [&'static str],
        allowed: Vec<String>,
    ) -> Result<Hosts, Error> {
        let allowed: Vec<String> = allowed.iter().map(|name| name.to_ascii_lowercase()).collect();
        let is_address = |name: &str| name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_host = |name: &String| is_address(name) || name.split('.').all(is_label);
        match allowed.iter().all(is_host) {
            true => Ok(Hosts { patterns, allowed }),
            false => Err(Error::new(Kind::Usage, "--allow-host is not a host name or IP address")
                .fix(
                    "use a name without a scheme, port, path or wildcard, such as \
                      --allow-host=registry.example.com",
                )),
        }
    }

    /// The hosts in `--allow-host`, in lower case.
    pub(super) fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Whether a token may be sent to this URL, which is `None` if the request does not contain one.
    /// The log says why not, because the tool continues without credentials and shows nothing.
    pub(super) fn permit(&self, url: Option<&Url>, log: &Log) -> bool {
        let is_permitted = url.is_some_and(|url| self.contain(url));
        match url {
            None => log.line("no token: the request does not contain the URL of an HTTPS server"),
            Some(url) if !is_permitted => log.line(format!(
                "no token for {}: this helper provides tokens only for {} with https on port 443, \
                 and for the hosts in --allow-host",
                url.origin(),
                self.patterns.join(", "),
            )),
            Some(_) => {}
        }
        is_permitted
    }

    /// Whether a token may be sent to this URL. A host of Google must be reached through https on
    /// port 443. A host in `--allow-host` may have any port, and may use plain http if it is a
    /// loopback or link-local host.
    fn contain(&self, url: &Url) -> bool {
        let (host, port) = (url.host(), url.as_uri().port_u16());
        let is_google = url.is_https()
            && port.is_none_or(|port| port == 443)
            && self.patterns.iter().any(|pattern| matches(host, pattern));
        let is_allowed = (url.is_https() || url.is_local())
            && self.allowed.iter().any(|name| name.trim_matches(['[', ']']) == host);
        is_google || is_allowed
    }
}

/// The URL of a server. Without `https://`, `server` is a host and an optional port, followed by a
/// path only if `may_have_path` is true.
pub(super) fn url(server: &str, may_have_path: bool) -> Option<Url> {
    match server.contains("://") {
        true => Url::parse(server).ok(),
        false if may_have_path => Url::parse(&format!("https://{server}")).ok(),
        false => url_of(server),
    }
}

/// The URL of a server with the name `HOST` or `HOST:PORT`; `None` for any other text.
pub(super) fn url_of(server: &str) -> Option<Url> {
    let url = Url::parse(&format!("https://{server}")).ok()?;
    let is_whole = url.as_uri().authority().is_some_and(|authority| authority.as_str() == server);
    is_whole.then_some(url)
}

fn matches(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        None => host == pattern,
        Some(end) => host
            .strip_suffix(end)
            .is_some_and(|labels| !labels.is_empty() && labels.split('.').all(is_label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_exactly() {
        let allowed =
            vec!["Registry.example.com".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let hosts = Hosts::new(&["gcr.io", "*.pkg.dev"], allowed).unwrap();
        for url in [
            "https://gcr.io/",
            "https://GCR.io:443/v2/",
            "https://europe-docker.pkg.dev/v2/",
            "https://docker.us.rep.pkg.dev/",
            "https://registry.example.com:5000/",
            "http://127.0.0.1:5000/",
            "http://[::1]:5000/",
        ] {
            assert!(hosts.contain(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://gcr.io/",
            "https://gcr.io:8443/",
            "https://gcr.io./",
            "https://pkg.dev/",
            "https://.pkg.dev/",
            "https://xpkg.dev/",
            "https://a..pkg.dev/",
            "https://docker.pkg.dev.example.com/",
            "https://gcr.io.example.com/",
            "http://registry.example.com/",
            "https://example.com/",
            "https://127.0.0.2/",
        ] {
            assert!(Url::parse(url).is_ok_and(|url| !hosts.contain(&url)), "{url}");
        }
    }

    #[test]
    fn only_host_names_are_allowed() {
        for name in ["", "*", "*.example.com", "a:5000", "https://a", "a/b", "u@a", "a b", "a..b"] {
            assert!(Hosts::new(&[], vec![name.to_owned()]).is_err(), "{name}");
        }
    }
}
