//! Form encoding. A space becomes `%20`, which all servers decode, even in client credentials (RFC
//! 6749, section 2.3.1). <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use percent_encoding::{PercentEncode, percent_decode_str, utf8_percent_encode};

use crate::redaction::UNRESERVED;

/// The content type of a form.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Encodes one name or value.
pub fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, UNRESERVED)
}

/// Encodes a form. The values may be secrets, so no intermediate copies of them are made.
pub fn encode<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let field =
        |(name, value)| ["&"].into_iter().chain(escape(name)).chain(["="]).chain(escape(value));
    fields.flat_map(field).skip(1).collect::<Vec<_>>().concat()
}

/// Decodes one name or value; `None` if a percent sign does not begin an escape, or if the result is
/// not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let is_escape = |part: &str| {
        part.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let is_valid = text.split('%').skip(1).all(is_escape);
    is_valid.then(|| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned()))?
}
