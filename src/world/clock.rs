//! The current time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of this host.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// The current time, to compare with the times of files.
    #[allow(clippy::disallowed_methods)] // only this module reads the clock
    pub fn time(self) -> SystemTime {
        SystemTime::now()
    }

    /// Milliseconds since 1970-01-01 UTC; 0 if the clock is set to an earlier time.
    pub fn now_ms(self) -> i64 {
        match self.time().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0,
        }
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn now(self) -> i64 {
        self.now_ms() / 1000
    }
}
