//! Reads a request, with the headers that protect the server from web pages and proxies.
//!
//! A web page can make a browser send requests to any address, even to a name that resolves to the
//! loopback address (DNS rebinding). The page cannot add the header `Metadata-Flavor`, and `Host`
//! names the server of the page. A proxy adds `X-Forwarded-For`.
//! <https://cloud.google.com/compute/docs/metadata/querying-metadata#security>

use crate::http::form;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// The longest body of a request, in bytes. Newer clients send a certificate chain with a request for
/// a token.
const LONGEST_BODY: usize = 16 * 1024;

/// The maximum number of headers.
const MOST_HEADERS: usize = 64;

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// GET, HEAD or POST.
    pub(super) method: String,
    /// The host and port in the target, if it is a whole URL.
    pub(super) authority: Option<String>,
    /// The path without the query, decoded.
    pub(super) path: String,
    /// The query as it was sent, with its question mark; empty if there is none.
    pub(super) query_text: String,
    /// The parameters of the query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// The headers; names are in lower case.
    headers: Vec<(String, String)>,
    /// Whether the connection stays open after the response.
    pub(super) keeps_open: bool,
}

/// What the bytes of a connection contain so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The beginning of a request.
    Part,
    /// The head of a request whose client may wait for permission to send the body.
    Expecting,
    /// A complete request, and its length in bytes.
    Whole(Request, usize),
    /// Not a valid request. The status is that of the response.
    Wrong(u16),
}

impl Request {
    /// Reads the first request in these bytes.
    pub(super) fn read(bytes: &[u8]) -> Received {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let head = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
            Ok(httparse::Status::Partial) if bytes.len() <= LONGEST_HEAD => return Received::Part,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Received::Wrong(431),
            Err(_) => return Received::Wrong(400),
        };
        // A header that this server does not use, such as User-Agent, may have any bytes (RFC 9110,
        // section 5.5).
        let text = |value| String::from_utf8_lossy(value).trim().to_owned();
        let headers = parsed.headers.iter();
        let headers = headers.map(|it| (it.name.to_ascii_lowercase(), text(it.value))).collect();
        let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
        let (authority, target) = split_authority(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if authority.is_some() && path.is_empty() { "/" } else { path };
        let decoded = form::decode(path).filter(|path| path.starts_with('/'));
        let query_text = target.find('?').and_then(|at| target.get(at..)).unwrap_or_default();
        let (Some(path), Some(query)) = (decoded, parameters(query)) else {
            return Received::Wrong(400);
        };
        let is_http_11 = parsed.version == Some(1);
        let (method, query_text) = (method.to_owned(), query_text.to_owned());
        let authority = authority.map(str::to_owned);
        let mut request =
            Request { method, authority, path, query_text, query, headers, keeps_open: false };
        request.keeps_open = is_http_11 && !request.has_option("connection", "close");
        let expects = is_http_11 && request.has_option("expect", "100-continue");
        match request.body_length() {
            Err(status) => Received::Wrong(status),
            Ok(body) if bytes.len() < head + body => {
                if expects && bytes.len() == head {
                    Received::Expecting
                } else {
                    Received::Part
                }
            }
            Ok(body) => Received::Whole(request, head + body),
        }
    }

    /// The value of a header that is sent once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(found, _)| found == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value.as_str())
    }

    /// Whether a header is sent at all.
    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(found, _)| found == name)
    }

    /// Whether a header, which is a list, contains this option.
    fn has_option(&self, name: &str, option: &str) -> bool {
        let values = self.headers.iter().filter(|(found, _)| found == name);
        let mut options = values.flat_map(|(_, value)| value.split(','));
        options.any(|found| found.trim().eq_ignore_ascii_case(option))
    }

    /// The value of the first parameter with this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    fn body_length(&self) -> Result<usize, u16> {
        if self.has_header("transfer-encoding") {
            return Err(411);
        }
        if !self.has_header("content-length") {
            return Ok(0);
        }
        let length = self.header("content-length").filter(|value| {
            !value.is_empty() && value.len() < 10 && value.bytes().all(|byte| byte.is_ascii_digit())
        });
        match length.and_then(|value| value.parse().ok()) {
            Some(length) if length <= LONGEST_BODY => Ok(length),
            Some(_) => Err(413),
            None => Err(400),
        }
    }
}

/// Splits a request target into the authority and the rest. The target is usually a path, but a
/// client may send a whole URL, as it does to a proxy (RFC 9112, section 3.2.2).
fn split_authority(target: &str) -> (Option<&str>, &str) {
    match target.split_at_checked("http://".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http://") => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            (Some(authority), rest)
        }
        _ => (None, target),
    }
}

/// The parameters of a query.
fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((form::decode(name)?, form::decode(&value.replace('+', " "))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request {
        match Request::read(text.as_bytes()) {
            Received::Whole(request, length) if length == text.len() => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_read() {
        let request = whole(
            "GET /computeMetadata/v1/a%20b?scopes=x%2Cy,z&recursive HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n\r\n",
        );
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", "/computeMetadata/v1/a b")
        );
        assert_eq!(request.parameter("scopes"), Some("x,y,z"));
        assert_eq!(request.parameter("recursive"), Some(""));
        assert_eq!((request.header("host"), request.header("x")), (Some("a"), None));
        assert!(request.has_header("x") && request.keeps_open);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keeps_open);
        for options in ["close", "TE, Close", "TE\r\nConnection: close"] {
            let text = format!("GET / HTTP/1.1\r\nConnection: {options}\r\n\r\n");
            assert!(!whole(&text).keeps_open, "{options}");
        }
        whole("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    }

    #[test]
    fn an_invalid_request_is_refused_with_a_status() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(LONGEST_HEAD));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MOST_HEADERS + 1));
        for (text, status) in [
            (long.as_str(), 431),
            (&long[..LONGEST_HEAD + 1], 431),
            (many.as_str(), 431),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET a HTTP/1.1\r\n\r\n", 400),
            ("GET /%zz HTTP/1.1\r\n\r\n", 400),
            ("GET /%ff HTTP/1.1\r\n\r\n", 400),
            ("\x16\x03\x01", 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 16385\r\n\r\n", 413),
        ] {
            assert_eq!(Request::read(text.as_bytes()), Received::Wrong(status), "{text:?}");
        }
        for part in [
            "",
            "GET",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\na",
            "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
        ] {
            assert_eq!(Request::read(part.as_bytes()), Received::Part, "{part:?}");
        }
        let head = "POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
        assert_eq!(Request::read(head.as_bytes()), Received::Expecting);
    }

    #[test]
    fn a_target_can_be_a_whole_url() {
        for (target, authority, path, query) in [
            ("http://a:1/b?c=d", Some("a:1"), "/b", "?c=d"),
            ("HTTP://a", Some("a"), "/", ""),
            ("http://a?c", Some("a"), "/", "?c"),
            ("http:///b", Some(""), "/b", ""),
            ("/http://a/b", None, "/http://a/b", ""),
        ] {
            let request = whole(&format!("GET {target} HTTP/1.1\r\n\r\n"));
            let found = (request.authority.as_deref(), &*request.path, &*request.query_text);
            assert_eq!(found, (authority, path, query), "{target}");
        }
        for target in ["https://a/b", "a:1", "*", "http:/a"] {
            let text = format!("GET {target} HTTP/1.1\r\n\r\n");
            assert_eq!(Request::read(text.as_bytes()), Received::Wrong(400), "{target}");
        }
    }
}
