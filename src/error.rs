//! The error type of this program: kind, what happened, cause and fix.
//!
//! An error is printed on one line as `what: cause; fix`. The fix names the option, variable,
//! command or setting to change. The kind is both the `code` of the failure document and the exit
//! status, because Go, Terraform and Java only show the exit status of a program that failed.
//!
//! No error contains a token, a secret or the body of a response. The text of a server's error
//! message passes through [`redacted`] first.

use std::fmt;

use crate::redaction;
use crate::secret::Secret;
use crate::show::scrubbed;

/// The kind of a failure: the `code` of the failure document and the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong. Nothing else was done.
    Usage,
    /// An option, a variable or a file must be changed.
    Configuration,
    /// The source does not exist in this environment.
    Absent,
    /// The server refused the request.
    Denied,
    /// There was no usable response. Trying again may help.
    Unreachable,
    /// The response does not conform to the standard.
    Protocol,
    /// The token has expired.
    Expired,
    /// A bug in this program.
    Internal,
}

/// Every kind with its code, its exit status and its meaning, for the help and the manual.
pub const KINDS: &[(Kind, &str, u8, &str)] = &[
    (Kind::Usage, "USAGE", 2, "the command line is wrong"),
    (Kind::Configuration, "CONFIGURATION", 3, "an option, variable or file must be changed"),
    (Kind::Absent, "ABSENT", 4, "the source does not exist in this environment"),
    (Kind::Denied, "DENIED", 5, "the server refused the request"),
    (Kind::Unreachable, "UNREACHABLE", 6, "there was no usable response; trying again may help"),
    (Kind::Protocol, "PROTOCOL", 7, "the response does not conform to the standard"),
    (Kind::Expired, "EXPIRED", 8, "the token has expired"),
    (Kind::Internal, "INTERNAL", 9, "a bug in wif-token"),
];

/// Why a request is not sent with the option `--offline`.
pub const OFFLINE: &str = "no requests are sent with --offline";

impl Kind {
    fn row(self) -> (&'static str, u8) {
        let row = KINDS.iter().find(|row| row.0 == self);
        row.map_or(("INTERNAL", 9), |row| (row.1, row.2))
    }

    /// The `code` of the failure document, such as `DENIED`.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// The exit status, 2 to 9.
    pub fn exit_status(self) -> u8 {
        self.row().1
    }

    /// The kind with this code, if there is one.
    pub fn from_code(code: &str) -> Option<Kind> {
        KINDS.iter().find(|row| row.1 == code).map(|row| row.0)
    }
}

/// A failure, displayed as `what: cause; fix` on one line. It is boxed so that a `Result` stays
/// small.
#[derive(Debug, Clone)]
pub struct Error(Box<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    kind: Kind,
    what: String,
    cause: Option<String>,
    fix: Option<String>,
    offline: bool,
    lost: bool,
    local: bool,
    unwritten: bool,
    limit: Option<i64>,
}

impl Error {
    /// Creates a failure of this kind. `what` states what happened, in lower case and without a
    /// full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error(Box::new(Failure {
            kind,
            what: what.into(),
            cause: None,
            fix: None,
            offline: false,
            lost: false,
            local: false,
            unwritten: false,
            limit: None,
        }))
    }

    /// Creates the failure for a bug in this program. `what` is as in [`Error::new`].
    pub fn bug(what: impl Into<String>) -> Error {
        Error::new(Kind::Internal, what).fix(
            "report this bug: include this message, the command line without secrets, and the \
             output of wif-token --version",
        )
    }

    /// Creates the failure of a request that was not sent because of `--offline`.
    pub fn offline() -> Error {
        let mut error = Error::new(Kind::Configuration, OFFLINE);
        error.0.offline = true;
        error
    }

    /// Whether a request was not sent because of `--offline`.
    pub fn is_offline(&self) -> bool {
        self.0.offline
    }

    /// Marks the failure as that of a request whose response was lost, or that a proxy refused.
    pub fn lost(mut self) -> Error {
        self.0.lost = true;
        self
    }

    /// Whether the failure says nothing about other requests, because the response was lost or a
    /// proxy refused the request.
    pub fn is_lost(&self) -> bool {
        self.0.lost
    }

    /// Marks the cause of the failure as a setting of this host, such as its proxy.
    pub fn local(mut self) -> Error {
        self.0.local = true;
        self
    }

    /// Whether the cause is a setting of this host, so that the server was not reached and its URL
    /// need not be changed.
    pub fn is_local(&self) -> bool {
        self.0.local
    }

    /// Marks the failure as that of writing a token that the server has issued.
    pub fn unwritten(mut self) -> Error {
        self.0.unwritten = true;
        self
    }

    /// Whether there was a token, but it could not be written.
    pub fn is_unwritten(&self) -> bool {
        self.0.unwritten
    }

    /// Marks the failure as dependent on time: it happens only before, or only after, `limit` (in
    /// seconds since 1970), when something expires or becomes valid.
    pub fn depending_on(mut self, limit: i64) -> Error {
        self.0.limit = Some(limit);
        self
    }

    /// The time that the failure depends on.
    pub fn limit(&self) -> Option<i64> {
        self.0.limit
    }

    /// Sets the cause.
    pub fn cause(mut self, cause: impl fmt::Display) -> Error {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Sets the fix: an imperative that names the option, variable, command or setting to change.
    pub fn fix(mut self, fix: impl Into<String>) -> Error {
        self.0.fix = Some(fix.into());
        self
    }

    /// Removes these secrets from the cause and the fix, which may contain text from a server. A
    /// failure without a cause contains only words of this program, and is not searched: at the
    /// deadline, there is no time for a search.
    pub fn hiding(mut self, secrets: &[Secret]) -> Error {
        let Failure { cause, fix, .. } = &mut *self.0;
        if cause.is_none() {
            return self;
        }
        let secrets = secrets.iter().map(Secret::expose);
        let secrets: Vec<&str> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
        for text in [cause, fix].into_iter().flatten() {
            *text = redaction::remove(text, &secrets);
        }
        self
    }

    /// Replaces the kind.
    pub fn of_kind(mut self, kind: Kind) -> Error {
        self.0.kind = kind;
        self
    }

    /// Prefixes what happened with `place`, where it happened.
    pub fn inside(mut self, place: &str) -> Error {
        self.0.what.insert_str(0, &format!("{place}: "));
        self
    }

    /// The kind of this failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What happened and the cause, on one line, without the fix.
    pub fn what(&self) -> String {
        let Failure { what, cause, .. } = &*self.0;
        match cause {
            Some(cause) => one_line(&format!("{}: {}", scrubbed(what), scrubbed(cause))),
            None => one_line(&scrubbed(what)),
        }
    }

    /// The fix, on one line.
    pub fn how_to_fix(&self) -> Option<String> {
        self.0.fix.as_deref().map(|fix| one_line(&scrubbed(fix)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        self.how_to_fix().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl std::error::Error for Error {}

/// Whether the clock is the cause of a failure that depends on the time `limit`: the clock shows
/// `now` and is `skew` seconds ahead.
pub fn is_of_clock(limit: i64, now: i64, skew: i64) -> bool {
    (limit <= now) != (limit <= now.saturating_sub(skew))
}

/// Makes a text fit on one line of a log or a terminal: control characters, and characters that
/// change the direction of text, become spaces.
pub fn one_line(text: &str) -> String {
    let reorders = |c| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || reorders(c) { ' ' } else { c }).collect()
}

/// The length of the shortest secret that is removed, in bytes. A shorter one may be a word of the
/// message itself, such as `root`.
const SHORTEST: usize = 6;

/// Prepares a text from a server for a message: one line of at most 300 characters, without a full
/// stop at the end. The `secrets` of the request, and words that look like a token, are replaced,
/// because a server may repeat them.
pub fn redacted(text: &str, secrets: &[&str]) -> String {
    let text = one_line(&redaction::remove(text, secrets));
    let words: Vec<&str> =
        text.split_whitespace().map(|w| if w.contains("eyJ") { "[token]" } else { w }).collect();
    let mut text = words.join(" ").trim_end_matches('.').to_owned();
    if let Some((cut, _)) = text.char_indices().nth(300) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cause_and_fix_are_printed_on_one_line() {
        let error = Error::new(Kind::Denied, "the issuer refused")
            .cause("invalid_client\r\nSet-Cookie: x\u{202e}")
            .fix("check --client-id");
        assert_eq!(
            error.to_string(),
            "the issuer refused: invalid_client  Set-Cookie: x ; check --client-id"
        );
    }

    #[test]
    fn the_clock_is_the_cause_if_a_correct_one_changes_the_result() {
        for (limit, now, skew, expected) in [
            (1000, 2000, 1200, true),  // not expired yet at 800
            (1000, 2000, 600, false),  // expired at 1400 too
            (3000, 2000, -1200, true), // already valid at 3200
            (3000, 2000, -600, false), // not valid yet at 2600 either
            (i64::MAX, 2000, i64::MIN, true),
        ] {
            assert_eq!(is_of_clock(limit, now, skew), expected, "{limit} {skew}");
        }
    }

    #[test]
    fn codes_and_exit_statuses_are_distinct_and_round_trip() {
        for (index, (kind, code, status, _)) in KINDS.iter().enumerate() {
            assert_eq!(usize::from(*status), index + 2);
            assert_eq!(Kind::from_code(code), Some(*kind));
            assert_eq!(kind.code(), *code);
            assert_eq!(kind.exit_status(), *status);
        }
        assert_eq!(Kind::from_code("NONSENSE"), None);
    }

    #[test]
    fn redacted_text_contains_no_secrets_or_tokens() {
        let words = redacted("bad secret hunter22\nin eyJhbGciOi.x.y now", &["hunter22"]);
        assert_eq!(words, "bad secret [secret] in [token] now");
    }

    #[test]
    fn secrets_are_removed_from_a_failure_and_its_own_words_are_not() {
        let error =
            Error::new(Kind::Protocol, "no token").cause("a member hunter2").fix("ask root");
        let error = error.hiding(&["hunter2", "root"].map(Secret::new));
        assert_eq!(error.to_string(), "no token: a member [secret]; ask root");
    }

    #[test]
    fn redacted_text_is_short() {
        assert_eq!(redacted(&"é".repeat(1000), &[]).chars().count(), 301);
    }
}
