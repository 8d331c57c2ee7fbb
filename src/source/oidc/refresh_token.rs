//! The refresh token from one run to the next: in a file for its owner alone, bound to what it was
//! given for.
//!
//! One that was used may work only once (RFC 9700, section 4.14.2): the lock beside the file is held
//! from reading to replacing it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::client::Client;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::lock::{self, Lock};
use crate::secret::Secret;

const OPTION: &str = "--refresh-token-file";

/// The member that holds the token.
const TOKEN: &str = "refresh_token";

/// Where the refresh token of a client is kept; without a path nothing is.
#[derive(Debug)]
pub(super) struct RefreshTokenFile<'a> {
    pub(super) path: Option<PathBuf>,
    pub(super) client: &'a Client,
}

impl RefreshTokenFile<'_> {
    /// Waits for the lock beside the file.
    pub(super) fn lock(&self, cx: &Context) -> Result<Option<Lock>, Error> {
        self.path.as_ref().map_or(Ok(None), |path| lock::beside(path, cx))
    }

    /// The token, where one is kept that was given for the same.
    ///
    /// # Errors
    /// `CONFIGURATION` where the file is unreadable or holds something else, which must not be lost.
    pub(super) fn read(&self, cx: &Context) -> Result<Option<Secret>, Error> {
        let Some(path) = &self.path else { return Ok(None) };
        let shown = path.display();
        cx.log.warn_if_shared(path);
        let text = match files::read_text(path, OPTION, Kind::Absent) {
            Err(error) if error.kind() == Kind::Absent => return Ok(None),
            text => text?,
        };
        let mut members: Map<String, Value> =
            serde_json::from_str(text.expose()).unwrap_or_default();
        let Some(Value::String(token)) = members.remove(TOKEN) else {
            let what = format!("{shown} holds no refresh token");
            return Err(Error::new(Kind::Configuration, what)
                .fix(format!("check {OPTION}, or remove the file")));
        };
        let token = Secret::new(token);
        if members != self.given_for() {
            cx.log.line(format!("not used: {shown}: it is of another issuer, client or request"));
            return Ok(None);
        }
        Ok(Some(token))
    }

    /// Replaces the token by the one in an answer, where there is one. Trouble is logged: it costs
    /// nobody the subject token.
    pub(super) fn keep(&self, answer: &Map<String, Value>, cx: &Context) {
        let token = answer.get(TOKEN).and_then(Value::as_str).filter(|token| !token.is_empty());
        let (Some(path), Some(token)) = (&self.path, token) else { return };
        let mut members = self.given_for();
        members.insert(TOKEN.to_owned(), token.into());
        let text = Secret::new(Value::from(members).to_string());
        let shown = path.display();
        cx.log.line(match files::replace(path, text.expose().as_bytes()) {
            Ok(()) => format!("refresh token kept in {shown}"),
            Err(error) => format!("refresh token not kept: cannot write {shown}: {error}"),
        });
    }

    /// Removes the file.
    ///
    /// # Errors
    /// `CONFIGURATION` where it stays there.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        files::remove(path).map_err(|error| {
            Error::new(Kind::Configuration, format!("cannot remove {}", path.display()))
                .cause(error)
                .fix(format!("check {OPTION}"))
        })
    }

    fn given_for(&self) -> Map<String, Value> {
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
