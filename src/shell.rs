//! What a shell does with a word, and clients do not: it removes quotes and expands `~` and
//! variables.

use std::borrow::Cow;

/// A word for a POSIX shell, in quotes if the shell would interpret it. A word in a message may come
/// from a token or a path and contain anything; the pasted command does only what it shows.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+…".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// What a shell would expand in a word (`~`, `$NAME`, `${NAME}` or `%NAME%`), and its variable. A
/// word with spaces is a script for a shell, such as that of `sh -c`.
pub fn expansion(word: &str) -> Option<(String, String)> {
    if word.contains(' ') {
        return None;
    }
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    let home = [word, value].into_iter().filter_map(|text| text.strip_prefix('~'));
    if home.into_iter().any(|rest| rest.is_empty() || rest.starts_with(['/', '\\'])) {
        return Some(("~".to_owned(), "HOME".to_owned()));
    }
    dollar(word).or_else(|| percent(word))
}

fn dollar(word: &str) -> Option<(String, String)> {
    word.match_indices('$').find_map(|(at, _)| {
        let rest = word.get(at + 1..)?;
        let (braced, rest) = rest.strip_prefix('{').map_or((false, rest), |rest| (true, rest));
        let end = rest.find(|c: char| !is_name_character(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let text = match braced {
            true if after.starts_with('}') => format!("${{{name}}}"),
            true => return None,
            false => format!("${name}"),
        };
        // Other names may be part of a password.
        let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        (name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_upper))
            .then(|| (text, name.to_owned()))
    })
}

/// The variable between two percent signs. Percent-encoding begins with two hexadecimal digits.
fn percent(word: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = word.split('%').collect();
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    let name = inner.iter().find(|name| {
        let is_hex = |start: &str| start.bytes().all(|byte| byte.is_ascii_hexdigit());
        name.len() >= 3
            && name.chars().all(|c| is_name_character(c) || "()".contains(c))
            && !name.get(..2).is_some_and(is_hex)
    })?;
    Some((format!("%{name}%"), (*name).to_owned()))
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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

    #[test]
    fn shell_syntax_is_found_and_percent_encoding_is_not() {
        for (word, found) in [
            ("~/bin/wif-token", Some("~")),
            ("--path=~/t", Some("~")),
            ("$HOME/t", Some("$HOME")),
            ("--path=${HOME}/t", Some("${HOME}")),
            ("%USERPROFILE%/wif-token.exe", Some("%USERPROFILE%")),
            ("--path=%LOCALAPPDATA%/t", Some("%LOCALAPPDATA%")),
            ("%ProgramFiles(x86)%/t", Some("%ProgramFiles(x86)%")),
            ("--url=https://a/%E2%82%AC%20", None),
            ("--for=a~b", None),
            ("--price=5$", None),
            ("--password=pa$word", None),
            ("echo $TOKEN", None),
            ("${HOME", None),
            ("/usr/bin/x", None),
        ] {
            assert_eq!(expansion(word).map(|(text, _)| text).as_deref(), found, "{word}");
        }
    }
}
