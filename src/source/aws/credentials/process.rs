//! Credentials that a program prints: the `credential_process` of a profile.
//!
//! The program prints a JSON object with `Version` 1, `AccessKeyId`, `SecretAccessKey`, and for
//! temporary credentials `SessionToken` and `Expiration`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use serde_json::{Map, Value};

use super::{Account, Lookup, from_json};
use crate::error::{Error, Kind};
use crate::program::Program;

/// Runs the command line of a profile.
///
/// # Errors
/// `CONFIGURATION` if the command line cannot be parsed, `PROTOCOL` if the output does not contain
/// credentials; otherwise as for [`Program::output`].
pub(super) fn load(profile: &str, command_line: &str, account: &Account) -> Result<Lookup, Error> {
    let place = format!("credential_process of the profile {profile:?}");
    let mut words = shlex::split(command_line).unwrap_or_default().into_iter();
    let name = words.next().ok_or_else(|| {
        let what =
            format!("cannot parse the {place}: it is empty or has an unclosed quotation mark");
        Error::new(Kind::Configuration, what).fix("correct credential_process")
    })?;
    let args = words.map(Into::into).collect();
    let program = Program { name: name.into(), args, variables: Vec::new(), place: place.clone() };
    let output = program.output(account.cx)?;
    let what = format!("the output of the {place}");
    let fix = "run the command by hand, and check that it prints credentials of version 1";
    let wrong = |why: &str| Error::new(Kind::Protocol, format!("{what} {why}")).fix(fix);
    let object: Map<String, Value> =
        serde_json::from_str(output.expose()).map_err(|_| wrong("is not a JSON object"))?;
    if object.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err(wrong("does not have \"Version\": 1"));
    }
    from_json(&object, "SessionToken", &what, fix).map(Lookup::Found)
}
