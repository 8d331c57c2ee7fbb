//! Undoes the escapes of percent-encoding, JSON and XML.

use super::Unit;

/// The bytes that an encoded character at the start stands for, and its length.
pub(super) type Decode = fn(&[u8]) -> Option<(Vec<u8>, usize)>;

/// The kinds of escapes.
pub(super) const ALL: [Decode; 3] = [percent, json, xml];

/// The text with all escapes of one kind undone.
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

/// The number that all of these digits form.
pub(super) fn number(digits: &[u8], radix: u32) -> Option<u32> {
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
