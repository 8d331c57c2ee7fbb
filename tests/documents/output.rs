//! Compares a console block with the output of its command.

/// Whether the block shows this output.
pub(crate) fn is_same(expected: &str, printed: &str) -> bool {
    is_shown(&timeless(expected), &timeless(printed))
}

/// Removes the parts of a text that differ between runs: times, keys, and lengths that depend on
/// them.
fn timeless(text: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let own = |word: &str| {
        let time = word.len() >= 20 && word.ends_with('Z') && word.contains('T');
        time || (is_number(word) && word.len() == 10) || (word.len() == 45 && word.starts_with('"'))
    };
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 0..words.len() {
            if own(words[at]) || (is_number(words[at]) && words.get(at + 1) == Some(&"bytes")) {
                words[at] = "…";
            }
        }
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// Whether the output is as expected, where a line `...` stands for any lines.
fn is_shown(expected: &str, shown: &str) -> bool {
    let mut parts = expected.split("...\n");
    let Some(mut rest) = shown.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        let found = if parts.peek().is_none() { rest.rfind(part) } else { rest.find(part) };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[test]
fn elided_lines_match_any_lines_and_times_are_ignored() {
    assert!(is_shown("a\n...\nd\n", "a\nb\nc\nd\n") && !is_shown("a\n...\nd\n", "a\nb\n"));
    assert!(!is_shown("a\n", "a\nb\n"));
    assert_eq!(
        timeless("until 2026-11-22T01:29:50Z, 465 bytes"),
        "until 2026-11-22T01:29:50Z, … bytes\n"
    );
}
