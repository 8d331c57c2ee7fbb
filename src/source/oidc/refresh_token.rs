//! The file that stores the refresh token between runs.
//!
//! Only the owner can read the file. The file also records the issuer, the client and the request
//! that the token belongs to. An issuer may accept each refresh token only once (RFC 9700, section
//! 4.14.2). Therefore the lock next to the file is held from reading the token to replacing it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::Client;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::{self, Existing, Refusal};
use crate::lock::{self, Lock};
use crate::secret::Secret;
use crate::show;
use crate::token;

const OPTION: &str = "--refresh-token-file";

/// The member that contains the token.
const TOKEN: &str = "refresh_token";

/// The refresh token file of a client. Without a path, no token is stored.
#[derive(Debug)]
pub(super) struct RefreshTokenFile<'a> {
    pub(super) path: Option<PathBuf>,
    pub(super) client: &'a Client,
}

impl RefreshTokenFile<'_> {
    /// Waits for the lock next to the file.
    pub(super) fn lock(&self, cx: &Context) -> Result<Option<Lock>, Error> {
        self.path.as_ref().map_or(Ok(None), |path| lock::beside(path, Duration::ZERO, cx))
    }

    /// Reads the stored token; `None` if there is no token for this issuer, client and request.
    ///
    /// # Errors
    /// `CONFIGURATION` if the file cannot be read, or if it is some other file, which must not be
    /// overwritten.
    pub(super) fn read(&self, cx: &Context) -> Result<Option<Secret>, Error> {
        let Some(path) = &self.path else { return Ok(None) };
        let shown = show::path(path);
        cx.log.warn_if_shared(path);
        files::note(path);
        let text = match ownership::read_trusted(path) {
            Ok(Some(text)) if !ownership::is_blank(&text) => text,
            Ok(_) => return Ok(None),
            Err(refusal @ (Refusal::OtherOwner | Refusal::WritableByOthers)) => {
                cx.log.line(format!("the refresh token in {shown} is not used: {refusal}"));
                return Ok(None);
            }
            Err(refusal) => {
                let what = format!("cannot use {shown}");
                let fix = refusal.fix(path, OPTION);
                return Err(Error::new(Kind::Configuration, what).cause(refusal).fix(fix));
            }
        };
        let mut members: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
        let Some(Value::String(token)) = members.remove(TOKEN) else {
            let what = format!("{shown} does not contain a refresh token");
            return Err(Error::new(Kind::Configuration, what)
                .fix(format!("check {OPTION}, or remove the file")));
        };
        let token = Secret::new(token);
        if members != self.identity() {
            cx.log.line(format!(
                "the refresh token in {shown} is not used: \
                 it belongs to a different issuer, client, scope or resource"
            ));
            return Ok(None);
        }
        Ok(Some(token))
    }

    /// Stores the refresh token of a token response, if it has one. An error is only logged,
    /// because the subject token can be used without the file.
    pub(super) fn store(&self, response: &Map<String, Value>, cx: &Context) {
        let token = response.get(TOKEN).and_then(Value::as_str).filter(|token| !token.is_empty());
        let (Some(path), Some(token)) = (&self.path, token) else { return };
        if !token::is_opaque(token) {
            return cx
                .log
                .line("the refresh token in the response is not valid, so it is not stored");
        }
        let mut members = self.identity();
        members.insert(TOKEN.to_owned(), token.into());
        let text = Secret::new(Value::from(members).to_string());
        let shown = show::path(path);
        cx.log.line(match files::replace(path, text.expose().as_bytes(), is_ours) {
            Ok(()) => format!("stored the refresh token in {shown}"),
            Err(error) => format!("cannot store the refresh token in {shown}: {error}"),
        });
    }

    /// Removes the file.
    ///
    /// # Errors
    /// `CONFIGURATION` if the file cannot be removed.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        files::remove(path, is_ours).map_err(|refusal| {
            let fix = refusal.fix(path, OPTION);
            Error::new(Kind::Configuration, format!("cannot remove {}", show::path(path)))
                .cause(refusal)
                .fix(fix)
        })
    }

    /// The members that identify the issuer, the client and the request of the token.
    fn identity(&self) -> Map<String, Value> {
        let Client { issuer, id, scope, resource, .. } = self.client;
        let members = [
            ("issuer", json!(issuer.as_typed())),
            ("client_id", json!(id)),
            ("scope", json!(scope)),
            ("resource", json!(resource)),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Whether a file was written by this program: it has the members of a refresh token file.
fn is_ours(existing: &Existing<'_>) -> bool {
    let members: Map<String, Value> = serde_json::from_slice(existing.content).unwrap_or_default();
    ["issuer", "client_id", "scope", "resource", TOKEN]
        .iter()
        .all(|name| members.contains_key(*name))
}
