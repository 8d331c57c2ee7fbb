//! Quoting of the commands in messages, which a user may paste into a shell.
//!
//! A word may come from a token or a path and contain anything. It is quoted if a shell would
//! interpret it, so that a pasted command does only what it shows.

use std::borrow::Cow;

/// A word for a POSIX shell, in quotes if necessary.
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
    fn a_word_is_quoted_if_a_shell_would_interpret_it() {
        for (word, expected) in [
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
            assert_eq!(quoted(word), expected.unwrap_or(word));
        }
    }
}
