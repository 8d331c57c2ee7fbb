//! What a shell would expand in a command, and clients do not.

/// What a shell would expand in a word (`~`, `$NAME`, `${NAME}` or `%NAME%`), and its variable. A
/// word with spaces is a script for a shell, such as that of `sh -c`.
pub(super) fn shell_syntax(word: &str) -> Option<(String, String)> {
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
            assert_eq!(shell_syntax(word).map(|(text, _)| text).as_deref(), found, "{word}");
        }
    }
}
