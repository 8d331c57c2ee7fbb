//! Command lines for a person to type or paste: each word reads as it stands.
//!
//! What comes from a token or a path may hold anything. A word that a shell would take apart is
//! quoted, so that a command in a message does what it says and nothing else.

use std::borrow::Cow;

/// A word for a POSIX shell, in quotes where it needs them.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+…".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it() {
        for (word, typed) in [
            ("--member=principal://a.b/c_d/subject/repo:x/y@1", None),
            ("a b", Some("'a b'")),
            ("", Some("''")),
            ("auth0|1", Some("'auth0|1'")),
            ("x;rm -rf ~", Some("'x;rm -rf ~'")),
            ("$(id)", Some("'$(id)'")),
            ("o'clock", Some(r"'o'\''clock'")),
            ("{a,b}", Some("'{a,b}'")),
            ("[0]*", Some("'[0]*'")),
        ] {
            assert_eq!(quoted(word), typed.unwrap_or(word));
        }
    }
}
