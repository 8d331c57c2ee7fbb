//! The output of a run, as a snapshot shows it. Nothing is left out: the common forms are short because
//! this module checks them strictly.
//!
//! | form | stands for |
//! |---|---|
//! | `USAGE (2): message` | exactly the failure document of the contract on stdout, exactly the same message on stderr, and exit status 2 |
//! | `USAGE (2), only stderr: message` | nothing on stdout: `--format=text`, and commands |
//! | `USAGE (0), only stdout: message` | the document, and nothing on stderr: `--exit-zero` |
//! | `SUCCESS (0): id_token {jwt}` | exactly the success document, and nothing on stderr; a signed request, a SAML document or a JWT is decoded; the expiry is on its own line |
//! | `expires at {now+3600} less the margin` | an expiry within the default margin, which is random, before that second |
//! | `exit 0`, `stdout:`, `stderr:` | any other output, indented by two spaces |
//!
//! The token type of a document is shown if it is not `…:jwt`. Further lines of a message are indented
//! by two spaces.

use serde_json::{Value, json};

use super::placeholders::{Placeholders, SLACK, time_of};
use super::{Run, now, tokens};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The output of a revocation: a success without a token.
const REVOKED: &str = "{\"version\":1,\"success\":true}\n";

/// The codes of the contract and their exit statuses.
const CODES: [(&str, i32); 7] = [
    ("USAGE", 2),
    ("CONFIGURATION", 3),
    ("ABSENT", 4),
    ("DENIED", 5),
    ("UNREACHABLE", 6),
    ("PROTOCOL", 7),
    ("EXPIRED", 8),
];

/// The remaining lifetimes of the tokens in these tests, in seconds.
const LIVES: [i64; 8] = [60, 100, 200, 300, 600, 900, 3600, 86_400];

/// The normalised output of a run, or the rule that it breaks.
pub fn show(run: &Run, placeholders: &Placeholders) -> Result<String, String> {
    if run.status == 0 && !run.stderr.is_empty() {
        return Err(format!("a success with something on stderr: {run:?}"));
    }
    // A panic is never what a snapshot should show, even if `UPDATE=1` would write it.
    if run.stdout.contains(r#""code":"INTERNAL""#) || run.status == 9 {
        return Err(format!("a bug in the program: {run:?}"));
    }
    let is_document = run.stdout.starts_with(r#"{"version":"#) && run.stdout != REVOKED;
    let document: Option<Value> = match is_document {
        true => serde_json::from_str(&run.stdout).map(Some).map_err(|_| broken(run))?,
        false => None,
    };
    let shown = match document {
        Some(document) if document["success"] == true => success(run, &document, placeholders),
        Some(document) => failure(run, &document),
        None => Some(refusal(run).unwrap_or_else(|| plain(run))),
    };
    shown.map(|shown| placeholders.normalise(&shown)).ok_or_else(|| broken(run))
}

fn broken(run: &Run) -> String {
    format!("the output does not follow the contract: {run:?}")
}

fn success(run: &Run, document: &Value, placeholders: &Placeholders) -> Option<String> {
    let kind = document["token_type"].as_str()?;
    let member = if kind.ends_with(":saml2") { "saml_response" } else { "id_token" };
    let (token, end) = (document[member].as_str()?, document["expiration_time"].as_i64()?);
    let exact = json!({
        "version": 1, "success": true, "token_type": kind, member: token, "expiration_time": end,
    });
    let shown = shown_expiry(end, now());
    let token = tokens::show(&placeholders.normalise(token));
    (run.status == 0 && run.stdout == format!("{exact}\n"))
        .then(|| format!("SUCCESS (0): {member} {token}{}  expires at {shown}\n", type_line(kind)))
}

/// The expiry in a document. The default margin is a tenth to a fifth of the remaining lifetime, and
/// 300 to 600 seconds of a long one; the distant expiries in these tests are multiples of 600 seconds.
fn shown_expiry(end: i64, now: i64) -> String {
    let remaining = end - now;
    let is_of = |life: &&i64| {
        let (least, largest) = ((**life / 10).min(300), (**life / 5).min(600));
        let slack = SLACK.min(**life / 20);
        (**life - largest - slack..=**life - least).contains(&remaining)
    };
    match LIVES.iter().find(is_of) {
        Some(life) => format!("{{now+{life}}} less the margin"),
        None if remaining.abs() < 86_400 => end.to_string(),
        None => format!("{} less the margin", time_of((end + 300 + 599).div_euclid(600) * 600)),
    }
}

fn failure(run: &Run, document: &Value) -> Option<String> {
    let (code, message) = (document["code"].as_str()?, document["message"].as_str()?);
    let kind = document["token_type"].as_str()?;
    let exact = json!({
        "version": 1, "success": false, "token_type": kind, "code": code, "message": message,
    });
    let (_, status) = CODES.iter().find(|row| row.0 == code)?;
    let heading = match (run.status, run.stderr.strip_suffix('\n')) {
        (0, None) => format!("{code} (0), only stdout"),
        (found, Some(line)) if found == *status && line == message => format!("{code} ({status})"),
        _ => return None,
    };
    (run.stdout == format!("{exact}\n"))
        .then(|| format!("{heading}: {}\n{}", sentence(message), type_line(kind)))
}

fn refusal(run: &Run) -> Option<String> {
    let (code, status) = CODES.iter().find(|row| row.1 == run.status)?;
    let message = run.stderr.strip_suffix('\n').filter(|_| run.stdout.is_empty())?;
    Some(format!("{code} ({status}), only stderr: {}\n", sentence(message)))
}

fn plain(run: &Run) -> String {
    let mut shown = format!("exit {}\n", run.status);
    for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let end = match text.strip_suffix('\n') {
            None if text.is_empty() => continue,
            None => "  [no line break at the end]\n",
            Some(text) if text.ends_with('\n') => "  [an empty line at the end]\n",
            Some(_) => "",
        };
        shown += &format!("{name}:\n{}\n{end}", indented(text.trim_end_matches('\n')));
    }
    shown
}

/// Lines indented by two spaces, except empty ones.
fn indented(text: &str) -> String {
    let indent = |line: &str| if line.is_empty() { String::new() } else { format!("  {line}") };
    text.split('\n').map(indent).collect::<Vec<_>>().join("\n")
}

/// A message after its heading.
fn sentence(message: &str) -> String {
    indented(message).trim_start().to_owned()
}

fn type_line(kind: &str) -> String {
    if kind == JWT { String::new() } else { format!("  token_type {kind}\n") }
}
