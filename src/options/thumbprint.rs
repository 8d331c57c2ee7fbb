//! The SHA-1 hash of a certificate. It selects a certificate in the Windows certificate store, or
//! identifies the server of Service Fabric.

use std::fmt;

/// The SHA-1 hash of a certificate, which identifies the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbprint([u8; 20]);

impl Thumbprint {
    /// How to find a thumbprint, for the fix of an error.
    pub const FIX: &str =
        r"list the thumbprints in PowerShell with dir Cert:\CurrentUser\My,Cert:\LocalMachine\My";

    /// Reads 40 hexadecimal digits. Ignores spaces, colons and the invisible left-to-right mark
    /// that the certificate dialog of Windows puts before the digits.
    pub fn parse(text: &str) -> Option<Thumbprint> {
        let shown = text.chars().filter(|c| !matches!(c, ' ' | ':' | '\u{200e}'));
        let digits = shown.map(|c| c.to_digit(16)).collect::<Option<Vec<u32>>>()?;
        let bytes = digits.chunks(2).map(|pair| match pair {
            [high, low] => u8::try_from(high << 4 | low).ok(),
            _ => None,
        });
        bytes.collect::<Option<Vec<u8>>>()?.try_into().ok().map(Thumbprint)
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_read_in_the_formats_of_windows() {
        let plain = "00112233445566778899AABBCCDDEEFF01234567";
        let shown = "\u{200e}00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff 01 23 45 67";
        for text in [plain, shown, &shown.replace(' ', ":"), &plain.to_lowercase()] {
            assert_eq!(Thumbprint::parse(text).unwrap().to_string(), plain, "{text}");
        }
        for text in ["", "0", plain.trim_end_matches('7'), &format!("{plain}00"), "CN=app", "é"] {
            assert_eq!(Thumbprint::parse(text), None, "{text}");
        }
    }
}
