//! The executable of a credential configuration: how clients split its command and run it.
//! <https://google.aip.dev/auth/4117>

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::configuration::credential_source::{INTERACTIVE_TIMEOUTS_MS, TIMEOUTS_MS};
use crate::configuration::duplicates;
use crate::context::Context;
use crate::contract::document;
use crate::contract::judgement::{self, Place, Trouble};
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Refusal};
use crate::program::{self, Observed, Program};
use crate::secret::Secret;
use crate::show;
use crate::time::rfc3339;
use crate::token::{Origin, SelectMember, TokenType, mismatch};
use crate::world::Env;

/// The variable that must be 1 for a client to run an executable.
pub const OPT_IN: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// Splits a command line into words as clients do: at spaces, or by the rules of a POSIX shell if
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

/// The proof that the environment allows executables.
///
/// The command of a configuration is untrusted input. Everything that it can make this process do
/// requires this proof: running its program, and interpreting its options, which read variables and
/// files, write files and send requests. Splitting the command into words does not require the
/// proof.
#[derive(Debug)]
pub struct Allowed(());

impl Allowed {
    /// Creates the proof, if the user opted in.
    ///
    /// # Errors
    /// `CONFIGURATION` if executables are not allowed.
    pub fn by(env: &Env) -> Result<Allowed, Error> {
        match env.get(OPT_IN).is_some_and(|value| value == "1") {
            true => Ok(Allowed(())),
            false => Err(not_allowed("executables", "executable.command in the configuration")),
        }
    }

    /// Creates the proof for a PKCS#11 module that this certificate configuration selects. A module
    /// is code that runs in this process.
    ///
    /// # Errors
    /// `CONFIGURATION` if executables are not allowed.
    pub fn module(config: &Path, env: &Env) -> Result<Allowed, Error> {
        Allowed::by(env).map_err(|_| {
            not_allowed("PKCS#11 modules", &format!("the module in {}", show::path(config)))
        })
    }
}

fn not_allowed(what: &str, place: &str) -> Error {
    Error::new(Kind::Configuration, format!("{what} are not allowed"))
        .cause(format!("{OPT_IN} is not 1"))
        .fix(format!("review {place}, then set {OPT_IN}=1"))
}

/// What a command line runs.
#[derive(Debug)]
pub enum Target {
    /// This program, with these arguments. They are interpreted in this process.
    ThisProgram(Vec<OsString>),
    /// Another program, which is started, or a program that was not found.
    Other,
}

impl Target {
    /// Finds out what a command line runs. The file of the program decides, not its name, because
    /// any program can have the same name.
    pub fn of(command: &str, env: &Env) -> Target {
        let mut words = words(command).into_iter();
        let found = words.next().and_then(|name| program::find(&name, env));
        match found.is_some_and(|path| program::is_this_program(&path)) {
            true => Target::ThisProgram(words.collect()),
            false => Target::Other,
        }
    }
}

/// A command that runs another program.
#[derive(Debug)]
pub struct Executable<'a> {
    /// The command line.
    pub command: &'a str,
    /// How long clients wait, in milliseconds.
    pub timeout_ms: u64,
    /// The file in which the program caches its document.
    pub output_file: Option<&'a Path>,
    /// The variables that a client sets.
    pub variables: BTreeMap<String, OsString>,
    /// The expected type of the token.
    pub token_type: TokenType,
}

impl Executable<'_> {
    /// Runs the program as clients do, and reads the token from the document that it prints, or
    /// from its output file if the token in it has not expired. Adds the reasons why some clients
    /// would not get the token to `troubles`.
    ///
    /// # Errors
    /// The errors of [`Program::run`], `PROTOCOL` if the document has no token, `EXPIRED` if the
    /// token has expired.
    pub fn run(
        &self,
        _: &Allowed,
        troubles: &mut Vec<Trouble>,
        cx: &Context,
    ) -> Result<Secret, Error> {
        if let Some(token) = self.stored(|_| true, cx) {
            return Ok(token);
        }
        let mut words = words(self.command).into_iter();
        let name = words.next().ok_or_else(|| {
            Error::new(Kind::Configuration, "executable.command is empty")
                .fix("set executable.command in the configuration")
        })?;
        let program = Program {
            name,
            args: words.collect(),
            variables: self.variables.clone().into_iter().collect(),
            place: "executable.command of the configuration".to_owned(),
        };
        let Observed { status, output, wrote_errors, keeps_open } = self.observe(&program, cx)?;
        let shown = show::path(program.name.as_ref());
        let document = serde_json::from_str(output.expose()).ok().filter(judgement::is_document);
        let document: Value = document.ok_or_else(|| match status.success() {
            true => not_a_document(&shown, &output, self.token_type),
            false => program.failed(status, cx),
        })?;
        troubles.extend(repeated(&output));
        troubles.extend(keeps_open.then(judgement::keeps_output_open));
        if judgement::is_failure(&document) {
            troubles.extend(judgement::of_failure(&document));
        } else {
            troubles.extend(judgement::of_run(status.success(), wrote_errors));
            let place = match self.output_file {
                Some(_) => Place::OutputBesideFile,
                None => Place::Output,
            };
            troubles.extend(judgement::of_success(&document, self.token_type, place));
            troubles.extend(judgement::outlives_token(&document));
        }
        let token = document::token(&document, self.token_type).map_err(|why| {
            // Another copy of this program states the kind of its failure.
            let code = document.get("code").and_then(Value::as_str);
            let kind = code.and_then(Kind::from_code).unwrap_or(Kind::Protocol);
            let what = format!("the output of {shown} does not contain a subject token");
            let fix = format!("run {} by hand to see its output", program.place);
            Error::new(kind, what).cause(why).fix(fix)
        })?;
        // Like clients, this checks the expiry in the document. The token service checks the expiry
        // in the token itself.
        match document::stated_expiry(&document) {
            Some(expiry) if expiry <= cx.clock.now() => {
                let what = format!("the subject token from {shown} expired at {}", rfc3339(expiry));
                let fix = format!("run {} by hand to see its error output", program.place);
                Err(Error::new(Kind::Expired, what).fix(fix).depending_on(expiry))
            }
            _ => {
                // If the program has also stored the token, the result can be cached until its
                // output file changes.
                self.stored(|stored| stored.expose() == token.expose(), cx);
                Ok(token)
            }
        }
    }

    /// Reads the token in the output file, if it has not expired and is the expected one.
    fn stored(&self, is_expected: impl Fn(&Secret) -> bool, cx: &Context) -> Option<Secret> {
        let path = self.output_file?;
        let _waiting = files::Waiting::new(path);
        let refuse = |why: &Refusal| {
            cx.log.line(format!("cached file not used: {}: {why}", show::path(path)));
        };
        let state = files::state(path);
        let bytes = ownership::read_trusted(path).inspect_err(refuse).ok()??;
        let document: Value = serde_json::from_slice(&bytes).ok()?;
        let is_fresh = document::expiry(&document)? > cx.clock.now();
        let token = document::token(&document, self.token_type).ok();
        let token = token.filter(|token| is_fresh && is_expected(token))?;
        files::note_stored(path, state);
        Some(token)
    }

    /// Runs the program for at most as long as clients wait.
    fn observe(&self, program: &Program, cx: &Context) -> Result<Observed, Error> {
        let timeout_ms = self.timeout_ms.min(*INTERACTIVE_TIMEOUTS_MS.end());
        let (limit, own) = (Duration::from_millis(timeout_ms), cx.deadline.remaining());
        let cx = cx.narrowed(|world, _| world.deadline = world.deadline.waiting_at_most(limit));
        program.observe(&cx).map_err(|error| match error.kind() {
            Kind::Unreachable => too_slow(program, timeout_ms, limit.min(own)),
            _ => error,
        })
    }
}

/// The error for a program whose output is not a version-1 document.
fn not_a_document(program: &str, output: &Secret, expected: TokenType) -> Error {
    let text = output.expose().trim();
    let json = serde_json::from_str::<Value>(text).ok();
    let begin = |options: &str| {
        format!("put wif-token command{options} -- at the beginning of executable.command")
    };
    const PRINT: &str = "configure the program to print only the version-1 document";
    let place = "executable.command";
    let select = Some((|_| PRINT.to_owned()) as SelectMember);
    let origin = Origin { select, ..Origin::new(place.to_owned(), place, "") };
    let explained = json.as_ref().and_then(|_| mismatch::explain(text, expected, &origin));
    let (what, fix) = match json.as_ref().and_then(mismatch::path_of_token) {
        Some(path) => {
            let kind = json.as_ref().map_or("JSON", mismatch::kind_of);
            let what = format!("it is {kind}, and the token is in the member {path}");
            (what, begin(&format!(" --field={path}")))
        }
        None if mismatch::is_token(text) => ("it is only a token".to_owned(), begin("")),
        None if text.starts_with('\u{feff}') => {
            ("it begins with a byte order mark".to_owned(), PRINT.to_owned())
        }
        None => explained.unwrap_or_else(|| ("it is not JSON".to_owned(), PRINT.to_owned())),
    };
    Error::new(Kind::Protocol, format!("the output of {program} is not a version-1 document"))
        .cause(what)
        .fix(fix)
}

/// Reports a member that occurs twice in the document of a program.
fn repeated(output: &Secret) -> Option<Trouble> {
    let name = duplicates::first(output.expose())?;
    let what = format!(
        "the output contains the member {} twice, which the Rust client rejects",
        show::value(&name)
    );
    Some(Trouble::new(what, "print each member of the document once"))
}

fn too_slow(program: &Program, timeout_ms: u64, waited: Duration) -> Error {
    let shown = show::path(program.name.as_ref());
    let (what, fix) = match waited.as_millis() < u128::from(timeout_ms) {
        false => (
            format!(
                "{shown} did not finish within {timeout_ms} ms (timeout_millis), so clients stop it"
            ),
            format!("increase timeout_millis (at most {})", TIMEOUTS_MS.end()),
        ),
        true => (
            format!(
                "{shown} did not finish within {} s, and clients stop it after {timeout_ms} ms \
                 (timeout_millis)",
                waited.as_secs()
            ),
            format!("use --timeout={} to wait as long as clients do", timeout_ms / 1000 + 5),
        ),
    };
    Error::new(Kind::Unreachable, what)
        .fix(format!("run {} by hand to see why, or {fix}", program.place))
}
