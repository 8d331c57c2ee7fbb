//! Form encoding. A space becomes `%20`, which all servers decode, also in client credentials
//! (RFC 6749, section 2.3.1). <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// The content type of a form.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The characters that are encoded: all except the unreserved characters of RFC 3986.
const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes one name or value.
pub fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SET)
}

/// Encodes a form.
pub fn encode<'a, N: AsRef<str>>(fields: impl Iterator<Item = (N, &'a str)>) -> String {
    let field = |(name, value): (N, &str)| format!("{}={}", escape(name.as_ref()), escape(value));
    fields.map(field).collect::<Vec<_>>().join("&")
}
