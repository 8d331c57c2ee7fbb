//! The request of a tool on standard input.

use std::io::Read;

use crate::error::{Error, Kind};
use crate::files;

/// The largest request, in bytes.
const LIMIT: usize = 64 * 1024;

/// Reads standard input to its end.
///
/// # Errors
/// `USAGE` if it is longer than 64 KiB, is not UTF-8, or contains control characters other than line
/// breaks and tabs.
pub(super) fn read() -> Result<String, Error> {
    files::may_wait();
    #[allow(clippy::disallowed_methods)] // the tool writes its request there
    let input = std::io::stdin().lock();
    parse(input)
}

fn parse(input: impl Read) -> Result<String, Error> {
    let wrong = |what| {
        Error::new(Kind::Usage, format!("standard input {what}"))
            .fix("let the tool start wif-token, or write a request of its protocol")
    };
    let bytes =
        files::read_limited(input, LIMIT).map_err(|error| wrong("cannot be read").cause(error))?;
    let bytes = bytes.ok_or_else(|| wrong("is longer than 64 KiB"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match text.chars().all(is_allowed) {
        true => Ok(text),
        false => Err(wrong("contains control characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_limited_text() {
        assert_eq!(parse(&b"a\r\n\tb"[..]).unwrap(), "a\r\n\tb");
        assert_eq!(parse(&vec![b'a'; LIMIT][..]).unwrap().len(), LIMIT);
        for bad in [&b"a\0b"[..], b"\x1b[2J", b"\xff", &vec![b'a'; LIMIT + 1]] {
            assert!(parse(bad).is_err());
        }
    }
}
