//! Credentials that a program prints: the `credential_process` of a profile.
//!
//! The program prints a JSON object with `Version` 1, `AccessKeyId`, `SecretAccessKey`, and for
//! temporary credentials `SessionToken` and `Expiration`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use serde_json::{Map, Value};

use super::{Account, Credentials, Lookup, command_line, from_json};
use crate::error::{Error, Kind};
use crate::program::Program;
use crate::world::IN_HELPER_AWS;

/// Runs the command line of a profile.
///
/// # Errors
/// `CONFIGURATION` if the command line cannot be parsed, `PROTOCOL` if the output does not contain
/// credentials; otherwise as for [`Program::output`].
pub(super) fn load(profile: &str, command_line: &str, account: &Account) -> Result<Lookup, Error> {
    let place = format!("credential_process of the profile {profile:?}");
    let mut words =
        command_line::split(command_line, cfg!(windows)).unwrap_or_default().into_iter();
    let name = words.next().ok_or_else(|| {
        let what =
            format!("cannot parse the {place}: it is empty or has an unclosed quotation mark");
        Error::new(Kind::Configuration, what).fix("correct credential_process")
    })?;
    let args = words.map(Into::into).collect();
    let is_in_helper = account.cx.env.get(IN_HELPER_AWS).is_some();
    let program = Program { name: name.into(), args, variables: Vec::new(), place: place.clone() };
    let output = program.output(account.cx).map_err(|error| match error.kind() {
        Kind::Unreachable if is_in_helper => error.fix(
            "set --profile in executable.command of the credential configuration to another \
             profile, because this credential_process can be the one that runs wif-token helper \
             aws",
        ),
        Kind::Absent if command_line.contains('\\') && !cfg!(windows) => {
            not_started(command_line, &place)
        }
        Kind::Unreachable if let Some(fix) = program.without_shell() => error.fix(fix),
        _ => error,
    })?;
    let credentials = read(output.expose(), &place);
    let credentials = credentials.map_err(|error| match program.without_shell() {
        Some(fix) => error.fix(fix),
        None => error,
    });
    credentials.map(Lookup::Found)
}

/// Reads the credentials in the output of the program that `place` names.
pub(super) fn read(output: &str, place: &str) -> Result<Credentials, Error> {
    let what = format!("the output of the {place}");
    let fix = "run the command by hand, and check that it prints credentials of version 1";
    let wrong = |why: &str| Error::new(Kind::Protocol, format!("{what} {why}")).fix(fix);
    let object: Map<String, Value> =
        serde_json::from_str(output).map_err(|_| wrong("is not a JSON object"))?;
    if object.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err(wrong("does not have \"Version\": 1"));
    }
    from_json(&object, "SessionToken", &what, fix)
}

/// The error for a command line whose program does not exist, probably because backslashes were
/// removed from its path.
fn not_started(command_line: &str, place: &str) -> Error {
    let program = command_line.split_whitespace().next().unwrap_or_default();
    Error::new(Kind::Absent, format!("cannot run {program}"))
        .cause(format!(
            "outside quotation marks, a backslash in the {place} only escapes the next character"
        ))
        .fix(format!("put the path in single quotation marks, or check {place}"))
}
