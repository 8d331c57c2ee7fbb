//! Removes secrets from the text of a server, in every encoding in which a server may repeat them.
//!
//! The text is searched as it is and after undoing percent-encoding, the escapes of JSON and other
//! string literals, the references of XML and HTML, and quoted-printable, each alone and up to
//! three of them in any order. In each of these forms a secret is found literally in upper or lower
//! case, reversed, in hexadecimal, in decimal, in base32, and in base64 or base64url, encoded more
//! than once, and as a part of something longer such as `id:secret`. A secret is also found if
//! other characters, such as line breaks, separate its characters. A long part of a secret is found
//! too.
//!
//! `needles.rs` and `parts.rs` create the needles to search for from a secret, and `search.rs`
//! finds them in every form of the text that `escapes.rs` creates.

mod escapes;
mod form;
mod needles;
mod parts;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use self::needles::Searched;
pub(crate) use self::needles::UNRESERVED;

/// The maximum length of a text that is searched and shown, in bytes.
const LONGEST: usize = 8 * 1024;

/// A byte of a form of the text, with the start and the end of the bytes of the text that it stands
/// for.
type Unit = (u8, usize, usize);

/// Replaces each secret in a text with `[secret]`.
pub(crate) fn remove(text: &str, secrets: &[&str]) -> String {
    if text.len() > LONGEST {
        return format!("(a text of {} bytes)", text.len());
    }
    let secrets: BTreeSet<String> = secrets.iter().flat_map(|secret| parts(secret)).collect();
    let needles = Searched::new(&secrets);
    if needles.is_empty() {
        return text.to_owned();
    }
    let plain: Vec<Unit> = text.bytes().enumerate().map(|(at, byte)| (byte, at, at + 1)).collect();
    let mut hidden = vec![false; text.len()];
    search::search(plain, &needles, 3, &mut hidden);
    let mut result = String::with_capacity(text.len());
    let mut before = false;
    for (at, c) in text.char_indices() {
        let is_hidden = hidden.iter().skip(at).take(c.len_utf8()).any(|hidden| *hidden);
        match (is_hidden, before) {
            (true, false) => result.push_str("[secret]"),
            (true, true) => {}
            (false, _) => result.push(c),
        }
        before = is_hidden;
    }
    result
}

/// The secrets in a value that was sent: the value, the credentials in the value of an
/// `Authorization` header, and the password in basic credentials.
fn parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned(), secret.trim().to_owned()];
    if let Some((scheme, rest)) = secret.split_once(' ') {
        if scheme.chars().all(|c| c.is_ascii_alphanumeric()) && !rest.contains(' ') {
            parts.push(rest.to_owned());
        }
        let pair = STANDARD.decode(rest).ok().and_then(|pair| String::from_utf8(pair).ok());
        if let Some((_, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            parts.push(password.to_owned());
            parts.push(percent_decode_str(password).decode_utf8_lossy().into_owned());
        }
    }
    parts
}
