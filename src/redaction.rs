//! Removes secrets from the text of a server, in every encoding in which a server may repeat them.
//!
//! The text is searched as it is and after undoing percent-encoding, the escapes of JSON and the
//! entities of XML, each alone and up to three of them in any order. In each of these forms a secret
//! is found literally in upper or lower case, reversed, in hexadecimal, in base32, and in base64 or
//! base64url, also in lines or groups, encoded more than once, and as a part of something longer such
//! as `id:secret`. The beginning or end of a secret that was cut off is found too.

use std::collections::BTreeSet;

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine as _, alphabet};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Shorter secrets are not removed: they would also be found where they are not.
const SHORTEST: usize = 4;
/// A longer text is not searched and not shown.
const LONGEST: usize = 8 * 1024;

/// A shorter beginning or end of a secret is not removed. It says little about the secret, and it would
/// also be found where it is not.
const SHORTEST_PART: usize = 12;
/// The same for a part that may be words.
const SHORTEST_WORDS: usize = 20;
/// A shorter secret may be a word backwards.
const SHORTEST_REVERSED: usize = 8;

/// A shorter run of digits is not examined as something that was encoded more than once.
const SHORTEST_RUN: usize = 8;

/// Reads base64 with or without padding, and also a part of it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// All characters except the unreserved ones of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A byte of a form of the text, and the bytes of the text that it stands for.
type Unit = (u8, usize, usize);

/// The text with each secret replaced by `[secret]`.
pub(crate) fn remove(text: &str, secrets: &[&str]) -> String {
    if text.len() > LONGEST {
        return format!("(a text of {} bytes)", text.len());
    }
    let secrets: BTreeSet<String> = secrets.iter().flat_map(|secret| parts(secret)).collect();
    let needles: Vec<Needle> = secrets
        .iter()
        .filter(|secret| secret.len() >= SHORTEST)
        .flat_map(|secret| needles(secret))
        .collect();
    if needles.is_empty() {
        return text.to_owned();
    }
    let plain: Vec<Unit> = text.bytes().enumerate().map(|(at, byte)| (byte, at, at + 1)).collect();
    let mut hidden = vec![false; text.len()];
    search(plain, &needles, 3, &mut hidden);
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

/// What is secret in a value that was sent: the value; the credentials in the value of an
/// `Authorization` header; and of basic credentials the name and the password too.
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

/// How characters are reduced to one of those that mean the same.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// A line break or another control character may have become a space, and a space `+`. A server
    /// may change the case, for example of a name.
    Text,
    /// Hexadecimal and base32.
    Lower,
    /// Base64 and base64url.
    Base64,
}

impl Form {
    const ALL: [Form; 3] = [Form::Text, Form::Lower, Form::Base64];

    fn of(self, byte: u8) -> u8 {
        match self {
            Form::Text if byte.is_ascii_control() || byte == b'+' => b' ',
            Form::Text | Form::Lower => byte.to_ascii_lowercase(),
            Form::Base64 => standard(byte),
        }
    }
}

/// Something to search for.
struct Needle {
    bytes: Vec<u8>,
    /// What was applied to `bytes`.
    form: Form,
    /// The characters that belong to it on both sides, if it is a part of an encoded value.
    around: Around,
    /// The lengths of the shortest beginning and the shortest end that are found alone.
    parts: [usize; 2],
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

fn needles(secret: &str) -> Vec<Needle> {
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
fn base32(bytes: &[u8]) -> String {
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

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The character of base64 for one of base64url.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

/// Marks what the needles match, in this form of the text and in those that undo as many encodings as
/// `depth`.
fn search(units: Vec<Unit>, needles: &[Needle], depth: usize, hidden: &mut [bool]) {
    let (mut seen, mut forms) = (BTreeSet::new(), vec![units]);
    for depth in (0..=depth).rev() {
        forms.iter().for_each(|form| mark(form, needles, depth, hidden));
        let undone = forms.iter().filter(|_| depth > 0).flat_map(|form| {
            let decoded = [percent as Decode, json, xml].map(|decode| undo(form, decode));
            decoded.into_iter().filter(|decoded| decoded.len() < form.len())
        });
        // Different orders often lead to the same form.
        forms = undone.filter(|form| seen.insert(form.clone())).collect();
    }
}

/// Marks what the needles match in one form of the text, and in the content of its encoded runs.
fn mark(units: &[Unit], needles: &[Needle], depth: usize, hidden: &mut [bool]) {
    find_all(units, needles.iter().map(|needle| (needle, needle.around)), hidden);
    // MIME breaks base64 into lines, and hexadecimal digits are often in groups.
    let is_between = |byte: u8| matches!(byte, b' ' | b':') || byte.is_ascii_control();
    let joined: Vec<Unit> = units.iter().filter(|unit| !is_between(unit.0)).copied().collect();
    if joined.len() < units.len() {
        let encoded = needles.iter().filter(|needle| needle.around.is_some());
        find_all(&joined, encoded.map(|needle| (needle, None)), hidden);
    }
    if depth == 0 {
        return;
    }
    encoded_again(&joined, needles, depth, hidden);
    if joined.len() < units.len() {
        encoded_again(units, needles, depth, hidden);
    }
}

/// Marks the runs of base64 and hexadecimal digits whose content the needles match, which is what was
/// encoded more than once.
fn encoded_again(units: &[Unit], needles: &[Needle], depth: usize, hidden: &mut [bool]) {
    let is_digit = |byte: u8| is_base64(byte) && byte != b'=';
    for run in units.chunk_by(|one, next| is_digit(one.0) && is_digit(next.0)) {
        if run.len() < SHORTEST_RUN {
            continue;
        }
        let digits: Vec<u8> = run.iter().map(|unit| standard(unit.0)).collect();
        // What is before the encoded value may look like a part of it.
        let contents =
            (0..4).filter_map(|start| LENIENT.decode(whole(digits.get(start..)?, 4)).ok());
        let contents = contents.chain(bytes_of_hex(&digits));
        let is_secret = contents.into_iter().any(|content| {
            let units: Vec<Unit> =
                content.iter().enumerate().map(|(at, byte)| (*byte, at, at + 1)).collect();
            let mut found = vec![false; content.len()];
            search(units, needles, depth - 1, &mut found);
            found.contains(&true)
        });
        if is_secret {
            for (_, from, to) in run {
                hidden.iter_mut().take(*to).skip(*from).for_each(|byte| *byte = true);
            }
        }
    }
}

/// The digits without a last one that says nothing.
fn whole(digits: &[u8], size: usize) -> &[u8] {
    let length = if digits.len() % size == 1 { digits.len() - 1 } else { digits.len() };
    digits.get(..length).unwrap_or_default()
}

fn bytes_of_hex(digits: &[u8]) -> Option<Vec<u8>> {
    whole(digits, 2).chunks(2).map(|pair| u8::try_from(number(pair, 16)?).ok()).collect()
}

/// The characters that belong to a needle on both sides.
type Around = Option<fn(u8) -> bool>;

fn find_all<'a>(
    units: &[Unit],
    needles: impl Iterator<Item = (&'a Needle, Around)> + Clone,
    hidden: &mut [bool],
) {
    for form in Form::ALL {
        let text: Vec<u8> = units.iter().map(|unit| form.of(unit.0)).collect();
        for (needle, around) in needles.clone().filter(|(needle, _)| needle.form == form) {
            for (start, length) in found(&text, needle) {
                let is_around = |unit: &&Unit| around.is_some_and(|around| around(unit.0));
                let before = units.iter().take(start).rev().take_while(is_around).count();
                let after = units.iter().skip(start + length).take_while(is_around).count();
                let units = units.iter().skip(start - before).take(before + length + after);
                for (_, from, to) in units {
                    hidden.iter_mut().take(*to).skip(*from).for_each(|byte| *byte = true);
                }
            }
        }
    }
}

/// Where a needle is, or its beginning or end if that is long enough, and the length of that.
fn found(text: &[u8], needle: &Needle) -> Vec<(usize, usize)> {
    let (bytes, [beginning, end]) = (needle.bytes.as_slice(), needle.parts);
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Vec::new() };
    let mut found = Vec::new();
    let mut next = 0;
    for (at, byte) in text.iter().enumerate() {
        if byte == first && at >= next {
            let rest = text.get(at..).unwrap_or_default();
            let length = rest.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            if length >= beginning.min(bytes.len()) {
                let part = rest.get(..length).unwrap_or_default();
                let is_whole = length == bytes.len();
                let part = if is_whole { part } else { part.trim_ascii_end() };
                found.push((at, part.len()));
                next = if is_whole { at + length } else { next };
            }
        }
        if byte == last && end < bytes.len() {
            let until = text.get(..=at).unwrap_or_default().iter().rev();
            let pairs = until.zip(bytes.iter().rev());
            let length = pairs.take_while(|(one, other)| one == other).count();
            if (end..bytes.len()).contains(&length) {
                // What is after the scheme of a header begins with a space.
                let start = at + 1 - length;
                let part = text.get(start..=at).unwrap_or_default().trim_ascii_start();
                found.push((at + 1 - part.len(), part.len()));
            }
        }
    }
    found
}

/// The bytes that an encoded character at the start stands for, and its length.
type Decode = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

fn undo(units: &[Unit], decode: Decode) -> Vec<Unit> {
    let bytes: Vec<u8> = units.iter().map(|unit| unit.0).collect();
    let mut decoded = Vec::with_capacity(units.len());
    let mut at = 0;
    while let (Some(unit), Some(rest)) = (units.get(at), bytes.get(at..)) {
        match decode(rest) {
            Some((bytes, length)) => {
                let end = units.get(at + length - 1).map_or(unit.2, |last| last.2);
                decoded.extend(bytes.into_iter().map(|byte| (byte, unit.1, end)));
                at += length;
            }
            None => {
                decoded.push(*unit);
                at += 1;
            }
        }
    }
    decoded
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn character(code: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(code)?.to_string().into_bytes())
}

fn percent(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let code = number(text.strip_prefix(b"%")?.get(..2)?, 16)?;
    Some((vec![u8::try_from(code).ok()?], 3))
}

/// An escape of JSON, or of the string literals of most languages.
fn json(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let rest = text.strip_prefix(b"\\")?;
    let byte = match rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'x' => return Some((character(number(rest.get(1..3)?, 16)?)?, 4)),
        b'u' => {
            let high = number(rest.get(1..5)?, 16)?;
            let low = rest.get(5..11).and_then(|low| number(low.strip_prefix(b"\\u")?, 16));
            return match low {
                Some(low @ 0xdc00..=0xdfff) if (0xd800..0xdc00).contains(&high) => {
                    let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    Some((character(code)?, 12))
                }
                _ => Some((character(high)?, 6)),
            };
        }
        other @ (b'"' | b'\'' | b'\\' | b'/') => *other,
        _ => return None,
    };
    Some((vec![byte], 2))
}

fn xml(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let name = text.get(..end)?.strip_prefix(b"&")?;
    let bytes = match name {
        b"amp" => b"&".to_vec(),
        b"lt" => b"<".to_vec(),
        b"gt" => b">".to_vec(),
        b"quot" => b"\"".to_vec(),
        b"apos" => b"'".to_vec(),
        b"nbsp" => b" ".to_vec(),
        _ => {
            let digits = name.strip_prefix(b"#")?;
            match digits.strip_prefix(b"x").or(digits.strip_prefix(b"X")) {
                Some(digits) => character(number(digits, 16)?)?,
                None => character(number(digits, 10)?)?,
            }
        }
    };
    Some((bytes, end + 1))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn xml_of(text: &str) -> String {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('\'', "&#39;")
    }

    fn json_of(text: &str) -> String {
        serde_json::to_string(text).unwrap().trim_matches('"').to_owned()
    }

    fn ascii_json_of(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
    }

    /// Every encoding in which a server may repeat a secret.
    fn encodings(secret: &str) -> Vec<String> {
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let lower = percent.split('%').enumerate().map(|(index, part)| match index {
            0 => part.to_owned(),
            _ => format!("%{}{}", part[..2].to_lowercase(), &part[2..]),
        });
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut all = vec![
            secret.to_owned(),
            lower.collect(),
            percent.replace("%20", "+"),
            percent.clone(),
            json_of(secret),
            json_of(secret).replace('/', "\\/"),
            ascii_json_of(secret),
            xml_of(secret),
            hex.to_uppercase(),
            hex,
            json_of(&xml_of(secret)),
            xml_of(&json_of(secret)),
            utf8_percent_encode(&json_of(secret), NON_ALPHANUMERIC).to_string(),
        ];
        for text in [secret.to_owned(), format!("id:{secret}"), format!("{percent}:{percent}")] {
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                let encoded = engine.encode(&text);
                all.push(utf8_percent_encode(&encoded, NON_ALPHANUMERIC).to_string());
                all.push(format!("Basic {encoded}"));
            }
        }
        all
    }

    fn random_secret(seed: u64) -> String {
        const CHARACTERS: &[char] = &[
            'a', 'B', '7', '/', '+', '=', '%', '&', '<', '>', '"', '\'', '\\', ' ', '@', ':', 'é',
            '😀', '\n', '-', '_', '~', 'u', '0', ';', '#',
        ];
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        let length = 6 + next() % 30;
        format!(
            "x{}y",
            (0..length).map(|_| CHARACTERS[next() % CHARACTERS.len()]).collect::<String>()
        )
    }

    /// Encodings that are broken into lines or groups. What remains of one are characters at its
    /// ends that depend on other bytes too.
    #[test]
    fn nothing_long_remains_of_lines_and_groups() {
        for seed in 1..40 {
            let secret = random_secret(seed) + &random_secret(seed + 100);
            let percent = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
            for inner in [&secret, &percent] {
                let hex: Vec<String> = inner.bytes().map(|byte| format!("{byte:02x}")).collect();
                let base64 = STANDARD.encode(format!("id:{inner}")).into_bytes();
                let lines: Vec<&str> =
                    base64.chunks(19).map(|line| std::str::from_utf8(line).unwrap()).collect();
                let twice = utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string();
                for encoded in [
                    hex.join(":"),
                    hex.join(" ").to_uppercase(),
                    hex.concat(),
                    lines.join("\r\n"),
                    lines.join("\\n"),
                    lines.join(" "),
                    inner.to_ascii_uppercase(),
                    twice,
                ] {
                    let shown = remove(&format!("no <{encoded}> today"), &[&secret]);
                    let rest = shown.replace("[secret]", " ");
                    let longest = rest.split([' ', '\r', '\n', ':']).map(str::len).max();
                    assert!(longest < Some(10), "{secret:?}: {encoded:?}: {shown:?}");
                }
            }
        }
    }

    #[test]
    fn no_encoding_of_a_random_secret_remains() {
        for seed in 1..60 {
            let secret = random_secret(seed);
            let pair = format!("id:{}", utf8_percent_encode(&secret, NON_ALPHANUMERIC));
            let header = format!("Basic {}", STANDARD.encode(&pair));
            for encoded in encodings(&secret) {
                for sent in [vec![secret.as_str()], vec![header.as_str(), secret.as_str()]] {
                    let shown = remove(&format!("no <{encoded}> today"), &sent);
                    let rest = shown.replace("[secret]", "").replace("Basic", "");
                    assert!(
                        rest.len() <= "no <> today".len() + 3,
                        "{secret:?}: {encoded:?}: {shown:?}"
                    );
                }
            }
            let shown = remove(&format!("no {header}"), &[&header]);
            assert!(!shown.contains(header.trim_start_matches("Basic ")), "{shown}");
        }
    }

    #[test]
    fn other_text_and_short_secrets_remain() {
        assert_eq!(
            remove("the user abc is unknown %41 \\n &amp;", &["abc", "hunter22"]),
            "the user abc is unknown %41 \\n &amp;"
        );
        assert_eq!(remove("no hunter22, é", &["hunter22"]), "no [secret], é");
    }

    /// A server that cuts its text, and one that cuts the secret.
    #[test]
    fn the_beginning_or_end_of_a_secret_is_removed() {
        let secret = "Kx7~pQ2mZt/9Lw:4Vb8Rn1Hs6";
        let encode = |text: &str| {
            let percent = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pair = STANDARD.encode(format!("id:{text}"));
            [text.to_owned(), percent, xml_of(text), STANDARD.encode(text), pair]
        };
        for length in SHORTEST_PART..secret.len() {
            for part in [&secret[..length], &secret[secret.len() - length..]] {
                for encoded in encode(part) {
                    let shown = remove(&format!("no <{encoded}… today"), &[secret]);
                    assert_eq!(shown, "no <[secret]… today", "{part:?}: {encoded:?}");
                }
            }
        }
        for (text, secret) in [
            ("client-secret is wrong", "client-secret-of-my-app"),
            ("invalid_client: the client is unknown", "invalid_client_for_tests"),
            ("No such user: Service Account", "Service Account of the build"),
            ("the password must have digits", "the password of bob"),
            ("hunter2-clie is short", "hunter2-cli"),
        ] {
            let all =
                if text.contains(secret) { text.replace(secret, "[secret]") } else { text.into() };
            assert_eq!(remove(text, &[secret]), all);
        }
        assert_eq!(
            remove("not client-secret-of-my-a…", &["client-secret-of-my-app"]),
            "not [secret]…"
        );
        assert_eq!(remove("no Kx7~pQ2mZt9Lw", &["Bearer Kx7~pQ2mZt9Lw"]), "no [secret]");
    }

    #[test]
    fn base32_and_reversed_and_latin_1_are_removed() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(b""), "");
        for secret in ["Kx7~pQ2mZt/9Lw:4Vb8Rn1Hs6", "hunter22", "pässwörd-é"] {
            let reversed: String = secret.chars().rev().collect();
            let latin1: Vec<u8> = secret.chars().map(|c| c as u8).collect();
            let encoded = base32(secret.as_bytes());
            for text in [
                reversed,
                encoded.to_uppercase(),
                base32(format!("id:{secret}").as_bytes()).to_uppercase() + "===",
                percent_encoding::percent_encode(&latin1, NON_ALPHANUMERIC).to_string(),
                encoded,
            ] {
                let shown = remove(&format!("no <{text}> today"), &[secret]);
                assert_eq!(shown, "no <[secret]> today", "{text}");
            }
        }
        // A short secret backwards may be a word.
        assert_eq!(remove("no user", &["resu"]), "no user");
    }
}
