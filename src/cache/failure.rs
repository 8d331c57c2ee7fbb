//! The failure of an earlier run in the lock file: for runs that wait, and, if the server refused
//! the request, for runs that start within a few seconds.

use serde_json::{Value, json};

use super::dependencies::Dependencies;
use crate::error::{Error, Kind};
use crate::files;
use crate::time::rfc3339;

/// How long a refusal is remembered, in milliseconds. Clients retry a failing helper many times
/// (kubectl 24 times), and an identity provider locks an account after a few wrong passwords.
const REMEMBERED_MS: i64 = 10_000;

/// Which refusals of earlier runs are reported for a few seconds without a new attempt.
#[derive(Debug, Clone, Copy)]
pub enum Refusals {
    /// None.
    None,
    /// Those that depend only on the request and on files, so that every change is noticed.
    Observed,
    /// All.
    All,
}

/// The failure of an earlier run.
pub(super) struct Failure {
    request: String,
    files: Dependencies,
    /// When it happened, in milliseconds since 1970.
    pub(super) time_ms: i64,
    is_lost: bool,
    /// Whether it depends only on the request and on the files.
    is_observed: bool,
    kind: Kind,
    message: String,
    fix: String,
}

impl Failure {
    /// Builds the content of a lock file after this failure of a request.
    pub(super) fn record(error: &Error, request: &str, now_ms: i64) -> String {
        json!({
            "request": request,
            "files": Dependencies::seen().to_json(),
            "failed_at_ms": now_ms,
            "lost": error.is_lost(),
            "observed": files::has_seen_all(),
            "code": error.kind().code(),
            "message": error.what(),
            "fix": error.how_to_fix(),
        })
        .to_string()
    }

    /// Reads the failure from the content of a lock file.
    pub(super) fn read(content: &[u8]) -> Option<Failure> {
        let record: Value = serde_json::from_slice(content).ok()?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let is = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
        Some(Failure {
            request: text("request")?.to_owned(),
            files: Dependencies::read(record.get("files")?)?,
            time_ms: record.get("failed_at_ms")?.as_i64()?,
            is_lost: is("lost"),
            is_observed: is("observed"),
            kind: Kind::from_code(text("code")?)?,
            message: text("message")?.to_owned(),
            fix: text("fix")?.to_owned(),
        })
    }

    /// The error that a run reports after it waited for the lock.
    pub(super) fn error(self) -> Error {
        Error::new(self.kind, self.message).fix(self.fix)
    }

    /// Whether another attempt at the same request would fail in the same way. If a file has
    /// changed, such as one with a secret, the request is sent at once. The variables of a request
    /// are part of its digest.
    pub(super) fn concerns(&self, request: &str) -> bool {
        self.request == request && !self.is_lost && self.files.are_unchanged()
    }

    /// Whether the failure is one of these refusals and is still remembered.
    pub(super) fn is_recent(&self, refusals: Refusals, now_ms: i64) -> bool {
        let is_meant = match refusals {
            Refusals::None => false,
            Refusals::Observed => self.is_observed,
            Refusals::All => true,
        };
        let since = now_ms.saturating_sub(self.time_ms);
        is_meant && self.kind == Kind::Denied && (0..REMEMBERED_MS).contains(&since)
    }

    /// The error that a run reports if it starts later.
    pub(super) fn remembered(self) -> Error {
        let until = rfc3339((self.time_ms + REMEMBERED_MS) / 1000 + 1);
        let fix = format!(
            "{}; until {until}, this failure is reported without a new attempt, so that the \
             account is not locked",
            self.fix
        );
        self.error().fix(fix)
    }
}

/// Whether `content` is a recorded failure, or the beginning of one.
pub(super) fn is_record(content: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(content) {
        Ok(record) => ["request", "failed_at_ms"].iter().all(|name| record.get(name).is_some()),
        Err(error) => error.is_eof() && content.starts_with(br#"{"request":"#),
    }
}
