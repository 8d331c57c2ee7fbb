//! Random numbers: ids of messages and assertions, the jitter of retries, and expiry margins.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Kind};
use crate::hex;

/// Returns random bytes.
///
/// # Errors
/// `INTERNAL` if the operating system returns none.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_random_numbers())?;
    Ok(bytes)
}

/// The error if the operating system returns no random numbers.
pub fn no_random_numbers() -> Error {
    Error::new(Kind::Internal, "the operating system returned no random numbers")
        .fix("allow this process to get random numbers, on Linux with the system call getrandom")
}

/// Returns 128 random bits in hexadecimal.
///
/// # Errors
/// The errors of [`bytes`].
pub fn hex() -> Result<String, Error> {
    Ok(hex::hex(&bytes::<16>()?))
}

/// Returns a random UUID (RFC 9562, section 5.4).
///
/// # Errors
/// The errors of [`bytes`].
pub fn uuid() -> Result<String, Error> {
    let bits = u128::from_be_bytes(bytes()?);
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// Returns a random number from 0 to `most`, both included; `most` if the operating system returns
/// no random numbers.
pub fn up_to(most: i64) -> i64 {
    share(bytes().unwrap_or([u8::MAX; 4]), most)
}

/// Maps random bytes to a number from 0 to `most`, both included.
pub fn share(bytes: [u8; 4], most: i64) -> i64 {
    let share = i128::from(u32::from_be_bytes(bytes)) * (i128::from(most.max(0)) + 1);
    i64::try_from(share >> 32).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_reaches_both_ends() {
        for (bytes, share_of_nine) in [([0; 4], 0), ([0x80, 0, 0, 0], 5), ([0xff; 4], 9)] {
            assert_eq!(share(bytes, 9), share_of_nine);
        }
        assert_eq!((share([0xff; 4], 0), share([0xff; 4], -9)), (0, 0));
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
        assert_ne!(hex().unwrap(), hex().unwrap());
    }
}
