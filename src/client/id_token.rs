//! The ID tokens that the source `google` uses as subject tokens.
//!
//! The credentials in a file can require a subject token themselves, which can come from the source
//! `google` again. Each file is used at most once: a command that leads back to its own file would
//! start one program after another without end.

use std::path::Path;

use super::credentials::{Credentials, Origin};
use super::token_cache;
use crate::configuration::search::{self, Place};
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::program;
use crate::secret::Secret;
use crate::show;
use crate::world::IN_SOURCE_GOOGLE;

/// How many of the processes that led to a run may have its arguments: a wrapper of this program
/// has them too.
const MOST_REPETITIONS: usize = 1;

/// The option of the source `google` with the path of the file.
const OPTION: &str = "--credentials";

/// Gets an ID token with the email address of the service account, with the credentials in a file
/// or from the metadata server.
///
/// # Errors
/// `ABSENT` if there is no metadata server, `CONFIGURATION` if the file does not lead to a service
/// account or uses itself, and those of [`Credentials::id_token`].
pub(super) fn get(path: Option<&Path>, audience: &str, cx: &Context) -> Result<Secret, Error> {
    let id_token = |credentials: Credentials, cx: &Context| {
        credentials.id_token(audience, true, "--audience", cx).map(|token| token.text)
    };
    let Some(path) = path else {
        let origin = search::metadata_server(cx)?.map_err(|none| {
            Error::new(Kind::Absent, "there is no metadata server of Google Cloud")
                .cause(none.why())
                .fix(format!("{}, or add {OPTION}=FILE", none.fix()))
        })?;
        return id_token(Credentials::at(Place::MetadataServer(origin))?, cx);
    };
    let cx = inside(path, cx)?;
    let credentials = of_file(path)?;
    match (&credentials.origin, credentials.hops.as_slice()) {
        (Origin::User(_), []) => Err(no_service_account(path)
            .cause("the audience of a user's ID token is always the OAuth client of the sign-in")
            .fix(
                "create the file with gcloud auth application-default login \
                 --impersonate-service-account=EMAIL",
            )),
        (Origin::ExternalAccount(_), []) => Err(no_service_account(path)
            .cause("only a service account has ID tokens")
            .fix("create the file with wif-token config SOURCE --service-account=EMAIL")),
        _ => id_token(credentials, &cx),
    }
}

/// Identifies the principal of the tokens that the credentials in a file, or the metadata server,
/// return. Every host has a metadata server at the same address, but with a different account.
///
/// # Errors
/// `CONFIGURATION` if the file cannot be read or uses itself.
pub(super) fn identity(path: Option<&Path>, cx: &Context) -> Result<String, Error> {
    let Some(path) = path else {
        let cx = cx.narrowed(|world, _| world.env = world.env.undeclared().clone());
        return Ok(token_cache::host(&cx));
    };
    let cx = inside(path, cx)?;
    of_file(path)?.fingerprint(&cx)
}

fn of_file(path: &Path) -> Result<Credentials, Error> {
    Credentials::at(Place::File(path.to_owned(), OPTION))
}

fn no_service_account(path: &Path) -> Error {
    let what = format!("{} does not name a service account", show::path(path));
    Error::new(Kind::Configuration, what)
}

/// Creates the context in which the credentials of a file are used. It contains all variables,
/// because they belong to the identity of the credentials.
///
/// # Errors
/// `CONFIGURATION` if a command in the same file led to this run.
fn inside(path: &Path, cx: &Context) -> Result<Context, Error> {
    let real = path.canonicalize().unwrap_or_else(|_| files::absolute(path));
    let this = digest([real.as_os_str().as_encoded_bytes()].into_iter());
    let before = cx.env.text(IN_SOURCE_GOOGLE)?.unwrap_or_default();
    // A program between two runs may have removed the variable.
    if before.split(',').any(|file| file == this) || program::repetitions() > MOST_REPETITIONS {
        let what = format!("the credential file {} uses itself", show::path(path));
        return Err(Error::new(Kind::Configuration, what)
            .cause(format!("its executable.command leads to wif-token google with this {OPTION}"))
            .fix(format!(
                "set {OPTION} to the file with the credentials of this workload, and not to the \
                 configuration that runs wif-token google"
            )));
    }
    let files = format!("{before},{this}");
    Ok(cx.narrowed(|world, _| {
        world.env = world.env.undeclared().clone().with(IN_SOURCE_GOOGLE, &files);
    }))
}
