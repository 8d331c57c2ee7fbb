//! The subject token of a credential configuration, by the way that the configuration names.
//!
//! An executable that is this program is not run: its command line is read here instead. Any other
//! one is run as the clients run it, only where the environment allows executables at all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use super::access_token::AccessToken;
use super::credential_config::CredentialConfig;
use super::credential_source::CredentialSource;
use super::pool_provider::PoolProvider;
use super::sts;
use crate::context::{Context, Env};
use crate::contract::output_file::{self, Obtained, OutputFile};
use crate::contract::request::Request;
use crate::contract::response::{self, Document};
use crate::error::{Error, Kind};
use crate::files;
use crate::options::{Options, Values};
use crate::program::Program;
use crate::secret::Secret;
use crate::source::field::Field;
use crate::source::file::File;
use crate::source::url::{Get, HeaderValue};
use crate::source::{self, Source, SourceInfo};
use crate::token::{TokenType, jwt, rfc3339};

/// Without it in the environment, set to 1, no client runs an executable.
pub const OPT_IN: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// Reads arguments of this program that have to name a source, and gives it with its options. It
/// comes from above: the parser's tables list the commands that ask here.
pub type Parse = fn(Vec<OsString>) -> Result<(Options, &'static SourceInfo, Values), Error>;

/// Exchanges the subject token of a configuration for an access token with this scope, and names
/// the caller as an IAM policy would.
///
/// # Errors
/// Those of the source and of [`sts::exchange`].
pub fn federated(
    config: &CredentialConfig,
    scope: &str,
    parse: Parse,
    cx: &Context,
) -> Result<(AccessToken, String), Error> {
    let subject_token = get(config, parse, cx)?;
    let token = sts::exchange(config, &subject_token, scope, cx)?;
    Ok((token, member(config, &subject_token)))
}

/// The caller in an IAM policy, with SUBJECT where the subject cannot be told: a grant to the whole
/// pool is not to be proposed.
pub fn member(config: &CredentialConfig, subject_token: &Secret) -> String {
    let Ok(provider) = PoolProvider::parse(&config.audience) else {
        return "principal:…".to_owned();
    };
    let claims = subject_token.expose().split('.').nth(1).and_then(jwt::object);
    let subject = claims.and_then(|claims| Some(claims.get("sub")?.as_str()?.to_owned()));
    let subject = subject.filter(|subject| subject.bytes().all(|byte| byte.is_ascii_graphic()));
    provider.principal(subject.as_deref().unwrap_or("SUBJECT"))
}

/// Gets the subject token.
///
/// # Errors
/// Those of the source; `CONFIGURATION` where executables are not allowed.
pub fn get(config: &CredentialConfig, parse: Parse, cx: &Context) -> Result<Secret, Error> {
    let variables = variables(config);
    match &config.source {
        CredentialSource::Executable { command, output_file, .. } => match this_program(command) {
            Some(args) => in_process(parse(args)?, variables, cx),
            None => run(command, output_file.as_deref(), variables, config.token_type, cx),
        },
        CredentialSource::File(path, field) => {
            let (path, field) = (path.clone(), field.as_deref().map(named));
            ask(&File { path, option: "credential_source.file", field }, variables, cx)
        }
        CredentialSource::Url(url, headers, field) => {
            let given = |(name, value): &(String, Secret)| {
                (name.clone(), HeaderValue::Given(value.clone()))
            };
            let headers = headers.iter().map(given).collect();
            let (url, field) = (url.clone(), field.as_deref().map(named));
            ask(&Get { url, option: "credential_source.url", headers, field }, variables, cx)
        }
        CredentialSource::Aws => {
            let aws = source::find("aws").map(|info| (info.build)(&Values::default()));
            let aws = aws.unwrap_or_else(|| Err(Error::new(Kind::Internal, "no source aws")))?;
            ask(aws.as_ref(), variables, cx)
        }
    }
}

/// The member of JSON that holds the token, as the configuration names it.
fn named(path: &str) -> Field {
    Field { path: path.to_owned(), option: "format.subject_token_field_name" }
}

/// What a client tells an executable.
fn variables(config: &CredentialConfig) -> BTreeMap<String, OsString> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| {
        variables.insert(format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"), value);
    };
    set("AUDIENCE", config.audience.as_str().into());
    set("TOKEN_TYPE", config.token_type.urn().into());
    set("INTERACTIVE", "0".into());
    set("REVOKE", "0".into());
    let impersonated = config.impersonation.as_ref().map(|account| account.account.as_str());
    set("IMPERSONATED_EMAIL", impersonated.unwrap_or_default().into());
    let output_file = match &config.source {
        CredentialSource::Executable { output_file: Some(path), .. } => path.into(),
        _ => OsString::new(),
    };
    set("OUTPUT_FILE", output_file);
    variables
}

fn ask(
    source: &dyn Source,
    variables: BTreeMap<String, OsString>,
    cx: &Context,
) -> Result<Secret, Error> {
    let request = Request::new(&Options::default(), &over(variables, cx))?;
    source.subject_token(&request, cx).map(|token| token.text)
}

fn over(variables: BTreeMap<String, OsString>, cx: &Context) -> Env {
    Env::Over(variables, Box::new(cx.env.clone()))
}

/// The words of a command line as the clients split it: at blanks, or by the rules of a POSIX shell
/// where there are quotes.
pub fn words(command: &str) -> Vec<OsString> {
    let quoted = command.contains(['"', '\'']);
    let words = if quoted { shlex::split(command) } else { None };
    words
        .unwrap_or_else(|| command.split_ascii_whitespace().map(str::to_owned).collect())
        .into_iter()
        .map(OsString::from)
        .collect()
}

/// The arguments of a command line that runs this program.
pub fn this_program(command: &str) -> Option<Vec<OsString>> {
    let mut words = words(command).into_iter();
    let program = words.next()?;
    let name = program.to_str()?.rsplit(['/', '\\']).next()?;
    matches!(name, "wif-token" | "wif-token.exe").then(|| words.collect())
}

fn in_process(
    (options, info, values): (Options, &SourceInfo, Values),
    variables: BTreeMap<String, OsString>,
    cx: &Context,
) -> Result<Secret, Error> {
    let env = over(variables, cx);
    let request = Request::new(&options, &env)?;
    let http = cx.http.with(options.http.clone(), env.clone());
    let inner = Context { env, clock: cx.clock, deadline: cx.deadline, log: cx.log.clone(), http };
    let digest = request.digest(info.name, &values.identity(info.options));
    let output_file = request.output_file.clone().map(|path| OutputFile::new(path, digest));
    let source = (info.build)(&values)?;
    let fetch = || {
        let token = source.subject_token(&request, &inner)?;
        Document::new(token, request.token_type, options.expiry_margin, inner.clock.now())
    };
    match output_file::obtain(output_file.as_ref(), true, &inner, || (), fetch)? {
        Obtained::Kept(document) => Ok(document.token),
        Obtained::New(document, _lock) => {
            if let Some(file) = &output_file {
                file.keep(&document, &inner);
            }
            Ok(document.token)
        }
    }
}

fn run(
    command: &str,
    output_file: Option<&Path>,
    variables: BTreeMap<String, OsString>,
    token_type: TokenType,
    cx: &Context,
) -> Result<Secret, Error> {
    if cx.env.text(OPT_IN)?.as_deref() != Some("1") {
        return Err(Error::new(Kind::Configuration, "executables are not allowed here")
            .hint(format!("look at the configuration's command, then set {OPT_IN}=1")));
    }
    if let Some(token) = output_file.and_then(|path| kept(path, token_type, cx)) {
        return Ok(token);
    }
    let mut words = words(command).into_iter();
    let name = words.next().ok_or_else(|| {
        Error::new(Kind::Configuration, "executable.command of the configuration is empty")
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
        Error::new(Kind::Protocol, format!("the output of {shown} is no JSON document"))
            .hint("it must print the version-1 document alone, and nothing on standard error")
    })?;
    let token = response::token(&document, token_type).map_err(|why| {
        Error::new(Kind::Protocol, format!("the document of {shown} gives no token")).cause(why)
    })?;
    match expiration_time(&document) {
        Some(end) if end <= cx.clock.now() => {
            let what = format!("the token of {shown} ended at {}", rfc3339(end));
            let hint = format!("run {} by hand to see why", program.place);
            Err(Error::new(Kind::Expired, what).hint(hint))
        }
        _ => Ok(token),
    }
}

fn expiration_time(document: &Value) -> Option<i64> {
    document.get("expiration_time")?.as_i64()
}

/// The token in the output file of another program.
fn kept(path: &Path, token_type: TokenType, cx: &Context) -> Option<Secret> {
    let bytes = files::read_limited(files::open_regular(path).ok()?, files::LIMIT).ok()??;
    let document: Value = serde_json::from_slice(&bytes).ok()?;
    let fresh = expiration_time(&document)? > cx.clock.now();
    response::token(&document, token_type).ok().filter(|_| fresh)
}
