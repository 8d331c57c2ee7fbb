//! `exec`: runs a command with a metadata server that stops when the command ends.
//!
//! The command and its children find the server through the variables that Google's libraries read.
//! The command uses the terminal and the standard streams of this process. A signal is passed on to
//! the command, unless the terminal has already sent it to the command: a command such as terraform
//! stops immediately at the second SIGINT.
//! <https://cloud.google.com/compute/docs/metadata/overview>

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, getpgrp, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

use super::serve::FOREVER;
use super::{CommandInfo, Invocation, serving};
use crate::client::credentials::CredentialOptions;
use crate::configuration::VARIABLE;
use crate::configuration::search::METADATA_HOST;
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output, contain_panics};
use crate::error::{Error, Kind};
use crate::program;
use crate::server::{Listener, Server, Wanted};
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
    of_source: false,
    own_source: None,
    rest: Some("COMMAND [ARG]..."),
    example: "wif-token exec --credentials=credentials.json -- ./my-app",
    also: &[],
    run,
};

/// The signals that are passed on.
const PASSED: [i32; 7] = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, SIGWINCH];

/// The signals that a terminal sends to all processes in the foreground.
const OF_TERMINAL: [i32; 3] = [SIGINT, SIGQUIT, SIGWINCH];

/// The variables by which clients select other credentials or no server. The command must have the
/// identity of these credentials.
const REMOVED: [&str; 23] = [
    // The libraries; Node reads the second one.
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
    let Some((name, args)) = invocation.values.rest.split_first() else {
        return Err(Error::new(Kind::Usage, "exec requires a command")
            .fix("add the command after --: wif-token exec -- COMMAND"));
    };
    let settings = serving::settings(invocation, cx)?;
    if options.check_first {
        (settings.fetch)(&Wanted::Access(settings.identity.scopes.clone()), true)?;
    }
    let internal = |error: std::io::Error| {
        Error::new(Kind::Internal, "cannot start the metadata server")
            .cause(error)
            .fix("check TMPDIR, or raise the limit on open files (ulimit -n)")
    };
    let listener = Listener::anywhere()?;
    let address = listener.address().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (ended, _end) = UnixStream::pair().map_err(internal)?;
    let server = Server::new(settings, listener, ended)?;
    // From here on, a signal is passed on to the command, so that the folder is removed at the end.
    program::leave_signals(&PASSED);
    let signals = PASSED.into_iter().filter(|signal| !program::is_ignored(*signal));
    let signals = SignalsInfo::<WithOrigin>::new(signals).map_err(internal)?;
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("wif-token-").permissions(PermissionsExt::from_mode(0o700));
    let folder = builder.tempdir().map_err(internal)?;
    let mut command = Command::new(name);
    command.args(args);
    if let Some(moved) = stdio::moved() {
        command.stdout(moved.stdout.try_clone().map_err(internal)?);
        command.stderr(moved.stderr.try_clone().map_err(internal)?);
    }
    set_variables(&mut command, address, folder.path(), &cx.env);
    invocation.exit.at_deadline(Deadline::after(FOREVER));
    // If the server fails, the command goes on without it.
    let log = cx.log.clone();
    let serve = move || {
        let for_panics = log.clone();
        contain_panics(move |error| for_panics.failure(&error));
        if let Err(error) = server.run() {
            log.failure(&error);
        }
    };
    thread::Builder::new().spawn(serve).map_err(internal)?;
    let child = match program::start_beside(&mut command) {
        Ok(child) => child,
        Err(error) => return Err(not_run(name, error, invocation)),
    };
    let status = wait(child, signals).map_err(internal)?;
    let signal = status.signal().map(|signal| 128 + signal);
    let status = status.code().or(signal).and_then(|status| u8::try_from(status).ok());
    Ok(Output { text: String::new(), status: status.unwrap_or(u8::MAX) })
}

/// Sets the variables through which clients find the server, and removes those of [`REMOVED`].
fn set_variables(command: &mut Command, address: SocketAddr, folder: &Path, env: &Env) {
    for name in [METADATA_HOST, "GCE_METADATA_IP", "GCE_METADATA_ROOT"] {
        command.env(name, address.to_string());
    }
    command.env("METADATA_SERVER_DETECTION", "assume-present");
    // In its own folder, gcloud finds its account, and caches that there is no metadata server.
    command.env("CLOUDSDK_CONFIG", folder);
    REMOVED.iter().for_each(|name| {
        command.env_remove(name);
    });
    let no_proxy = no_proxy(address, env);
    command.env("no_proxy", &no_proxy).env("NO_PROXY", &no_proxy);
}

/// The hosts of both variables, and the address without its port, because some clients do not
/// compare ports.
fn no_proxy(address: SocketAddr, env: &Env) -> OsString {
    let values = ["no_proxy", "NO_PROXY"].map(|name| env.get(name).unwrap_or_default());
    let mut seen = BTreeSet::new();
    let own = OsString::from(address.ip().to_string());
    let hosts = values.iter().flat_map(|value| {
        value.as_encoded_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
    });
    let hosts = hosts.chain([own.as_encoded_bytes()]);
    let hosts: Vec<&[u8]> = hosts.filter(|host| !host.is_empty() && seen.insert(*host)).collect();
    std::os::unix::ffi::OsStringExt::from_vec(hosts.join(&b","[..]))
}

/// The failure to run the command, with the exit status of a shell.
fn not_run(name: &OsStr, error: std::io::Error, invocation: &Invocation) -> Error {
    let shown = show::path(name.as_ref());
    let (status, what, fix) = match error.kind() {
        ErrorKind::NotFound => {
            (NOT_FOUND, format!("{shown} was not found"), "correct the command after --")
        }
        _ => (NOT_RUN, format!("cannot run {shown}"), "correct the command after --"),
    };
    invocation.exit.set_form(FailureForm { status: Some(status), ..FailureForm::MESSAGE });
    let what = Error::new(Kind::Configuration, what);
    if status == NOT_FOUND { what.fix(fix) } else { what.cause(error).fix(fix) }
}

/// Waits until the command ends, and passes signals on to it.
fn wait(mut child: Child, mut signals: SignalsInfo<WithOrigin>) -> std::io::Result<ExitStatus> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return child.wait();
    };
    // Once the child has been waited for, its process ID may be reused.
    let running = Arc::new(Mutex::new(true));
    let handle = signals.handle();
    let is_running = running.clone();
    let passing = thread::Builder::new().spawn(move || {
        for origin in signals.forever() {
            let running = is_running.lock().unwrap_or_else(PoisonError::into_inner);
            if *running && !has_been_delivered(&origin, pid) {
                let _ =
                    Signal::from_named_raw(origin.signal).map(|signal| kill_process(pid, signal));
            }
        }
    })?;
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    *running.lock().unwrap_or_else(PoisonError::into_inner) = false;
    handle.close();
    let _ = passing.join();
    child.wait()
}

/// Whether the terminal has sent the signal to the child too: it sends one to every process of the
/// foreground group.
fn has_been_delivered(origin: &Origin, child: Pid) -> bool {
    OF_TERMINAL.contains(&origin.signal)
        && matches!(origin.cause, Cause::Kernel)
        && getpgid(Some(child)).is_ok_and(|group| group == getpgrp())
}
