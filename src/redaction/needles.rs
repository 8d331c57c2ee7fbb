//! The needles to search for: a secret in every encoding of its characters.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::{Around, Form, is_base64};
use super::parts::Parts;
use crate::hex::hex;

/// Shorter secrets are not removed, because they would also match other text.
pub(super) const SHORTEST: usize = 4;

/// A shorter part of a secret is not removed. It says little about the secret, and would also match
/// other text.
pub(super) const SHORTEST_PART: usize = 12;
/// A shorter part that may be words is not removed.
const SHORTEST_WORDS: usize = 20;
/// A shorter secret is not searched for backwards or without separators: it could match a word, or
/// the beginnings of words.
const SHORTEST_REVERSED: usize = 8;

/// All characters except the unreserved ones of RFC 3986.
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A byte sequence to search for.
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    /// The form to which `bytes` were reduced.
    pub(super) form: Form,
    /// Which characters next to a match belong to the same value, if the needle is a part of an
    /// encoded value.
    pub(super) around: Around,
}

/// Needles and their parts.
#[derive(Default)]
pub(super) struct Needles {
    pub(super) whole: Vec<Needle>,
    /// The parts of all needles, by their form and length.
    pub(super) parts: BTreeMap<(Form, usize), Parts>,
}

impl Needles {
    /// Adds a secret in its original form.
    fn add_literal(&mut self, bytes: &[u8]) {
        let reduced = bytes.iter().map(|byte| Form::Text.of(*byte)).collect();
        self.whole.push(Needle { bytes: reduced, form: Form::Text, around: None });
    }

    /// Adds the parts of a secret in its original form. Of a structure, only the first and the last
    /// part are added, because the names in it are not secret.
    fn add_literal_parts(&mut self, bytes: &[u8], is_structure: bool) {
        // The text after the scheme of a header begins with a space, which is not a part of the
        // secret.
        let is_part = |part: &[u8]| part.trim_ascii().len() == part.len();
        for (length, may_have_words) in [(SHORTEST_PART, false), (SHORTEST_WORDS, true)] {
            let parts = self.parts(length, Form::Text, None);
            let is_part = |part: &[u8]| is_part(part) && (may_have_words || !may_be_words(part));
            if is_structure && bytes.len() >= length {
                let (first, last) = (bytes.get(..length), bytes.get(bytes.len() - length..));
                first.into_iter().chain(last).for_each(|part| parts.add(part, is_part));
            } else {
                parts.add(bytes, is_part);
            }
        }
    }

    /// Adds the digits of an encoded secret. Each digit stands for `bits` bits.
    fn add_digits(&mut self, digits: &str, bits: usize, form: Form, around: fn(u8) -> bool) {
        // The digits at the ends also depend on other bytes.
        let length = SHORTEST_PART * 8 / bits - 2;
        self.parts(length, form, Some(around)).add(digits.as_bytes(), |_| true);
        let bytes = digits.bytes().map(|digit| form.of(digit)).collect();
        self.whole.push(Needle { bytes, form, around: Some(around) });
    }

    /// Adds a secret in hexadecimal, decimal, base64 and base32.
    fn add_encoded(&mut self, secret: &str) {
        // The parts of basic credentials are first percent-encoded (RFC 6749, section 2.3.1).
        let encoded = [UNRESERVED, NON_ALPHANUMERIC].map(|set| utf8_percent_encode(secret, set));
        let [encoded, all_encoded] = encoded.map(|encoded| encoded.to_string());
        for inner in BTreeSet::from([secret, &encoded, &all_encoded]) {
            self.add_digits(&hex(inner.as_bytes()), 4, Form::Lower, is_hex);
            for before in 0..3 {
                let whole = STANDARD.encode([&vec![0; before], inner.as_bytes()].concat());
                if let Some(core) = core(&whole, before, inner.len(), 6) {
                    self.add_digits(core, 6, Form::Base64, is_base64);
                }
            }
        }
        let decimal: String = secret.bytes().map(|byte| byte.to_string()).collect();
        self.add_digits(&decimal, 3, Form::Lower, |byte| byte.is_ascii_digit());
        for before in 0..5 {
            let whole = base32(&[&vec![0; before], secret.as_bytes()].concat());
            if let Some(core) = core(&whole, before, secret.len(), 5) {
                self.add_digits(core, 5, Form::Lower, is_base32);
            }
        }
    }

    /// The parts of this length.
    fn parts(&mut self, length: usize, form: Form, around: Around) -> &mut Parts {
        self.parts.entry((form, length)).or_insert_with(|| Parts::new(form, length, around))
    }
}

/// The needles for all secrets.
pub(super) struct Searched {
    /// Searched for in the text as it is.
    pub(super) literal: Needles,
    /// Searched for in the letters and digits of the text.
    pub(super) bare: Needles,
    /// Searched for in the text, and in the characters of the text that belong to the needle's
    /// form, for example only its base64 characters.
    pub(super) encoded: Needles,
}

impl Searched {
    pub(super) fn new(secrets: &BTreeSet<String>) -> Searched {
        let [mut literal, mut bare, mut encoded] = [(); 3].map(|()| Needles::default());
        for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
            let is_structure = is_structure(secret);
            for text in literals(secret) {
                literal.add_literal(&text);
                literal.add_literal_parts(&text, is_structure);
                let shortest = if may_be_words(&text) { SHORTEST_WORDS } else { SHORTEST_REVERSED };
                let text = without_separators(&text);
                if text.len() >= shortest {
                    bare.add_literal(&text);
                }
                if text.len() >= shortest && !is_structure {
                    bare.add_literal_parts(&text, false);
                }
            }
            encoded.add_encoded(secret);
        }
        Searched { literal, bare, encoded }
    }

    /// Whether all secrets are too short.
    pub(super) fn is_empty(&self) -> bool {
        self.literal.whole.is_empty()
    }
}

/// Whether a secret is the body of a request, or a header with several words. The secrets in the
/// body or header are also searched for separately.
fn is_structure(secret: &str) -> bool {
    let is_form = |byte: u8| byte.is_ascii_alphanumeric() || b"%._*+~-=&".contains(&byte);
    // A signed request of AWS is percent-encoded JSON.
    secret.starts_with(['{', '<'])
        || secret.starts_with("%7B")
        || secret.contains(' ')
        || secret.contains('&')
            && secret.bytes().all(is_form)
            && secret.split('&').all(|pair| pair.contains('='))
}

/// Removes all characters except letters and digits. A letter after a separator becomes lower case,
/// because it may be the first letter of a word and not a capital in a random text.
fn without_separators(literal: &[u8]) -> Vec<u8> {
    let before = [b' '].iter().chain(literal);
    let pairs = literal.iter().zip(before);
    pairs
        .filter(|(byte, _)| Form::Text.contains(**byte))
        .map(|(byte, before)| match Form::Text.contains(*before) {
            true => *byte,
            false => byte.to_ascii_lowercase(),
        })
        .collect()
}

/// A secret as it is, backwards, and in Latin-1.
fn literals(secret: &str) -> Vec<Vec<u8>> {
    let mut literals = vec![secret.as_bytes().to_vec()];
    if secret.len() >= SHORTEST_REVERSED {
        literals.push(secret.chars().rev().collect::<String>().into_bytes());
    }
    let latin1: Option<Vec<u8>> = secret.chars().map(|c| u8::try_from(c).ok()).collect();
    literals.extend(latin1.filter(|_| !secret.is_ascii()));
    literals
}

/// The digits in `whole` that depend only on the `length` bytes after the first `before` bytes.
/// Each digit stands for `bits` bits.
fn core(whole: &str, before: usize, length: usize, bits: usize) -> Option<&str> {
    let (first, last) = ((before * 8).div_ceil(bits), (before + length) * 8 / bits);
    whole.get(first..last).filter(|core| core.len() >= SHORTEST)
}

/// Base32 without padding (RFC 4648, section 6).
pub(super) fn base32(bytes: &[u8]) -> String {
    let bit =
        |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    let digit =
        |index: usize| (0..5).fold(0, |digit, at| digit * 2 + u8::from(bit(index * 5 + at)));
    (0..(bytes.len() * 8).div_ceil(5))
        .map(|index| match digit(index) {
            letter @ ..26 => char::from(b'a' + letter),
            number => char::from(b'2' + number - 26),
        })
        .collect()
}

/// Whether a text may consist of words, such as `client-secret`. A random text contains digits,
/// capitals after lower-case letters, or other characters.
fn may_be_words(part: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphabetic() || b"-_./: ".contains(byte);
    let rises = |pair: &[u8]| matches!(pair, [b'a'..=b'z', b'A'..=b'Z']);
    part.iter().all(fits) && !part.windows(2).any(rises)
}

fn is_base32(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7' | b'=')
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}
