//! Form encoding. A blank becomes `%20`, which every reader of forms and of client credentials
//! (RFC 6749, section 2.3.1) decodes. <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// The content type of a form.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// What stays as it is, beside letters and digits: the unreserved characters of RFC 3986.
const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One name or value.
pub fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SET)
}

/// A whole form.
pub fn encode<'a, N: AsRef<str>>(fields: impl Iterator<Item = (N, &'a str)>) -> String {
    let field = |(name, value): (N, &str)| format!("{}={}", escape(name.as_ref()), escape(value));
    fields.map(field).collect::<Vec<_>>().join("&")
}
