//! The request of a tool on standard input.

use std::io::{self, BufRead, Read, StdinLock};
use std::path::Path;

use crate::error::{Error, Kind};
use crate::files::{self, STDIN, Waiting};

/// The largest request, in bytes.
const LIMIT: usize = 64 * 1024;

/// Reads standard input to its end.
///
/// # Errors
/// `USAGE` if it is longer than 64 KiB, is not UTF-8, or contains control characters other than line
/// breaks and tabs.
pub(super) fn read() -> Result<String, Error> {
    parse(stdin())
}

/// Reads standard input to its end, without the other rules of [`read`]: some of the values that
/// git passes on come from a server. Invalid UTF-8 is replaced.
///
/// # Errors
/// `USAGE` if it is longer than 64 KiB.
pub(super) fn read_lossy() -> Result<String, Error> {
    limited(files::read_limited(stdin(), LIMIT))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Standard input, for a tool that writes one request on each line.
pub(super) fn stdin() -> impl BufRead {
    #[allow(clippy::disallowed_methods)] // the tool writes its request there
    Stdin(io::stdin().lock())
}

/// Standard input. A read counts as a wait only if the tool has not written its request yet.
struct Stdin(StdinLock<'static>);

impl Stdin {
    fn waiting(&self) -> Option<Waiting> {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now)) == Ok(1) {
                return None;
            }
        }
        Some(Waiting::new(Path::new(STDIN)))
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _waiting = self.waiting();
        self.0.read(buffer)
    }
}

impl BufRead for Stdin {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let _waiting = self.waiting();
        self.0.fill_buf()
    }

    fn consume(&mut self, read: usize) {
        self.0.consume(read);
    }
}

/// Reads the next line, including its line break; `None` at the end of the input. `begins` is
/// called when the first byte has arrived.
///
/// # Errors
/// The errors of [`read`]. After an error, the rest of the input cannot be read.
pub(super) fn line(
    mut input: impl BufRead,
    begins: impl FnOnce(),
) -> Result<Option<String>, Error> {
    if input.fill_buf().is_ok_and(<[u8]>::is_empty) {
        return Ok(None);
    }
    begins();
    let mut bytes = Vec::new();
    let read = input.take(LIMIT as u64 + 1).read_until(b'\n', &mut bytes);
    checked(read.map(|length| (length <= LIMIT).then_some(bytes))).map(Some)
}

fn parse(input: impl Read) -> Result<String, Error> {
    checked(files::read_limited(input, LIMIT))
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("standard input {what}")).fix(
        "configure the tool to run wif-token as its credential helper, or write a valid request",
    )
}

/// Returns the bytes of a request. In `bytes`, `None` means that the request is too long.
fn limited(bytes: io::Result<Option<Vec<u8>>>) -> Result<Vec<u8>, Error> {
    let bytes = bytes.map_err(|error| wrong("cannot be read").cause(error))?;
    bytes.ok_or_else(|| wrong("is longer than 64 KiB"))
}

/// Returns the text of a request, if it is valid.
fn checked(bytes: io::Result<Option<Vec<u8>>>) -> Result<String, Error> {
    let bytes = limited(bytes)?;
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
    fn a_request_is_short_text_without_control_characters() {
        assert_eq!(parse(&b"a\r\n\tb"[..]).unwrap(), "a\r\n\tb");
        assert_eq!(parse(&vec![b'a'; LIMIT][..]).unwrap().len(), LIMIT);
        for bad in [&b"a\0b"[..], b"\x1b[2J", b"\xff", &vec![b'a'; LIMIT + 1]] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn lines_are_read_one_by_one() {
        let mut input = &b"a\nb"[..];
        let mut begun = 0;
        let mut next = || line(&mut input, || begun += 1).unwrap();
        assert_eq!([next(), next(), next()], [Some("a\n".to_owned()), Some("b".to_owned()), None]);
        assert_eq!(begun, 2);
        assert!(line(&vec![b'a'; LIMIT + 1][..], || ()).is_err());
    }
}
