//! An http or https URL, and the kinds of hosts.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ureq::http::Uri;

use crate::shell::expansion;
use crate::show;

/// An absolute http or https URL without credentials or fragment.
///
/// It is displayed without its query, which may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    typed: String,
    uri: Uri,
    host: String,
}

impl Url {
    /// Parses a URL. The error continues the name of an option or member (`must be …`) and does not
    /// contain the value.
    pub fn parse(text: &str) -> Result<Url, String> {
        let wrong = || match text {
            _ if text.trim() != text => "must not begin or end with a space".to_owned(),
            _ if text.starts_with(['"', '\'']) => "must not be in quotation marks".to_owned(),
            _ if let Some((variable, _)) = expansion(text) => {
                format!("must be an absolute https:// URL, because nothing expands {variable}")
            }
            _ => "must be an absolute https:// URL".to_owned(),
        };
        // Without a scheme, the name of an account or a port would be read as a part of the host.
        if !text.contains("://") {
            return Err(wrong());
        }
        if let Some(placeholder) = placeholder(text) {
            return Err(format!("must not contain the placeholder {placeholder}"));
        }
        if text.contains('#') {
            return Err("must not have a fragment (#…)".to_owned());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user name or password".to_owned());
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let is_number = port.strip_prefix(':').is_some_and(|port| !port.starts_with('+'));
        if !port.is_empty() && (!is_number || matches!(authority.port_u16(), None | Some(0))) {
            return Err("must have a port from 1 to 65535".to_owned());
        }
        // Parsers disagree about where a host with other brackets ends (RFC 3986, section 3.2.2).
        let host = authority.host();
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains(['[', ']']),
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !is_host {
            return Err(wrong());
        }
        let host = host.to_ascii_lowercase();
        Ok(Url { typed: text.to_owned(), uri, host })
    }

    /// Parses the URL of an OpenID Connect issuer, which has no query (Discovery 1.0, section 3).
    ///
    /// The error has the same form as in [`Url::parse`].
    pub fn parse_issuer(text: &str) -> Result<Url, String> {
        let url = Url::parse(text)?;
        match url.has_query() {
            false => Ok(url),
            true => Err("must not have a query (?…)".to_owned()),
        }
    }

    /// Whether there is a query, even an empty one.
    pub fn has_query(&self) -> bool {
        self.uri.query().is_some()
    }

    /// Whether the URL contains a port.
    pub fn has_port(&self) -> bool {
        self.uri.port().is_some()
    }

    /// The URL exactly as it was written, including the query.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The URL as the type of the HTTP library.
    pub fn as_uri(&self) -> &Uri {
        &self.uri
    }

    /// The host in lower case. An IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Scheme, host and port, which identify a server.
    pub fn origin(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        format!("{scheme}://{}:{}", self.host, self.port())
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether the URL leads to a server at this loopback address.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        let is_host = match self.host().parse::<IpAddr>() {
            Ok(host) => host.to_canonical() == address.ip(),
            Err(_) => self.host() == "localhost",
        };
        is_host && self.port() == address.port()
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether the host is a loopback or link-local host. Plain http is allowed and no proxy is
    /// used.
    pub fn is_local(&self) -> bool {
        match self.host().parse() {
            Ok(address) => is_local(address),
            Err(_) => self.host() == "localhost",
        }
    }

    /// Whether the host is an address of a private network (RFC 1918, RFC 4193).
    pub fn is_private(&self) -> bool {
        match self.host().parse().map(|address: IpAddr| address.to_canonical()) {
            Ok(IpAddr::V4(v4)) => v4.is_private(),
            Ok(IpAddr::V6(v6)) => v6.is_unique_local(),
            Err(_) => false,
        }
    }
}

/// Finds a placeholder before the query: a word in braces or angle brackets, as in documentation
/// and templates. RFC 3986 does not allow these characters. `${NAME}` is a variable, not a
/// placeholder.
fn placeholder(text: &str) -> Option<&str> {
    let path = text.split(['?', '#']).next()?;
    let start = path.find(['{', '<'])?;
    if path.get(..start)?.ends_with('$') {
        return None;
    }
    let end = start + path.get(start..)?.find(['}', '>'])?;
    let end = end + usize::from(path.get(end + 1..).is_some_and(|rest| rest.starts_with('}')));
    let found = path.get(start..=end)?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    let name = found.trim_matches(['{', '}', '<', '>']);
    let is_name = !name.trim().is_empty() && name.len() <= 40 && name.chars().all(is_part);
    (is_name && show::content(name).is_none()).then_some(found)
}

fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        // AWS uses fd00:ec2::/32 for the endpoints of an instance over IPv6.
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unicast_link_local() || v6.segments()[..2] == [0xfd00, 0xec2]
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}{}", self.uri.scheme_str().unwrap_or(""), self.uri.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_not_displayed() {
        let url = Url::parse("https://Example.com:8443/a?secret=x").unwrap();
        assert_eq!(url.to_string(), "https://Example.com:8443/a");
        assert_eq!(url.host(), "example.com");
    }

    #[test]
    fn an_origin_includes_the_port() {
        let origin = |text| Url::parse(text).unwrap().origin();
        assert_eq!(origin("https://A.example/x"), origin("https://a.example:443/y"));
        assert_eq!(origin("http://[::1]/x"), "http://[::1]:80");
        assert_ne!(origin("https://a.example/"), origin("https://a.example:8443/"));
        assert_ne!(origin("https://a.example/"), origin("http://a.example/"));
    }

    #[test]
    fn invalid_urls_are_refused() {
        for text in [
            "",
            "example.com",
            "ftp://a/",
            "https://",
            "https://u:p@a/",
            "https://a/#b",
            "https://a:99999/",
            "https://[::1]:65536/",
            "https://a:/",
            "https://a:+443/",
            "https://a:0/",
            "https://[]/",
            "https://[a.example]/",
            "https://[127.0.0.1]/",
            "http://[localhost]:80/",
            "https://a[b:]:5/",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_url_is_described() {
        for (text, words) in [
            ("urn:idp", "must be an absolute https:// URL"),
            ("idp.example:8443/r", "must be an absolute https:// URL"),
            ("a@b.iam.gserviceaccount.com", "must be an absolute https:// URL"),
            (" https://a/", "begin or end with a space"),
            ("https://a/ ", "begin or end with a space"),
            ("\"https://a/\"", "quotation marks"),
            ("$ISSUER", "nothing expands $ISSUER"),
            ("https://${HOST}/", "nothing expands ${HOST}"),
            ("https://u@a/", "user name"),
            ("https://a/{tenant}/v2.0", "the placeholder {tenant}"),
            ("https://a/{{ tenant }}/x", "the placeholder {{ tenant }}"),
            ("https://<host>/x", "the placeholder <host>"),
        ] {
            assert!(Url::parse(text).unwrap_err().contains(words), "{text}");
        }
        assert!(Url::parse("https://a/$NAME").is_ok());
        assert!(Url::parse("https://a/?filter={name}").is_ok());
        let wrong = Url::parse("https://a/{ghp_hunter2}/").err();
        assert!(wrong.is_none_or(|why| !why.contains("hunter2")));
    }

    #[test]
    fn an_issuer_has_no_query() {
        assert!(Url::parse_issuer("https://idp.example/realms/r").is_ok());
        assert!(Url::parse_issuer("https://idp.example/realms/r?").is_err());
    }

    #[test]
    fn local_hosts_are_recognized_by_address() {
        for (text, local) in [
            ("http://127.0.0.1:8080/", true),
            ("http://127.9.9.9/", true),
            ("http://localhost/", true),
            ("http://LOCALHOST/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://169.254.169.254/", true),
            ("http://[fe80::1]/", true),
            ("http://[fd00:ec2::23]/", true),
            ("http://[fd00:ec3::23]/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("http://[::2]/", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_local(), local, "{text}");
        }
    }

    #[test]
    fn the_address_of_a_server_is_recognized() {
        let is_at =
            |text: &str, address: &str| Url::parse(text).unwrap().is_at(address.parse().unwrap());
        for text in [
            "http://127.0.0.1/t?a",
            "http://127.0.0.1:80",
            "http://127.0.0.1:0080",
            "http://LocalHost/",
            "http://[::ffff:127.0.0.1]/",
            "https://127.0.0.1:80/",
        ] {
            assert!(is_at(text, "127.0.0.1:80"), "{text}");
        }
        for text in ["http://127.0.0.1:8080/", "https://127.0.0.1/", "http://127.0.0.2/"] {
            assert!(!is_at(text, "127.0.0.1:80"), "{text}");
        }
        assert!(is_at("http://[0::1]:8080/", "[::1]:8080"));
    }

    #[test]
    fn private_addresses_are_recognized() {
        for (text, private) in [
            ("http://172.16.5.3:8081/", true),
            ("http://[fd00::1]/", true),
            ("http://172.32.0.1/", false),
            ("http://127.0.0.1/", false),
            ("http://10.example.com/", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_private(), private, "{text}");
        }
    }
}
