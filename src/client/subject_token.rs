//! Gets the subject token from the credential source of a configuration.
//!
//! An executable is only used if the environment allows executables. If it is this program, it is
//! not started again: this process parses the command line and fetches the token itself. Any other
//! executable is run as clients run it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::certificate::{CertificateFiles, Identity};
use super::executable::{Allowed, Executable, Target};
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::contract::document::Document;
use crate::contract::judgement::Trouble;
use crate::contract::request::{SubjectTokenRequest, digest};
use crate::error::{Error, Kind};
use crate::files;
use crate::http;
use crate::options::{Options, Values};
use crate::secret::Secret;
use crate::source::command_line::{self, SourceLine};
use crate::source::fetch::{self, Fetch};
use crate::source::field::{Field, by_executable};
use crate::source::file::File;
use crate::source::url::{Get, HeaderValue};
use crate::source::{self, Source};
use crate::token::SelectMember;
use crate::world::Env;

/// Gets the subject token.
///
/// # Errors
/// The errors of the source; `CONFIGURATION` if executables are not allowed.
pub fn get(config: &CredentialConfig, cx: &Context) -> Result<Secret, Error> {
    examine(config, &mut Vec::new(), cx)
}

/// Gets the subject token like [`get`], and adds the reasons why some clients would not get it to
/// `troubles`.
///
/// # Errors
/// The errors of [`get`].
pub fn examine(
    config: &CredentialConfig,
    troubles: &mut Vec<Trouble>,
    cx: &Context,
) -> Result<Secret, Error> {
    let variables = variables(config);
    match &config.source {
        CredentialSource::Executable { command, output_file, timeout_ms, .. } => {
            let allowed = Allowed::by(&cx.env)?;
            match Target::of(command, &cx.env) {
                Target::ThisProgram(args) => in_process(&allowed, args, variables, cx),
                Target::Other => {
                    let (timeout_ms, output_file) = (*timeout_ms, output_file.as_deref());
                    let token_type = config.token_type;
                    let other =
                        Executable { command, timeout_ms, output_file, variables, token_type };
                    other.run(&allowed, troubles, cx)
                }
            }
        }
        CredentialSource::File(path, field) => {
            let (path, field) = (path.clone(), named(field.clone()));
            fetch_from(&File { path, option: "credential_source.file", field }, variables, cx)
        }
        CredentialSource::Url(url, headers, field) => {
            let given = |(name, value): &(String, Secret)| {
                (name.clone(), HeaderValue::Given(value.clone()))
            };
            let headers = headers.iter().map(given).collect();
            let (url, field) = (url.clone(), named(field.clone()));
            let (option, header_option) = ("credential_source.url", "credential_source.headers");
            fetch_from(&Get { url, option, header_option, headers, field }, variables, cx)
        }
        CredentialSource::Aws => {
            let aws = source::find("aws");
            let aws = aws.ok_or_else(|| Error::bug("the source aws does not exist"))?;
            fetch_from((aws.build)(&Values::default())?.as_ref(), variables, cx)
        }
        CredentialSource::Certificate(_) => Identity::of(config, cx)?
            .map(|identity| identity.subject_token)
            .ok_or_else(|| Error::bug("the configuration has no certificate")),
    }
}

/// The JSON member that contains the token, as named by the configuration.
fn named(path: Option<String>) -> Field {
    let option = "format.subject_token_field_name";
    let add: SelectMember = |path| match path {
        Some(path) if path.contains('.') => by_executable(path),
        _ => format!(
            "set format.type to json, and format.subject_token_field_name to {}",
            path.unwrap_or("the member that contains the token")
        ),
    };
    Field { path, option, add, remove: "set format.type to text", nested: false }
}

/// The variables that a client sets for an executable.
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

fn fetch_from(
    source: &dyn Source,
    variables: BTreeMap<String, OsString>,
    cx: &Context,
) -> Result<Secret, Error> {
    let request = SubjectTokenRequest::new(&Options::default(), &with_variables(variables, cx))?;
    let token = source.subject_token(&request, cx).map_err(|error| cx.explained(error))?;
    Ok(token.text)
}

fn with_variables(variables: BTreeMap<String, OsString>, cx: &Context) -> Env {
    Env::Over(variables, Box::new(cx.env.clone()))
}

/// Identifies the identity whose token [`get`] would return, for a file that caches what was obtained
/// with it. It is empty if only the configuration selects the identity, if the configuration has a
/// mistake, or if executables are not allowed.
pub fn identity(config: &CredentialConfig, cx: &Context) -> String {
    match &config.source {
        CredentialSource::Executable { .. } => Allowed::by(&cx.env)
            .ok()
            .and_then(|allowed| own_fetch(&allowed, config, cx))
            .map_or_else(String::new, |fetch| fetch.digest().to_owned()),
        CredentialSource::File(path, _) => files::absolute(path).display().to_string(),
        CredentialSource::Url(..) => String::new(),
        CredentialSource::Aws => source::find("aws").map_or_else(String::new, |aws| {
            let variables = fetch::environment(aws, &[], &cx.env);
            digest(variables.iter().map(Vec::as_slice))
        }),
        CredentialSource::Certificate(source) => CertificateFiles::read(source, cx)
            .map_or_else(|_| String::new(), |files| files.identity()),
    }
}

/// Gets the token that this program would print for these arguments.
fn in_process(
    allowed: &Allowed,
    args: Vec<OsString>,
    variables: BTreeMap<String, OsString>,
    cx: &Context,
) -> Result<Secret, Error> {
    let env = with_variables(variables, cx);
    let (line, fetch) = fetch_of(allowed, args, env)?;
    if !fetch.destination().is_document() {
        let what =
            "executable.command prints only the token, without the document that clients require";
        let fix = "remove --format=text from executable.command";
        return Err(Error::new(Kind::Configuration, what).fix(fix));
    }
    let cx = cx.narrowed(|world, http| {
        world.env = fetch.env().clone();
        world.deadline = world.deadline.at_most(fetch.timeout());
        if let Some(path) = &line.common.log_file {
            world.log = world.log.clone().also_to(path);
        }
        *http = http::Settings { offline: http.offline, own: http.own, ..line.common.http.clone() };
    });
    fetch.inside(&cx)?.document(&cx).map(|document| document.token)
}

/// The fetch that this program would make for these arguments.
fn fetch_of(_: &Allowed, args: Vec<OsString>, env: Env) -> Result<(SourceLine, Fetch), Error> {
    let wrong = |error: Error| error.of_kind(Kind::Configuration).inside("executable.command");
    let line = command_line::parse(args).map_err(wrong)?;
    let request = SubjectTokenRequest::new(&line.common, &env).map_err(wrong)?;
    let fetch = Fetch::new(&line, request, env).map_err(wrong)?;
    Ok((line, fetch))
}

/// The fetch of a configuration whose command runs this program; `None` if it runs another program
/// or has a mistake.
fn own_fetch(allowed: &Allowed, config: &CredentialConfig, cx: &Context) -> Option<Fetch> {
    let CredentialSource::Executable { command, .. } = &config.source else { return None };
    let Target::ThisProgram(args) = Target::of(command, &cx.env) else { return None };
    let (_, fetch) = fetch_of(allowed, args, with_variables(variables(config), cx)).ok()?;
    let cx = cx.narrowed(|world, _| world.env = fetch.env().clone());
    fetch.inside(&cx).ok()
}

/// Whether this program would use the token in its output file for this configuration; `None` if
/// the configuration runs another program.
pub fn is_cached(allowed: &Allowed, config: &CredentialConfig, cx: &Context) -> Option<bool> {
    let fetch = own_fetch(allowed, config, cx)?;
    Some(fetch.destination().file()?.fresh::<Document>(cx).is_some())
}
