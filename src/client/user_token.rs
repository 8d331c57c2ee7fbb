//! The access token of a user who signed in, and the refresh token, which the token endpoint for
//! workforce identity pools may replace at each use.
//!
//! The old refresh token stops working when it is replaced, so a new one must not be lost. The
//! credential file is locked from the time that the refresh token is read until the new one is
//! stored, so no other run uses the file in between. If the file cannot be written, the new token
//! is stored in the private cache, and used as long as the file contains the token that it
//! replaces. If a run is killed after it has written the new token to a temporary file, the next
//! run finishes the update.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::token_cache;
use crate::configuration::credential_file::CredentialFile;
use crate::configuration::user::UserCredentials;
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Existing};
use crate::google::refresh::{self, Refreshed};
use crate::lock;
use crate::secret::Secret;
use crate::show;

/// The member with the refresh token, in the credential file and in the private cache.
const TOKEN: &str = "refresh_token";

/// The member with the digest of the token that the stored token replaces.
const REPLACES: &str = "replaces";

/// Gets an access token with these scopes.
///
/// # Errors
/// The errors of [`refresh::refresh`]; `CONFIGURATION` if a new refresh token cannot be stored, or
/// the credentials of a workforce user are not in a file.
pub fn get(user: &UserCredentials, scopes: &[String], cx: &Context) -> Result<Refreshed, Error> {
    if !user.is_workforce {
        // Google does not replace the refresh token of a Google account.
        return refresh::refresh(user, &user.refresh_token, scopes, cx, |_| Ok(()));
    }
    let store = Store { user, path: user.path.canonicalize().unwrap_or(user.path.clone()) };
    if !store.path.is_file() {
        let what = format!("{} is not a regular file", show::path(&user.path));
        return Err(Error::new(Kind::Configuration, what)
            .cause(
                "the refresh token of a workforce user is replaced at each use and must be stored",
            )
            .fix("save the credentials in a regular file, and use the path of that file"));
    }
    if cx.is_offline() {
        // With `--offline`, the file is neither locked nor changed.
        return refresh::refresh(user, &user.refresh_token, scopes, cx, |_| Ok(()));
    }
    let kept = store.kept(cx);
    // A request that is cut off by the deadline may lose the new refresh token, so enough time must
    // remain.
    let reserve = cx.deadline.remaining() / 2;
    let mut lock = lock::beside(&store.path, reserve, cx)?;
    match (&lock, &kept) {
        (Some(_), _) => store.finish_update(cx),
        (None, Some(kept)) => lock = lock::beside(kept, reserve, cx)?,
        (None, None) => {}
    }
    let in_file = store.in_file()?;
    let current = kept.as_ref().and_then(|kept| read_kept(kept, &in_file));
    let sent = current.as_ref().unwrap_or(&in_file);
    let refreshed = refresh::refresh(user, sent, scopes, cx, |new| {
        store.write(&in_file, new).or_else(|why| {
            let shown = show::path(&store.path);
            cx.log.line(format!("cannot store the new refresh token in {shown}: {why}"));
            keep(kept.as_ref(), &in_file, new).map_err(|error| lost(&shown, &why, &error))
        })
    });
    drop(lock);
    refreshed
}

/// A digest of a refresh token.
fn of(token: &Secret) -> String {
    digest([token.expose().as_bytes()].into_iter())
}

/// The credential file.
struct Store<'a> {
    user: &'a UserCredentials,
    /// The file itself, and not a link to it.
    path: PathBuf,
}

impl Store<'_> {
    /// The path of the file in the private cache.
    fn kept(&self, cx: &Context) -> Option<PathBuf> {
        let digest = digest([self.path.as_os_str().as_encoded_bytes()].into_iter());
        token_cache::path(token_cache::REFRESH_TOKEN, &digest, cx)
    }

    /// Reads the refresh token that is in the file now.
    fn in_file(&self) -> Result<Secret, Error> {
        let mut file = CredentialFile::read(&self.path, "--credentials")?;
        loop {
            file = match file {
                CredentialFile::Impersonated { source, .. } => *source,
                CredentialFile::User(user) => return Ok(user.refresh_token),
                CredentialFile::ExternalAccount(_) => {
                    let what = format!("{} was replaced during this run", show::path(&self.path));
                    return Err(Error::new(Kind::Configuration, what).fix("run wif-token again"));
                }
            };
        }
    }

    /// Replaces the refresh token in the file if it still contains `old`. All other members stay
    /// unchanged.
    fn write(&self, old: &Secret, new: &Secret) -> Result<(), String> {
        let text = files::read_text(&self.path, "--credentials", Kind::Configuration);
        let text = text.map_err(|error| error.to_string())?;
        let mut value: Value =
            serde_json::from_str(text.expose()).map_err(|_| "it is not JSON".to_owned())?;
        match self.token(&mut value) {
            Some(member) if *member == old.expose() => *member = new.expose().into(),
            // The user has signed in again in the meantime.
            _ => return Ok(()),
        }
        let text = Secret::new(format!("{value:#}"));
        files::update(&self.path, text.expose().as_bytes()).map_err(|error| error.to_string())
    }

    /// The member with the refresh token in the content of the file.
    fn token<'v>(&self, content: &'v mut Value) -> Option<&'v mut Value> {
        let object = match self.user.inside {
            Some(name) => content.get_mut(name)?,
            None => content,
        };
        object.get_mut(TOKEN)
    }

    /// Finishes the update of a run that was killed before its last step, when only the temporary
    /// file contains the valid refresh token. The caller holds the lock.
    fn finish_update(&self, cx: &Context) {
        let changed = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
        let mut left = files::leftovers(&self.path);
        if left.is_empty() {
            return;
        }
        let file = changed(&self.path).unwrap_or(SystemTime::UNIX_EPOCH);
        left.retain(|left| changed(left).is_some_and(|time| time >= file));
        left.sort_by_key(changed);
        if let Some(content) = left.last().and_then(|left| self.with_other_token(left)) {
            let shown = show::path(&self.path);
            match files::update(&self.path, content.expose().as_bytes()) {
                Ok(()) => cx.log.line(format!("completed the interrupted update of {shown}")),
                // The temporary file is kept for the next run.
                Err(why) => {
                    return cx
                        .log
                        .line(format!("cannot complete the interrupted update of {shown}: {why}"));
                }
            }
        }
        files::remove_leftovers(&self.path);
    }

    /// Reads a temporary file, if it is complete and differs from the credential file only in the
    /// refresh token.
    fn with_other_token(&self, left: &Path) -> Option<Secret> {
        let bytes = ownership::read_trusted(left).ok()??;
        let content = Secret::new(std::str::from_utf8(&bytes).ok()?);
        let text = files::read_text(&self.path, "--credentials", Kind::Configuration).ok()?;
        let [mut new, mut old] = [&content, &text].map(|text| serde_json::from_str(text.expose()));
        let (new, old) = (new.as_mut().ok()?, old.as_mut().ok()?);
        let [new_token, old_token] = [self.token(new)?.take(), self.token(old)?.take()];
        (new == old && new_token.is_string() && new_token != old_token).then_some(content)
    }
}

/// Reads the stored token, if it replaces the one in the credential file.
fn read_kept(path: &Path, in_file: &Secret) -> Option<Secret> {
    let bytes = ownership::read_trusted(path).ok()??;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let replaces = value.get(REPLACES)?.as_str()?;
    (replaces == of(in_file)).then_some(Secret::new(value.get(TOKEN)?.as_str()?))
}

/// Stores a refresh token in the private cache.
fn keep(path: Option<&PathBuf>, in_file: &Secret, new: &Secret) -> Result<(), String> {
    let path = path.ok_or("there is no private cache")?;
    let record = json!({ REPLACES: of(in_file), TOKEN: new.expose() });
    let record = Secret::new(record.to_string());
    let is_ours = |existing: &Existing<'_>| {
        serde_json::from_slice::<Value>(existing.content)
            .is_ok_and(|value| value.get(REPLACES).is_some())
    };
    files::replace(path, record.expose().as_bytes(), is_ours).map_err(|error| error.to_string())?;
    files::remove_leftovers(path);
    Ok(())
}

fn lost(shown: &str, why: &str, other: &str) -> Error {
    Error::new(Kind::Configuration, format!("the new refresh token cannot be stored in {shown}"))
        .cause(format!("{why} (in the private cache: {other})"))
        .fix(
            "check the permissions of the file and the free disk space, then sign in again with \
             gcloud auth application-default login",
        )
}
