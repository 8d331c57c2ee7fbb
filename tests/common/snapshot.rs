//! Compares an output with its snapshot, and rewrites the snapshot with `UPDATE=1`.

use std::path::Path;
use std::{env, fs};

use similar::TextDiff;

use super::placeholders::SLACK;

/// Compares a text with a file, or rewrites the file. The error is a diff.
pub fn check(path: &Path, actual: &str) -> Result<(), String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    let actual = settle(actual, &expected);
    if actual == expected {
        return Ok(());
    }
    if env::var_os("UPDATE").is_some_and(|value| value == "1") {
        return fs::write(path, actual).map_err(|why| why.to_string());
    }
    let diff = TextDiff::from_lines(&expected, &actual);
    let diff = diff.unified_diff().header("expected", "actual").to_string();
    Err(format!("{diff}if this is right: UPDATE=1 cargo test …, and review the diff\n"))
}

/// Takes `{now+N}` and `{time+N}` from the expected text if they differ by no more than a slow run
/// explains.
fn settle(actual: &str, expected: &str) -> String {
    let near = |line: &&str, actual: &str| {
        let (actual, expected) = (times(actual), times(line));
        actual.0 == expected.0
            && actual.1.iter().zip(&expected.1).all(|(a, b)| (a - b).abs() <= SLACK)
    };
    let settled = actual.split('\n').map(|line| match times(line).1.is_empty() {
        true => line,
        false => expected.split('\n').find(|other| near(other, line)).unwrap_or(line),
    });
    settled.collect::<Vec<_>>().join("\n")
}

/// A line without the numbers of its times, and the numbers.
fn times(line: &str) -> (String, Vec<i64>) {
    let (mut text, mut numbers, mut rest) = (String::new(), Vec::new(), line);
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        text.push('{');
        rest = after;
        for kind in ["now", "time"] {
            let inner = after.strip_prefix(kind).and_then(|after| after.split_once('}'));
            if let Some((number, tail)) = inner.and_then(|(n, tail)| Some((n.parse().ok()?, tail)))
            {
                text += kind;
                numbers.push(number);
                rest = tail;
            }
        }
    }
    (text + rest, numbers)
}
