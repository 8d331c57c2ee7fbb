//! What is searched for: a secret in every encoding of its characters.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter secrets are not removed: they would also be found where they are not.
pub(super) const SHORTEST: usize = 4;

/// A shorter beginning or end of a secret is not removed. It says little about the secret, and it would
/// also be found where it is not.
pub(super) const SHORTEST_PART: usize = 12;
/// The same for a part that may be words.
const SHORTEST_WORDS: usize = 20;
/// A shorter secret may be a word backwards.
const SHORTEST_REVERSED: usize = 8;

/// All characters except the unreserved ones of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The characters that belong to a needle on both sides.
pub(super) type Around = Option<fn(u8) -> bool>;

/// How characters are reduced to one of those that mean the same.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// A line break or another control character may have become a space, and a space `+`. A server
    /// may change the case, for example of a name.
    Text,
    /// Hexadecimal and base32.
    Lower,
    /// Base64 and base64url.
    Base64,
}

impl Form {
    pub(super) const ALL: [Form; 3] = [Form::Text, Form::Lower, Form::Base64];

    pub(super) fn of(self, byte: u8) -> u8 {
        match self {
            Form::Text if byte.is_ascii_control() || byte == b'+' => b' ',
            Form::Text | Form::Lower => byte.to_ascii_lowercase(),
            Form::Base64 => standard(byte),
        }
    }
}

/// Something to search for.
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    /// What was applied to `bytes`.
    pub(super) form: Form,
    /// The characters that belong to it on both sides, if it is a part of an encoded value.
    pub(super) around: Around,
    /// The lengths of the shortest beginning and the shortest end that are found alone.
    pub(super) parts: [usize; 2],
}

impl Needle {
    fn literal(bytes: &[u8]) -> Needle {
        let first = bytes.get(..SHORTEST_PART).unwrap_or(bytes);
        let last = bytes.get(bytes.len().saturating_sub(SHORTEST_PART)..).unwrap_or(bytes);
        let shortest = |part| if may_be_words(part) { SHORTEST_WORDS } else { SHORTEST_PART };
        let parts = [shortest(first), shortest(last)];
        let bytes = bytes.iter().map(|byte| Form::Text.of(*byte)).collect();
        Needle { bytes, form: Form::Text, around: None, parts }
    }

    /// The digits of an encoding, each of which stands for this many bits.
    fn digits(digits: &str, bits: usize, form: Form, around: fn(u8) -> bool) -> Needle {
        // The digits at the ends also depend on other bytes.
        let parts = [SHORTEST_PART * 8 / bits - 2; 2];
        let bytes = digits.bytes().map(|digit| form.of(digit)).collect();
        Needle { bytes, form, around: Some(around), parts }
    }
}

/// The needles for one secret.
pub(super) fn of(secret: &str) -> Vec<Needle> {
    let mut needles = vec![Needle::literal(secret.as_bytes())];
    if secret.len() >= SHORTEST_REVERSED {
        let reversed: String = secret.chars().rev().collect();
        needles.push(Needle::literal(reversed.as_bytes()));
    }
    let latin1: Option<Vec<u8>> = secret.chars().map(|c| u8::try_from(c).ok()).collect();
    needles.extend(latin1.filter(|_| !secret.is_ascii()).map(|bytes| Needle::literal(&bytes)));
    // Basic credentials are percent-encoded before (RFC 6749, section 2.3.1).
    let encoded = [UNRESERVED, NON_ALPHANUMERIC].map(|set| utf8_percent_encode(secret, set));
    let [encoded, all_encoded] = encoded.map(|encoded| encoded.to_string());
    let inner = BTreeSet::from([secret, &encoded, &all_encoded]);
    needles.extend(inner.iter().map(|inner| {
        let hex: String = inner.bytes().map(|byte| format!("{byte:02x}")).collect();
        Needle::digits(&hex, 4, Form::Lower, is_hex)
    }));
    for (inner, before) in inner.iter().flat_map(|inner| (0..3).map(move |before| (inner, before)))
    {
        let whole = STANDARD.encode([&vec![0; before], inner.as_bytes()].concat());
        needles.extend(
            core(&whole, before, inner.len(), 6)
                .map(|core| Needle::digits(core, 6, Form::Base64, is_base64)),
        );
    }
    for before in 0..5 {
        let whole = base32(&[&vec![0; before], secret.as_bytes()].concat());
        needles.extend(
            core(&whole, before, secret.len(), 5)
                .map(|core| Needle::digits(core, 5, Form::Lower, is_base32)),
        );
    }
    needles
}

/// The digits that depend on these bytes only, wherever they are in what is encoded. Each digit
/// stands for this many bits.
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

/// Whether a text may consist of words, such as `client-secret`. In a random text there are digits,
/// capitals after small letters, or other characters.
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

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The character of base64 for one of base64url.
pub(super) fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}
