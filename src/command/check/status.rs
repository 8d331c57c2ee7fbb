//! The status of a check.

/// Where the message of a check begins, in columns.
pub(super) const COLUMN: usize = 25;

/// The status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It works.
    Ok,
    /// It works here but may fail on another host or later.
    Warning,
    /// It is broken.
    Error,
    /// It was not checked.
    Skipped,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Error => "error",
            Status::Skipped => "skipped",
        }
    }
}
