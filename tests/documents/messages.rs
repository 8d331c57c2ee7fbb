//! The messages that troubleshooting tables quote: each is in the program, or in a list of foreign messages.

use std::fs;
use std::path::Path;

use super::pages::{Page, root};

/// The beginning of a message of Google, another server or a client, or another distinctive part.
const FOREIGN: [&str; 36] = [
    "The audience in ID Token",
    "issuer in ID Token",
    "The given credential is rejected",
    "The size of mapped attribute exceeds",
    "is stale to sign-in",
    "Identity not found",
    "Unable to load the proper Managed Identity",
    "Request is prohibited by organization's policy",
    "Error connecting to the given credential",
    "Permission 'iam.",
    "AADSTS",
    "MSIS",
    "HTTP/",
    "access_denied",
    "denied: ",
    "error getting credentials - err: exec",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "sealed",
    "JSONDecodeError",
    "gcloud crashed",
    "exit status",
    "exit code 6",
    "Executables need to be explicitly allowed",
    "timed out",
    "sha256sum: ",
    "curl: ",
    "Failed to get credentials for",
    "You must be logged in to the server",
    "executable wif-token not found",
    "interactiveMode must be specified",
    "plugin is configured to use API version",
    "0x",
];

/// The messages that a page quotes and that are unknown.
pub(crate) fn unknown(page: &Page, spoken: &[String]) -> Vec<String> {
    let unknown = page.messages.iter().filter(|(_, quoted)| !is_known(quoted, spoken));
    unknown
        .map(|(line, quoted)| format!("{}:{line}: no message is {quoted:?}", page.name))
        .collect()
}

/// Whether a quoted message is known. It is a line with `…` for the parts that vary; each other
/// part must occur in a message of the program.
fn is_known(quoted: &str, spoken: &[String]) -> bool {
    if FOREIGN.iter().any(|part| quoted.contains(part)) {
        return true;
    }
    let parts = quoted.split(|c: char| c == '…' || c.is_ascii_digit());
    let parts = parts.map(|part| part.trim_matches([' ', ':', ';', ',', '.']));
    let is_said = |part: &str| {
        spoken.iter().any(|piece| piece.contains(part) || part.contains(piece.as_str()))
    };
    parts.filter(|part| part.len() > 3).all(is_said)
}

/// All messages of the program: the string literals in its sources, split at placeholders.
pub(crate) fn spoken() -> Vec<String> {
    let mut literals = Vec::new();
    sources(&root().join("src"), &mut literals);
    let pieces = literals.iter().flat_map(|text| text.split(['{', '}']).step_by(2));
    let pieces = pieces.map(|piece| piece.trim_matches([' ', ':', ';', ',']).to_owned());
    pieces.filter(|piece| piece.len() > 8 && piece.contains(' ')).collect()
}

fn sources(folder: &Path, literals: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, literals),
            false => literals.extend(strings(&fs::read_to_string(path).unwrap())),
        }
    }
}

/// The text of the string literals in a Rust source.
fn strings(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find(['"', '/', '\'']) {
        let (before, at) = rest.split_at(start);
        let raw_end = before.ends_with("r#").then_some("\"#");
        let raw_end = raw_end.or(before.ends_with('r').then_some("\""));
        rest = if at.starts_with("//") {
            at.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(rest) = at.strip_prefix("'\"'") {
            rest
        } else if let Some((text, rest)) =
            raw_end.and_then(|end| at.strip_prefix('"')?.split_once(end))
        {
            found.push(text.to_owned());
            rest
        } else if let Some(at) = at.strip_prefix('"') {
            let (text, rest) = at.split_at(end_of_string(at));
            let (first, more) = text.split_once("\\\n").unwrap_or((text, ""));
            let more = more.split("\\\n").map(str::trim_start);
            found.push((first.to_owned() + &more.collect::<String>()).replace("\\\"", "\""));
            rest.get(1..).unwrap_or_default()
        } else {
            at.get(1..).unwrap_or_default()
        };
    }
    found
}

/// The position of the quotation mark that ends a string.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |(index, _)| index)
}

#[test]
fn strings_are_found_among_comments_characters_and_raw_strings() {
    let source = "// it's \"no\"\nf('\"', \"a \\\"b\\\" \\\n   c\\\\\", r#\"d \"e\"#, r\"\\\")";
    assert_eq!(strings(source), ["a \"b\" c\\\\", "d \"e", "\\"]);
}

#[test]
fn quoted_messages_are_compared_part_by_part() {
    let spoken = ["is not set in the environment".to_owned(), "the certificate of".to_owned()];
    assert!(is_known("the variable X is not set in the environment", &spoken));
    assert!(
        is_known("the certificate of … is not set in", &spoken) && is_known("AADSTS1", &spoken)
    );
    assert!(is_known("the certificate of 1: …", &spoken));
    assert!(!is_known("the certificate of … is wrong", &spoken) && !is_known("wrong", &spoken));
}
