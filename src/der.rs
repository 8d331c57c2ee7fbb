//! DER, the encoding of keys, certificates and signatures. An element has a tag, a length and a
//! content, which may consist of further elements.
//!
//! The TLS library, ring and webpki read most of the DER that this program uses. This module reads
//! and writes the rest.
//! <https://www.itu.int/rec/T-REC-X.690>

use zeroize::Zeroizing;

/// The tag of a number.
pub const INTEGER: u8 = 0x02;
/// The tag of bytes.
pub const OCTET_STRING: u8 = 0x04;
/// The tag of a list.
pub const SEQUENCE: u8 = 0x30;

/// The element that names the curve P-256. <https://www.rfc-editor.org/rfc/rfc5480>
pub const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// The element that names the curve P-384. See [`P256`].
pub const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Reads the first element. Returns its tag, its content, and the bytes that follow it.
pub fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Encodes an element. The result is erased when it is dropped, because the content may be secret.
pub fn encoded(tag: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = (content.len() | 1).leading_zeros() as usize / 8;
    let length = content.len().to_be_bytes();
    let length = length.get(zeros..).unwrap_or_default();
    let form = [0x80 | length.len() as u8];
    // DER requires the shortest form of the length.
    let form: &[u8] = if content.len() < 0x80 { &[] } else { &form };
    Zeroizing::new([&[tag][..], form, length, content].concat())
}

/// Encodes a non-negative number: without leading zeros, except for one if the top bit would be
/// set.
pub fn number(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|digit| *digit >= 0x80) { &[0] } else { &[] };
    encoded(INTEGER, &[sign, digits].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positive_and_as_short_as_possible() {
        for (digits, der) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 1], &[2, 1, 1]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0, 0x80, 1], &[2, 3, 0, 0x80, 1]),
        ] {
            assert_eq!(number(digits).as_slice(), der);
        }
    }

    #[test]
    fn encoded_elements_are_read() {
        for (size, head) in [
            (0, &[0x30, 0][..]),
            (0x7f, &[0x30, 0x7f]),
            (0x80, &[0x30, 0x81, 0x80]),
            (300, &[0x30, 0x82, 1, 44]),
            (0x1_0000, &[0x30, 0x83, 1, 0, 0]),
        ] {
            let content = vec![5; size];
            let der = [encoded(SEQUENCE, &content).as_slice(), &[1]].concat();
            assert!(der.starts_with(head), "{size}");
            assert_eq!(element(&der), Some((SEQUENCE, &content[..], &[1][..])));
        }
    }

    #[test]
    fn broken_elements_are_refused() {
        for der in [&[][..], &[0x30], &[0x30, 0x81], &[0x30, 0x80], &[0x30, 0x84, 0, 0, 0, 0]] {
            assert_eq!(element(der), None, "{der:?}");
        }
        assert_eq!(element(&[0x30, 2, 0]), None);
    }
}
