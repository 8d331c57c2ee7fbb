//! The responses of a metadata server.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::hex::hex;

/// The content types of values, as Google sends them.
pub(super) const TEXT: &str = "application/text";
pub(super) const JSON: &str = "application/json";

/// The content types of failures and of redirects.
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html";

/// A response.
#[derive(Clone)]
pub(super) struct Response {
    status: u16,
    content_type: &'static str,
    /// The URL to which the client is redirected.
    location: Option<String>,
    /// Whether the response has an `ETag` header.
    is_tagged: bool,
    /// The body, which may contain a token.
    body: Zeroizing<String>,
}

impl Response {
    /// Creates a response with a value that does not change while the server runs.
    pub(super) fn value(content_type: &'static str, body: String) -> Response {
        Response {
            status: 200,
            content_type,
            location: None,
            is_tagged: true,
            body: Zeroizing::new(body),
        }
    }

    /// Creates a response with a token.
    pub(super) fn token(content_type: &'static str, body: String) -> Response {
        Response { is_tagged: false, ..Response::value(content_type, body) }
    }

    /// Creates a redirect to `location`.
    pub(super) fn redirect(location: String) -> Response {
        let (location, body) = (Some(location), Zeroizing::default());
        Response { status: 301, content_type: HTML, location, is_tagged: false, body }
    }

    /// Creates a failure with one line of text, which clients show.
    pub(super) fn failure(status: u16, message: &str) -> Response {
        let body = Zeroizing::new(format!("{message}\n"));
        Response { status, content_type: PLAIN, location: None, is_tagged: false, body }
    }

    /// The value of the `ETag` header.
    pub(super) fn tag(&self) -> Option<String> {
        let hash = self.is_tagged.then(|| digest(&SHA256, self.body.as_bytes()))?;
        hash.as_ref().get(..8).map(hex)
    }

    /// The response as it is sent, without the body for a HEAD request.
    pub(super) fn bytes(&self, keeps_open: bool, is_head: bool) -> Zeroizing<Vec<u8>> {
        let reason = match self.status {
            200 => "OK",
            301 => "Moved Permanently",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            503 => "Service Unavailable",
            _ => "Error",
        };
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\nMetadata-Flavor: Google\r\nServer: Metadata Server for VM\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\nX-XSS-Protection: 0\r\n\
             X-Frame-Options: SAMEORIGIN\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some(location) = &self.location {
            let _ = write!(head, "Location: {location}\r\n");
        }
        if let Some(tag) = self.tag() {
            let _ = write!(head, "ETag: {tag}\r\n");
        }
        head.push_str(if keeps_open { "\r\n" } else { "Connection: close\r\n\r\n" });
        let mut bytes = head.into_bytes();
        if !is_head {
            bytes.extend(self.body.as_bytes());
        }
        Zeroizing::new(bytes)
    }
}
