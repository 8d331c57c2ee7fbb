//! Gets a subject token: from the output file if the token there is still valid, otherwise from the
//! source.
//!
//! This is the only implementation: for clients that run this program as an executable, and for
//! commands whose credential configuration names this program as its executable. Such a command
//! uses every option of the configured command line, exactly as the started program would.

use std::env::{join_paths, split_paths};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::command_line::SourceLine;
use super::{Source, SourceInfo};
use crate::cache::{CachedFile, Fetching, Refusals};
use crate::context::Context;
use crate::contract::destination::Destination;
use crate::contract::document::Document;
use crate::contract::request::{SubjectTokenRequest, digest};
use crate::error::Error;
use crate::files;
use crate::options::{Format, SecretRef};
use crate::world::{Declared, Env};

/// How to get one subject token: the source, the request and the destination of the token.
#[derive(Debug)]
pub struct Fetch {
    source: Box<dyn Source>,
    request: SubjectTokenRequest,
    format: Format,
    destination: Destination,
    /// Identifies the request and the identity.
    digest: String,
    /// `--timeout`, or the default of the source.
    timeout: Duration,
    /// The environment, in which the source may read the variables in the digest and those that do
    /// not select an identity.
    env: Env,
    /// `--expiry-margin`, in seconds.
    expiry_margin: Option<u64>,
    /// The secrets that the command line names, each with its option.
    secrets: Vec<(String, SecretRef)>,
}

impl Fetch {
    /// Creates the fetch that a command line describes, in this environment. Opens no file.
    ///
    /// # Errors
    /// `USAGE` or `CONFIGURATION` if options cannot be used together.
    pub fn new(line: &SourceLine, request: SubjectTokenRequest, env: Env) -> Result<Fetch, Error> {
        let source = (line.info.build)(&line.values)?;
        let (identity, env) = identity(line, env);
        let digest = request.digest(line.info.name, &identity);
        let format = line.common.format.unwrap_or(Format::Json);
        let destination = Destination::new(format, &request, digest.clone())?;
        let timeout = line.common.timeout.unwrap_or_else(|| source.timeout(&request));
        let expiry_margin = line.common.expiry_margin;
        let secrets = line.values.secrets();
        let secrets =
            secrets.map(|(option, secret)| (format!("--{}", option.name), secret)).collect();
        Ok(Fetch {
            source,
            request,
            format,
            destination,
            digest,
            timeout,
            env,
            expiry_margin,
            secrets,
        })
    }

    /// Adds the credentials that the source finds in this context to the digest.
    ///
    /// # Errors
    /// The errors of [`Source::identity`] and of [`Fetch::new`].
    pub fn inside(mut self, cx: &Context) -> Result<Fetch, Error> {
        if let Some(identity) = self.source.identity(cx)? {
            self.digest = digest([&self.digest, &identity].into_iter().map(|part| part.as_bytes()));
            self.destination = Destination::new(self.format, &self.request, self.digest.clone())?;
        }
        Ok(self)
    }

    /// The environment for the context of this fetch.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The maximum duration of the run.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Identifies the request and the identity that the token is for.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where the token is written.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Gets the token and stores it at its destination.
    ///
    /// # Errors
    /// The errors of the source and of [`Destination::document`].
    pub fn document(&self, cx: &Context) -> Result<Document, Error> {
        self.obtain(true, cx)
    }

    /// Gets a new token, even if a valid one is cached.
    ///
    /// # Errors
    /// The errors of [`Fetch::document`].
    pub fn new_token(&self, cx: &Context) -> Result<Document, Error> {
        self.obtain(false, cx)
    }

    fn obtain(&self, reuse: bool, cx: &Context) -> Result<Document, Error> {
        let fetch = || self.new_document(cx).map_err(|error| cx.explained(error));
        let fetching = Fetching { fetch: &fetch, refusals: Refusals::All };
        self.destination.document(reuse, cx, &fetching)
    }

    /// Changes the destination, so that the token is written only to the output file.
    ///
    /// # Errors
    /// `USAGE` if there is no output file.
    pub fn into_file(self) -> Result<Fetch, Error> {
        Ok(Fetch { destination: self.destination.into_file()?, ..self })
    }

    /// The text to print instead of a token, if an option requests it.
    ///
    /// # Errors
    /// The errors of [`Source::instead`].
    pub fn instead(&self, cx: &Context) -> Result<Option<String>, Error> {
        self.source.instead(cx)
    }

    fn new_document(&self, cx: &Context) -> Result<Document, Error> {
        // A missing secret is reported at once, and not after a server could not be reached.
        self.secrets.iter().try_for_each(|(option, secret)| secret.require(option, cx))?;
        let token = self.source.subject_token(&self.request, cx)?;
        Document::new(token, self.request.token_type, self.expiry_margin, cx.clock.now())
    }

    /// Removes the cached token of this request and what the source stores in addition to it.
    ///
    /// # Errors
    /// The errors of [`CachedFile::remove`] and of [`Source::forget`].
    pub fn forget(&self, cx: &Context) -> Result<(), Error> {
        // A refresh token is revoked even if the output file cannot be removed.
        let removed = self.destination.file().map_or(Ok(()), CachedFile::remove);
        self.source.forget(&self.request, cx)?;
        removed
    }
}

/// The parts of a digest that identify the token of a command line in this environment, and the
/// environment in which the source may read the variables in these parts.
fn identity(line: &SourceLine, env: Env) -> (Vec<Vec<u8>>, Env) {
    let mut parts = line.values.identity(line.info.options());
    let named: Vec<String> = line.values.variables().map(str::to_owned).collect();
    parts.extend(environment(line.info, &named, &env));
    let declared = Declared { fixed: line.info.variables, named, env };
    (parts, Env::Declared(Box::new(declared)))
}

/// The parts of a digest for the variables of a source and the variables in `named`: one part, with
/// the value, for each variable that is set. The parts may contain secrets and are used only in a
/// digest.
pub fn environment(source: &'static SourceInfo, named: &[String], env: &Env) -> Vec<Vec<u8>> {
    let names = source.variables.iter().copied().chain(named.iter().map(String::as_str));
    names.filter_map(|name| Some(variable(name, env.get(name)?))).collect()
}

/// Variables that contain a path, and how the names of others end.
const PATHS: [&str; 6] = [
    "AWS_LOGIN_CACHE_DIRECTORY",
    "SOFTHSM2_CONF",
    "TPM2_PKCS11_STORE",
    "_FILE",
    "_PATH",
    "_CACERT",
];

/// Variables that contain a list of paths.
const PATH_LISTS: [&str; 2] = ["KUBECONFIG", "KRB5_CONFIG"];

/// The part of a digest for one variable. Relative paths are made absolute, because the file that
/// they name depends on the current directory.
fn variable(name: &str, value: OsString) -> Vec<u8> {
    let is_path = PATHS.iter().any(|end| name.ends_with(end));
    let is_below_home = Path::new(&value).starts_with("~");
    let value = match is_path && !is_below_home && !value.is_empty() {
        true => files::absolute(Path::new(&value)).into_os_string(),
        false if PATH_LISTS.contains(&name) => absolute_list(&value),
        false => value,
    };
    [name.as_bytes(), b"=", value.as_encoded_bytes()].concat()
}

/// Makes each path in a list, such as `one:two`, absolute.
fn absolute_list(list: &OsStr) -> OsString {
    let paths = split_paths(list).filter(|path| !path.as_os_str().is_empty());
    join_paths(paths.map(|path| files::absolute(&path))).unwrap_or_else(|_| list.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::source::SOURCES;

    #[test]
    fn every_declared_variable_is_in_the_digest() {
        for source in SOURCES {
            for name in source.variables {
                let with = |value: &str| {
                    let env = Env::Map(BTreeMap::from([((*name).to_owned(), value.into())]));
                    environment(source, &[], &env)
                };
                assert_ne!(with("/a"), with("/b"), "{name} of {}", source.name);
                assert_eq!(with("/a").len(), 1, "{name} is declared twice");
            }
        }
    }

    #[test]
    fn a_relative_path_is_made_absolute() {
        let parts = variable("AWS_CONFIG_FILE", "c".into());
        let path = files::absolute(Path::new("c")).display().to_string();
        assert_eq!(parts, format!("AWS_CONFIG_FILE={path}").into_bytes());
        assert_eq!(variable("AWS_PROFILE", "c".into()), b"AWS_PROFILE=c");
        let parts = variable("AWS_LOGIN_CACHE_DIRECTORY", "c".into());
        assert_eq!(parts, format!("AWS_LOGIN_CACHE_DIRECTORY={path}").into_bytes());
        let list = |paths: &[&str]| variable("KUBECONFIG", join_paths(paths).unwrap());
        assert_eq!(list(&["", "/a", "c"]), list(&["/a", &path]));
        assert_eq!(variable("AWS_CONFIG_FILE", "~/c".into()), b"AWS_CONFIG_FILE=~/c");
    }
}
