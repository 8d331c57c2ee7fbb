//! `exec`: runs a command with a metadata server that stops when the command ends.
//!
//! The command and its children find the server through the variables that Google's libraries read.
//! The command uses the terminal and the standard streams of this process. A signal is passed on to
//! the command, unless the terminal has already sent it to the command: a command such as terraform
//! stops immediately at the second SIGINT.
//! <https://cloud.google.com/compute/docs/metadata/overview>

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;

use self::system::Signals;
use super::serve::FOREVER;
use super::{After, CommandInfo, Invocation, serving};
use crate::client::credentials::CredentialOptions;
use crate::configuration::VARIABLE;
use crate::configuration::search::METADATA_HOST;
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output, contain_panics};
use crate::error::{Error, Kind};
use crate::files::{MORE_FILES, TemporaryDirectory};
use crate::program;
use crate::server::{Listener, Server, Waker, Wanted};
use crate::show;
use crate::stdio;
use crate::world::{Deadline, Env};

options! {
    /// Options of `exec`.
    struct Options {
        /// get an access token first, and start the command only if this succeeds
        check_first: bool = "--check-first",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "exec",
    summary: "run a command that gets its tokens from a metadata server",
    options: &[CredentialOptions::TABLE, Options::TABLE, serving::Options::TABLE],
    after: After::Options,
    own_source: None,
    rest: Some("COMMAND [ARG]..."),
    example: "wif-token exec --credentials=credentials.json -- ./my-app",
    also: &[],
    run,
};

/// The variables with which clients would select other credentials, or not use the server. They are
/// removed, so that the command has the identity of the credentials of `exec`.
const REMOVED: [&str; 23] = [
    // Google's libraries; only Node reads the second variable.
    VARIABLE,
    "google_application_credentials",
    "NO_GCE_CHECK",
    "GCE_METADATA_MTLS_MODE",
    // The libraries for Ruby; Terraform reads the last two as well.
    "GOOGLE_CLOUD_CREDENTIALS",
    "GOOGLE_CLOUD_CREDENTIALS_JSON",
    "GOOGLE_CLOUD_KEYFILE",
    "GCLOUD_KEYFILE",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    // Terraform: https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference
    "GOOGLE_CREDENTIALS",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
    "GOOGLE_BACKEND_CREDENTIALS",
    "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT",
    // gcloud: https://cloud.google.com/sdk/docs/properties
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "CLOUDSDK_AUTH_AUTHORIZATION_TOKEN_FILE",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
    "CLOUDSDK_AUTH_DISABLE_CREDENTIALS",
    "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
    "CLOUDSDK_CORE_ACCOUNT",
    "CLOUDSDK_CORE_CHECK_GCE_METADATA",
];

/// The exit statuses of a shell for a command that is not found, and one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let words = invocation.values.rest.split_first();
    let Some((name, args)) = words.filter(|(name, _)| !name.is_empty()) else {
        return Err(Error::new(Kind::Usage, "exec requires a command")
            .fix("add the command after --: wif-token exec -- COMMAND"));
    };
    let settings = serving::settings(invocation, None, cx)?;
    if options.check_first {
        (settings.fetch)(&Wanted::Access(settings.identity.scopes.clone()), true)?;
    }
    let unstarted = |error: std::io::Error| {
        let temporary = if cfg!(windows) { "TEMP" } else { "TMPDIR" };
        Error::new(Kind::Configuration, "cannot start the metadata server")
            .cause(error)
            .fix(format!("check {temporary}, or {MORE_FILES}"))
    };
    let listener = Listener::anywhere()?;
    let address = listener.address().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (ended, _end) = Waker::new().map_err(unstarted)?;
    let server = Server::new(settings, listener, ended)?;
    // From now on, a signal is passed on to the command, so that the folder is removed at the end.
    let signals = Signals::catch().map_err(unstarted)?;
    let folder = TemporaryDirectory::new().map_err(unstarted)?;
    let mut command = system::command(name, &cx.env);
    command.args(args);
    if let Some(moved) = stdio::moved() {
        command.stdout(moved.stdout.try_clone().map_err(unstarted)?);
        command.stderr(moved.stderr.try_clone().map_err(unstarted)?);
    }
    set_variables(&mut command, address, folder.path(), &cx.env);
    invocation.exit.at_deadline(Deadline::after(FOREVER));
    // If the server fails, the command continues without it.
    let log = cx.log.clone();
    let serve = move || {
        let for_panics = log.clone();
        contain_panics(move |error| for_panics.failure(&error));
        if let Err(error) = server.run() {
            log.failure(&error);
        }
    };
    thread::Builder::new().spawn(serve).map_err(unstarted)?;
    let child = match system::start(&mut command) {
        Ok(child) => child,
        Err(error) => return Err(not_run(name, error, invocation, &cx.env)),
    };
    let status = system::wait(child, signals).map_err(unstarted)?;
    Ok(Output { text: String::new(), status })
}

/// Sets the variables through which clients find the server, and removes those of [`REMOVED`].
fn set_variables(command: &mut Command, address: SocketAddr, folder: &Path, env: &Env) {
    for name in [METADATA_HOST, "GCE_METADATA_IP", "GCE_METADATA_ROOT"] {
        command.env(name, address.to_string());
    }
    command.env("METADATA_SERVER_DETECTION", "assume-present");
    // In its usual folder, gcloud would find its own account, and may have cached that there is no
    // metadata server.
    command.env("CLOUDSDK_CONFIG", folder);
    REMOVED.iter().for_each(|name| {
        command.env_remove(name);
    });
    let no_proxy = no_proxy(address, env);
    command.env("no_proxy", &no_proxy).env("NO_PROXY", &no_proxy);
}

/// The hosts of both variables, and the address without its port, because some clients do not
/// compare ports. A `*` means every host only if it is the whole value.
fn no_proxy(address: SocketAddr, env: &Env) -> OsString {
    let values = ["no_proxy", "NO_PROXY"].map(|name| env.get(name).unwrap_or_default());
    if values.iter().any(|value| value.as_encoded_bytes().trim_ascii() == b"*") {
        return "*".into();
    }
    let mut seen = BTreeSet::new();
    let own = OsString::from(address.ip().to_string());
    let hosts = values.iter().flat_map(|value| {
        value.as_encoded_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
    });
    let hosts = hosts.chain([own.as_encoded_bytes()]);
    let hosts: Vec<&[u8]> = hosts.filter(|host| !host.is_empty() && seen.insert(*host)).collect();
    system::os_string(hosts.join(&b","[..]))
}

/// The error if the command cannot be run. Sets the exit status that a shell would return.
fn not_run(name: &OsStr, error: std::io::Error, invocation: &Invocation, env: &Env) -> Error {
    let explained = program::explain(name, &error, env);
    let is_found = explained.is_some() || error.kind() != ErrorKind::NotFound;
    let status = Some(if is_found { NOT_RUN } else { NOT_FOUND });
    invocation.exit.set_form(FailureForm { status, ..FailureForm::MESSAGE });
    let place = "the command after --";
    let whole = || program::whole_command_line(name, place, Kind::Configuration, env);
    explained.or_else(|| (!is_found).then(whole).flatten()).unwrap_or_else(|| {
        let shown = show::path(name.as_ref());
        match is_found {
            true => Error::new(Kind::Configuration, format!("cannot run {shown}")).cause(error),
            false => Error::new(Kind::Configuration, format!("{shown} was not found")),
        }
        .fix("correct the command after --")
    })
}
