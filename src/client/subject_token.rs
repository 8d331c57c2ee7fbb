//! Gets the subject token from the credential source of a configuration.
//!
//! If the executable is this program, it is not started again: its command line is read here and
//! the token is fetched in this process. Any other executable is run as clients run it, if the
//! environment allows executables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::executable;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http;
use crate::options::{Options, Values};
use crate::secret::Secret;
use crate::source::command_line;
use crate::source::fetch::Fetch;
use crate::source::field::Field;
use crate::source::file::File;
use crate::source::url::{Get, HeaderValue};
use crate::source::{self, Source};
use crate::world::Env;

/// Gets the subject token.
///
/// # Errors
/// Those of the source; `CONFIGURATION` if executables are not allowed.
pub fn get(config: &CredentialConfig, cx: &Context) -> Result<Secret, Error> {
    let variables = variables(config);
    match &config.source {
        CredentialSource::Executable { command, output_file, .. } => {
            match executable::this_program(command) {
                Some(args) => in_process(args, variables, cx),
                None => {
                    let file = output_file.as_deref();
                    executable::run(command, file, variables, config.token_type, cx)
                }
            }
        }
        CredentialSource::File(path, field) => {
            let (path, field) = (path.clone(), field.as_deref().map(named));
            fetch_from(&File { path, option: "credential_source.file", field }, variables, cx)
        }
        CredentialSource::Url(url, headers, field) => {
            let given = |(name, value): &(String, Secret)| {
                (name.clone(), HeaderValue::Given(value.clone()))
            };
            let headers = headers.iter().map(given).collect();
            let (url, field) = (url.clone(), field.as_deref().map(named));
            fetch_from(&Get { url, option: "credential_source.url", headers, field }, variables, cx)
        }
        CredentialSource::Aws => {
            let aws = source::find("aws").map(|info| (info.build)(&Values::default()));
            let aws = aws.unwrap_or_else(|| {
                Err(Error::new(Kind::Internal, "the source aws does not exist"))
            })?;
            fetch_from(aws.as_ref(), variables, cx)
        }
    }
}

/// The JSON member that contains the token, as named by the configuration.
fn named(path: &str) -> Field {
    Field { path: path.to_owned(), option: "format.subject_token_field_name" }
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
    source.subject_token(&request, cx).map(|token| token.text)
}

fn with_variables(variables: BTreeMap<String, OsString>, cx: &Context) -> Env {
    Env::Over(variables, Box::new(cx.env.clone()))
}

/// Gets the token that this program would print for these arguments.
fn in_process(
    args: Vec<OsString>,
    variables: BTreeMap<String, OsString>,
    cx: &Context,
) -> Result<Secret, Error> {
    let wrong = |error: Error| error.of_kind(Kind::Configuration).inside("executable.command");
    let line = command_line::parse(args).map_err(wrong)?;
    let env = with_variables(variables, cx);
    let request = SubjectTokenRequest::new(&line.common, &env).map_err(wrong)?;
    let fetch = Fetch::new(&line, request).map_err(wrong)?;
    if !fetch.destination().is_document() {
        let what = "executable.command prints the bare token, which no client can read";
        let fix = "remove --format=text from executable.command";
        return Err(Error::new(Kind::Configuration, what).fix(fix));
    }
    let cx = cx.narrowed(|world, http| {
        world.env = env;
        world.deadline = world.deadline.at_most(fetch.timeout());
        if let Some(path) = &line.common.log_file {
            world.log = world.log.clone().also_to(path);
        }
        *http = http::Settings { offline: http.offline, ..line.common.http.clone() };
    });
    fetch.document(&cx).map(|document| document.token)
}
