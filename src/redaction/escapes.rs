//! Undoes the escapes of percent-encoding, JSON and other string literals, XML and HTML, and quoted-printable.

use super::Unit;

/// Decodes an escape at the start of a text. Returns the bytes that the escape stands for, and its
/// length.
pub(super) type Decode = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

/// The kinds of escapes.
pub(super) const ALL: [Decode; 4] = [percent, literal, xml, quoted_printable];

/// Undoes all escapes of one kind.
pub(super) fn undo(units: &[Unit], decode: Decode) -> Vec<Unit> {
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

/// The number that the digits form; `None` if one of them is not a digit.
pub(super) fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn character(code: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(code)?.to_string().into_bytes())
}

/// Decodes percent-encoding, also with `%u` and four digits, as `escape` of JavaScript writes it.
fn percent(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let rest = text.strip_prefix(b"%")?;
    if let Some(digits) = rest.strip_prefix(b"u") {
        return Some((character(number(digits.get(..4)?, 16)?)?, 6));
    }
    Some((vec![u8::try_from(number(rest.get(..2)?, 16)?).ok()?], 3))
}

/// Decodes an escape of JSON or of the string literals of most languages, or a number such as
/// `0x2f` in a list.
fn literal(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    if let Some(digits) = text.strip_prefix(b"0x") {
        return Some((character(number(digits.get(..2)?, 16)?)?, 4));
    }
    let rest = text.strip_prefix(b"\\")?;
    let byte = match rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'0'..=b'3' => return Some((character(number(rest.get(..3)?, 8)?)?, 4)),
        b'U' => return Some((character(number(rest.get(1..9)?, 16)?)?, 10)),
        b'u' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().take(10).position(|byte| *byte == b'}')?;
            return Some((character(number(rest.get(2..end)?, 16)?)?, end + 2));
        }
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

/// Decodes a reference of XML or HTML. Tags, and names that XML does not define, become a space:
/// they are used between the characters of a word, such as `<wbr>` and `&shy;`, or for punctuation.
fn xml(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    if text.starts_with(b"<") {
        let end = text.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b'>')?;
        let is_tag = |byte: &u8| byte.is_ascii_alphanumeric() || b"/ ".contains(byte);
        return text.get(1..end)?.iter().all(is_tag).then(|| (b" ".to_vec(), end + 1));
    }
    let rest = text.strip_prefix(b"&")?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let name = rest.split(|byte| !is_name(byte)).next()?;
    if let Some(digits) = name.strip_prefix(b"#") {
        return numeric(digits, rest);
    }
    let is_reference = !name.is_empty() && rest.get(name.len()) == Some(&b';');
    let byte = match name {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        _ => b' ',
    };
    (is_reference && name.len() < LONGEST_REFERENCE).then(|| (vec![byte], name.len() + 2))
}

/// A longer text is not decoded as a tag or a reference.
const LONGEST_REFERENCE: usize = 24;

/// Decodes a numeric reference, which ends with its last digit or the semicolon after it.
fn numeric(name: &[u8], rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let hex = name.strip_prefix(b"x").or(name.strip_prefix(b"X"));
    let digits = hex.unwrap_or(name);
    let is_digit =
        |byte: &u8| if hex.is_some() { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let length = digits.iter().take(LONGEST_REFERENCE).take_while(|byte| is_digit(byte)).count();
    let code = number(digits.get(..length)?, if hex.is_some() { 16 } else { 10 })?;
    let end = 1 + name.len() - digits.len() + length;
    let semicolon = usize::from(rest.get(end) == Some(&b';'));
    Some((character(code)?, 1 + end + semicolon))
}

/// Decodes an escape of quoted-printable, or removes a soft line break.
fn quoted_printable(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let rest = text.strip_prefix(b"=")?;
    let line_break = [&b"\r\n"[..], b"\n"].into_iter().find(|end| rest.starts_with(end));
    match line_break {
        Some(end) => Some((Vec::new(), 1 + end.len())),
        None => Some((vec![u8::try_from(number(rest.get(..2)?, 16)?).ok()?], 3)),
    }
}
