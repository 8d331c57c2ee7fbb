//! Which characters mean the same, and which belong together, in a text and in its encodings.

/// Which characters next to a match belong to the same value.
pub(super) type Around = Option<fn(u8) -> bool>;

/// How each character is reduced to one of those that mean the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// A server may replace a line break or another control character with a space, and a space
    /// with `+`. It may also change the case, for example of a name.
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

    /// Whether a character belongs to a value. Other characters, such as a line break, a comma or
    /// an invisible character, can separate the characters of a value.
    pub(super) fn contains(self, byte: u8) -> bool {
        match self {
            Form::Text | Form::Lower => byte.is_ascii_alphanumeric(),
            Form::Base64 => is_base64(byte),
        }
    }
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// Converts a character of base64url to base64.
pub(super) fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}
