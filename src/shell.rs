//! What a shell does with a word and clients do not do: it removes quotes, and expands `~` and
//! variables.

use std::borrow::Cow;

/// Quotes a word if a POSIX shell would interpret it. A word in a message may come from a token or
/// a path and contain anything. With the quotes, a pasted command does only what the message shows.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+…".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// Finds what a shell would expand in a word (`~`, `$NAME`, `${NAME}` or `%NAME%`), and the name of
/// the variable. A word with spaces is not examined, because it may be a script, such as that of
/// `sh -c`.
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
        // A name with lower-case letters may be part of a password.
        let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        (name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_upper))
            .then(|| (text, name.to_owned()))
    })
}

/// Finds a variable between two percent signs. Two hexadecimal digits after a percent sign are
/// percent-encoding.
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

/// Undoes the changes of a word processor or a web page to a text. Returns the text and what was
/// changed first; `None` if nothing was.
pub fn without_typography(text: &str) -> Option<(String, &'static str)> {
    let (mut found, mut is_start) = (None, true);
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        let (what, replacement) = match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' if is_start => ("a dash in place of --", "--"),
            '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => ("typographic quotes", ""),
            '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => ("a no-break space", " "),
            '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => ("an invisible character", ""),
            _ => {
                plain.push(c);
                is_start = c == ' ' || is_start && c == '-';
                continue;
            }
        };
        is_start = replacement == " " || is_start;
        found.get_or_insert(what);
        plain.push_str(replacement);
    }
    let dashes = |word: &str| match word.trim_start_matches('-') {
        rest if word.starts_with("---") => format!("--{rest}"),
        _ => word.to_owned(),
    };
    let plain = plain.split(' ').map(dashes).collect::<Vec<_>>().join(" ");
    found.map(|what| (plain, what))
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
    fn typography_is_undone() {
        for (text, plain) in [
            ("a \u{2013}path=x", Some("a --path=x")),
            ("a -\u{2013}path=x-\u{2013}y", Some("a --path=x-\u{2013}y")),
            ("a \u{2014} b", Some("a -- b")),
            ("a --x=\u{201c}y\u{201d}", Some("a --x=y")),
            ("a\u{a0}--x", Some("a --x")),
            ("a --x\u{200b}", Some("a --x")),
            ("a --name=b\u{2013}c \u{e9}", None),
        ] {
            assert_eq!(without_typography(text).map(|found| found.0).as_deref(), plain, "{text}");
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
