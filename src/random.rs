//! Random numbers: ids of messages and assertions, and the jitter of retries.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Kind};

/// Random bytes.
///
/// # Errors
/// `INTERNAL` if the operating system returns none.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Error::new(Kind::Internal, "the operating system returned no random numbers")
    })?;
    Ok(bytes)
}

/// 128 random bits in hexadecimal.
///
/// # Errors
/// As [`bytes`].
pub fn hex() -> Result<String, Error> {
    Ok(bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A random UUID (RFC 9562, section 5.4).
///
/// # Errors
/// As [`bytes`].
pub fn uuid() -> Result<String, Error> {
    let bits = u128::from_be_bytes(bytes()?);
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
        assert_ne!(hex().unwrap(), hex().unwrap());
    }
}
