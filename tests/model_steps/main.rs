//! The model of the cached file in `tests/model` has the steps of the program: each function of the
//! protocol makes exactly these calls, in this order, and each of them is a step of the model.
//!
//! If this test fails, change the model like the program, run `tests/model/run`, and correct the lists.

mod steps;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use steps::STEPS;

/// A file, a function in the file, and the calls in its body that are functions in this table or
/// steps of the model, in the order of the text.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("src/contract/destination.rs", "document", "obtain store"),
    ("src/cache/mod.rs", "obtain", "read read fetch_once read"),
    ("src/cache/mod.rs", "read", "read_trusted"),
    ("src/cache/mod.rs", "fetch_once", "lock read fetch share_failure remove_leftovers"),
    ("src/cache/lock.rs", "lock", "beside failure concerns is_recent"),
    ("src/lock.rs", "beside", "open_lock try_lock_exclusive remaining"),
    ("src/cache/failure.rs", "concerns", ""),
    ("src/cache/failure.rs", "is_recent", ""),
    ("src/files/mod.rs", "bytes", "note open"),
    ("src/cache/lock.rs", "share_failure", "write"),
    ("src/cache/lock.rs", "write", "set_len write_all"),
    ("src/contract/destination.rs", "store", "try_write write replace"),
    ("src/cache/mod.rs", "try_write", "write"),
    ("src/cache/mod.rs", "write", "replace"),
    ("src/cache/mod.rs", "replace", "replace"),
    ("src/files/replace.rs", "replace", "put"),
    ("src/files/replace.rs", "put", "temporary rename"),
    ("src/files/replace.rs", "temporary", "make_in write_all sync_all"),
    ("src/files/replace.rs", "rename", "persist"),
];

/// Calls that neither change what other runs see nor read what other runs change, and those that the
/// model does not distinguish from the step beside them. A pause is the time that passes.
const OTHERS: &str = "and_then are_unchanged as_bytes as_file as_file_mut as_os_str as_ref cause \
    clone contains directory display error expose failed file filter fix from_file inspect_err \
    into is_blank is_document is_file is_held is_in_use is_of_another_run is_ok is_ok_and is_ours \
    is_record is_some_and issued kind map_err map_or may_wait mistaken_path new none not_a_path \
    note_own note_stored now now_ms of ok_or_else other path path_beside prefix read_limited \
    record refuse register remembered require_replaceable rewind rfc3339 saturating_sub set_modified sleep \
    spread state suffix symlink_metadata temporary_prefix time to_file to_string usable_until \
    valid_until what without_margin";

/// Calls with the name of a step that are not steps: a function, and the call in it. The first
/// creates an error, the next reads the time before the wait, and the last follows a success, which
/// no later run remembers.
const NOT_STEPS: &[(&str, &str)] =
    &[("bytes", "failure"), ("lock", "remaining"), ("document", "note")];

#[test]
fn the_program_makes_the_steps_of_the_model() {
    let others: BTreeSet<&str> = OTHERS.split_whitespace().collect();
    let mut unused = others.clone();
    for (file, function, expected) in FUNCTIONS {
        let calls = calls(&body(file, function));
        unused.retain(|other| !calls.iter().any(|call| call == other));
        let is_step =
            |call: &&str| !others.contains(call) && !NOT_STEPS.contains(&(function, call));
        let steps: Vec<&str> = calls.iter().map(String::as_str).filter(is_step).collect();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(steps, expected, "{function} in {file}");
    }
    assert!(unused.is_empty(), "no function makes these calls: {unused:?}");
}

#[test]
fn the_program_has_exactly_the_steps_of_the_model() {
    let functions: BTreeSet<&str> = FUNCTIONS.iter().map(|(_, function, _)| *function).collect();
    let mut last = BTreeSet::new();
    for (_, function, calls) in FUNCTIONS {
        let calls = calls.split_whitespace().filter(|call| !functions.contains(call));
        last.extend(calls.map(|call| (*function, call)));
    }
    let steps: BTreeSet<(&str, &str)> =
        STEPS.iter().map(|step| step.split_once(' ').unwrap()).collect();
    assert_eq!(steps.difference(&last).next(), None, "the program does not make this step");
    assert_eq!(last.difference(&steps).next(), None, "the model does not make this step");
}

#[test]
fn the_parser_of_this_test_finds_calls() {
    let text =
        "let a = b.first(second::third(\"no()\")); // no()\n(self.fourth)(x)?; log.no(if (a) {})";
    assert_eq!(calls(text), ["first", "third", "fourth"]);
}

/// The body of a function, which ends with a brace below its first letter.
fn body(file: &str, function: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().skip_while(|line| !defines(line, function));
    let first = lines.next().unwrap_or_else(|| panic!("{file} has no function {function}"));
    let indent = &first[..first.len() - first.trim_start().len()];
    let lines =
        std::iter::once(first).chain(lines.take_while(|line| *line != format!("{indent}}}")));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split_once("{\n").unwrap().1.to_owned()
}

fn defines(line: &str, function: &str) -> bool {
    let after = line.split_once(&format!("fn {function}")).map(|(_, after)| after);
    after.is_some_and(|after| after.starts_with(['(', '<']))
}

/// The names of the functions and methods that a text calls, except the calls of the log.
fn calls(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| calls_of_line(&without_strings(line))).collect()
}

fn calls_of_line(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in code.match_indices('(') {
        let before = code[..at].trim_end_matches(')');
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let start = before.rfind(|c: char| !is_name(c)).map_or(0, |end| end + 1);
        let (path, name) = before.split_at(start);
        let is_keyword = ["", "if", "in", "match", "while", "return"].contains(&name);
        // Constructors begin with a capital letter.
        let is_part = path.ends_with(|c: char| c.is_alphanumeric());
        if !is_keyword && !is_part && !path.ends_with("log.") {
            found.push(name.to_owned());
        }
    }
    found
}

fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}
