//! Splits the command line of `credential_process` into words, as botocore does: on Windows by the
//! rules of the C runtime, on other systems by the rules of Python's `shlex.split`, in which `#`
//! does not start a comment.
//! <https://docs.python.org/3/library/shlex.html#parsing-rules>,
//! <https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments>

/// Splits a command line into words; `None` if a quotation mark is not closed.
pub(super) fn split(command_line: &str, windows: bool) -> Option<Vec<String>> {
    match windows {
        true => split_on_windows(command_line),
        false => split_elsewhere(command_line),
    }
}

/// Words end at white space outside quotation marks. A backslash makes the next character part of
/// the word. Inside double quotation marks, it does so only before a double quotation mark or a
/// backslash. Inside single quotation marks, it is an ordinary character.
fn split_elsewhere(command_line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = command_line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (' ' | '\t' | '\r' | '\n', None) => words.extend(word.take()),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                let next = chars.next()?;
                let word = word.get_or_insert_default();
                if quote.is_some() && !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Words end at spaces and tabs outside double quotation marks. Backslashes are special only before
/// a quotation mark: each pair stands for one backslash, and a remaining backslash makes the
/// quotation mark part of the word.
fn split_on_windows(command_line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut backslashes = 0;
    for c in command_line.chars() {
        match c {
            '\\' => {
                backslashes += 1;
                continue;
            }
            '"' => {
                let word = word.get_or_insert_default();
                word.push_str(&"\\".repeat(backslashes / 2));
                match backslashes % 2 {
                    0 => quoted = !quoted,
                    _ => word.push('"'),
                }
            }
            _ => {
                if backslashes > 0 {
                    word.get_or_insert_default().push_str(&"\\".repeat(backslashes));
                }
                match c {
                    ' ' | '\t' if !quoted => words.extend(word.take()),
                    c => word.get_or_insert_default().push(c),
                }
            }
        }
        backslashes = 0;
    }
    if backslashes > 0 {
        word.get_or_insert_default().push_str(&"\\".repeat(backslashes));
    }
    words.extend(word);
    (!quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_command_lines_are_split_as_in_botocore() {
        for (command_line, words) in [
            (
                r"C:\Tools\aws-vault.exe exec -j dev",
                &[r"C:\Tools\aws-vault.exe", "exec", "-j", "dev"][..],
            ),
            (r#""C:\Program Files\a.exe" x"#, &[r"C:\Program Files\a.exe", "x"]),
            (r#"a "b c"d "" e\"#, &["a", "b cd", "", r"e\"]),
            (r#"a \"b\" \\"c d\\" e"#, &["a", "\"b\"", r"\c d\", "e"]),
            ("  a\t b  ", &["a", "b"]),
            ("a 'b c'", &["a", "'b", "c'"]),
        ] {
            assert_eq!(split(command_line, true).unwrap(), words, "{command_line}");
        }
        assert_eq!(split(r#"a "b"#, true), None);
    }

    #[test]
    fn other_command_lines_are_split_as_in_python_shlex() {
        for (command_line, words) in [
            (r"'C:\a b' c", &[r"C:\a b", "c"][..]),
            ("a #1 # b\r\nc", &["a", "#1", "#", "b", "c"]),
            (r#"a "b\$c\"d\\e" '\f'"#, &["a", r#"b\$c"d\e"#, r"\f"]),
            (r#"a\ b"c d"'e f' "" g\"#, &[][..]),
            (r#"a\ b"c d"'e f' "" ;"#, &["a bc de f", "", ";"]),
        ] {
            assert_eq!(split(command_line, false).unwrap_or_default(), words, "{command_line}");
        }
        assert_eq!(split(r#"a "b"#, false), None);
        assert_eq!(split("a 'b", false), None);
    }
}
