//! The one error type: what kind it is, what happened, and what to do about it.
//!
//! An error is part of the product. It is printed on one line as `what: cause; fix`, where the
//! fix names the option, variable, command or setting to change. The kind is both the `code` of
//! the failure document and the exit status, because Go, Terraform and Java show a failure's exit
//! status and nothing else.
//!
//! No error carries a token, a secret or the body of an answer. Words of a far end pass through
//! [`redacted`] first.

use std::fmt;

/// The class of a failure: the wire `code` and the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong. Nothing was tried.
    Usage,
    /// An option, a variable or a file has to be changed.
    Configuration,
    /// What this source reads does not exist in this environment.
    Absent,
    /// The far end said no.
    Denied,
    /// No usable answer came; trying again may help.
    Unreachable,
    /// An answer came that breaks the standard.
    Protocol,
    /// The token is over.
    Expired,
    /// A defect of this program.
    Internal,
}

/// Every kind, its wire code, its exit status and its meaning, for the help and the parser.
pub const KINDS: &[(Kind, &str, u8, &str)] = &[
    (Kind::Usage, "USAGE", 2, "the command line"),
    (Kind::Configuration, "CONFIGURATION", 3, "an option, variable or file to change"),
    (Kind::Absent, "ABSENT", 4, "what the source reads does not exist here"),
    (Kind::Denied, "DENIED", 5, "the far end said no"),
    (Kind::Unreachable, "UNREACHABLE", 6, "no usable answer, worth a retry"),
    (Kind::Protocol, "PROTOCOL", 7, "an answer that breaks the standard"),
    (Kind::Expired, "EXPIRED", 8, "the token is over"),
    (Kind::Internal, "INTERNAL", 9, "a defect of wif-token"),
];

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

    /// The kind of a wire code, where it is one of ours.
    pub fn from_code(code: &str) -> Option<Kind> {
        KINDS.iter().find(|row| row.1 == code).map(|row| row.0)
    }
}

/// A failure. Displayed as `what: cause; fix` on one line.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    cause: Option<String>,
    fix: Option<String>,
    offline: bool,
}

impl Error {
    /// A failure of `kind`; `what` says what happened, in lower case and without a full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), cause: None, fix: None, offline: false }
    }

    /// The failure of a request that is not sent because the run is offline.
    pub fn offline() -> Error {
        Error { offline: true, ..Error::new(Kind::Configuration, "no request is sent offline") }
    }

    /// Whether a request was not sent because the run is offline.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Adds why it happened.
    pub fn cause(mut self, cause: impl fmt::Display) -> Error {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds what to do: the option, variable, command or setting to change.
    pub fn fix(mut self, fix: impl Into<String>) -> Error {
        self.fix = Some(fix.into());
        self
    }

    /// The same failure in another class.
    pub fn of_kind(self, kind: Kind) -> Error {
        Error { kind, ..self }
    }

    /// The class of this failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened and why, on one line, without what to do.
    pub fn what(&self) -> String {
        match &self.cause {
            Some(cause) => one_line(&format!("{}: {cause}", self.what)),
            None => one_line(&self.what),
        }
    }

    /// What to do.
    pub fn how_to_fix(&self) -> Option<String> {
        self.fix.as_deref().map(one_line)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())?;
        self.how_to_fix().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl std::error::Error for Error {}

/// Makes text fit for one line of a log or a terminal: control characters become blanks, as do the
/// marks that reorder text.
pub fn one_line(text: &str) -> String {
    let reorders = |c| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || reorders(c) { ' ' } else { c }).collect()
}

/// Words of a far end, made fit for a message: one line, at most 300 characters, and without the
/// `secrets` of the request or anything that looks like a token, should the far end repeat them.
pub fn redacted(text: &str, secrets: &[&str]) -> String {
    let mut text = one_line(text);
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "[secret]");
    }
    let words: Vec<&str> =
        text.split_whitespace().map(|w| if w.contains("eyJ") { "[token]" } else { w }).collect();
    let mut text = words.join(" ");
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
    fn prints_what_cause_and_hint_on_one_line() {
        let error = Error::new(Kind::Denied, "the issuer refused")
            .cause("invalid_client\r\nSet-Cookie: x\u{202e}")
            .fix("check --client-id");
        assert_eq!(
            error.to_string(),
            "the issuer refused: invalid_client  Set-Cookie: x ; check --client-id"
        );
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
    fn redacted_text_hides_what_the_far_end_repeats() {
        let words = redacted("bad secret hunter22\nin eyJhbGciOi.x.y now", &["hunter22"]);
        assert_eq!(words, "bad secret [secret] in [token] now");
    }

    #[test]
    fn redacted_text_is_short() {
        assert_eq!(redacted(&"é".repeat(1000), &[]).chars().count(), 301);
    }
}
