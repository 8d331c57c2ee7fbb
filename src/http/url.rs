//! An http or https address, and the rules about the host in it.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// An absolute http or https address without credentials or fragment.
///
/// Displayed without its query, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    typed: String,
    uri: Uri,
    host: String,
}

impl Url {
    /// Reads an address. The error says what is taken instead and does not repeat it.
    pub fn parse(text: &str) -> Result<Url, String> {
        let wrong = || "takes an absolute https:// address".to_owned();
        if text.contains('#') {
            return Err("takes an address without a fragment".to_owned());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err("takes an address without user name and password".to_owned());
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !port.is_empty() && authority.port_u16().is_none() {
            return Err("takes an address whose port is 1 to 65535".to_owned());
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
            return Err(wrong());
        }
        let host = authority.host().to_ascii_lowercase();
        Ok(Url { typed: text.to_owned(), uri, host })
    }

    /// The address letter by letter as it was written, query included.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The address to send a request to.
    pub fn as_uri(&self) -> &Uri {
        &self.uri
    }

    /// The host in lower case; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Scheme, host and port, by which two addresses are of the same server.
    pub fn origin(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let usual = if self.is_https() { 443 } else { 80 };
        format!("{scheme}://{}:{}", self.host, self.uri.port_u16().unwrap_or(usual))
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether the host is on this machine or this link: plain http is fine and no proxy is used.
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

fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        // fd00:ec2::/32 is where AWS serves instances over IPv6.
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
    fn shows_no_query() {
        let url = Url::parse("https://Example.com:8443/a?secret=x").unwrap();
        assert_eq!(url.to_string(), "https://Example.com:8443/a");
        assert_eq!(url.host(), "example.com");
    }

    #[test]
    fn an_origin_has_its_port() {
        let origin = |text| Url::parse(text).unwrap().origin();
        assert_eq!(origin("https://A.example/x"), origin("https://a.example:443/y"));
        assert_eq!(origin("http://[::1]/x"), "http://[::1]:80");
        assert_ne!(origin("https://a.example/"), origin("https://a.example:8443/"));
        assert_ne!(origin("https://a.example/"), origin("http://a.example/"));
    }

    #[test]
    fn refuses_what_is_no_plain_address() {
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
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn knows_local_hosts_by_address_and_never_by_prefix() {
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
    fn knows_private_addresses() {
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
