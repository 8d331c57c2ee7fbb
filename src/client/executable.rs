//! The executable of a credential configuration: how clients split its command and run it.
//! <https://google.aip.dev/auth/4117>

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use crate::context::Context;
use crate::contract::document;
use crate::error::{Error, Kind};
use crate::files;
use crate::program::Program;
use crate::secret::Secret;
use crate::time::{self, rfc3339};
use crate::token::TokenType;

/// The variable that must be 1 for a client to run an executable.
pub const OPT_IN: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// The words of a command line as clients split it: at spaces, or by the rules of a POSIX shell if
/// there are quotes.
pub fn words(command: &str) -> Vec<OsString> {
    let quoted = command.contains(['"', '\'']);
    let words = if quoted { shlex::split(command) } else { None };
    words
        .unwrap_or_else(|| command.split_ascii_whitespace().map(str::to_owned).collect())
        .into_iter()
        .map(OsString::from)
        .collect()
}

/// The arguments of a command line; `None` if it runs another program than this one.
pub fn this_program(command: &str) -> Option<Vec<OsString>> {
    let mut words = words(command).into_iter();
    let program = words.next()?;
    let name = program.to_str()?.rsplit(['/', '\\']).next()?;
    matches!(name, "wif-token" | "wif-token.exe").then(|| words.collect())
}

/// Runs a program as clients do, and reads the token from the document that it prints, or from its
/// output file if the token in it has not expired.
///
/// # Errors
/// `CONFIGURATION` if executables are not allowed, those of [`Program::run`], `PROTOCOL` if the
/// document has no token, `EXPIRED` if the token has expired.
pub fn run(
    command: &str,
    output_file: Option<&Path>,
    variables: BTreeMap<String, OsString>,
    token_type: TokenType,
    cx: &Context,
) -> Result<Secret, Error> {
    if cx.env.text(OPT_IN)?.as_deref() != Some("1") {
        return Err(Error::new(Kind::Configuration, "executables are not allowed")
            .cause(format!("{OPT_IN} is not 1"))
            .fix(format!("review executable.command in the configuration, then set {OPT_IN}=1")));
    }
    if let Some(token) = output_file.and_then(|path| cached(path, token_type, cx)) {
        return Ok(token);
    }
    let mut words = words(command).into_iter();
    let name = words.next().ok_or_else(|| {
        Error::new(Kind::Configuration, "executable.command is empty")
            .fix("set executable.command in the configuration")
    })?;
    let program = Program {
        name,
        args: words.collect(),
        variables: variables.into_iter().collect(),
        place: "executable.command of the configuration".to_owned(),
    };
    let (status, output) = program.run(cx)?;
    let shown = program.name.display();
    let document: Value = serde_json::from_str(output.expose()).map_err(|_| {
        if !status.success() {
            return program.failed(status);
        }
        Error::new(Kind::Protocol, format!("the output of {shown} is not a JSON document"))
            .fix("configure the program to print only the version-1 document")
    })?;
    let token = document::token(&document, token_type).map_err(|why| {
        Error::new(Kind::Protocol, format!("the document from {shown} has no token")).cause(why)
    })?;
    match expiration_time(&document) {
        Some(expiry) if expiry <= cx.clock.now() => {
            let what = format!("the token from {shown} expired at {}", rfc3339(expiry));
            let fix = format!("run {} by hand to see its error output", program.place);
            Err(Error::new(Kind::Expired, what).fix(fix))
        }
        _ => Ok(token),
    }
}

fn expiration_time(document: &Value) -> Option<i64> {
    time::instant(document.get("expiration_time")?)
}

/// The token in the output file of another program, if it has not expired.
fn cached(path: &Path, token_type: TokenType, cx: &Context) -> Option<Secret> {
    let _waiting = files::Waiting::new(path);
    let bytes = files::read_limited(files::open_regular(path).ok()?, files::LIMIT).ok()??;
    let document: Value = serde_json::from_slice(&bytes).ok()?;
    let fresh = expiration_time(&document)? > cx.clock.now();
    document::token(&document, token_type).ok().filter(|_| fresh)
}
