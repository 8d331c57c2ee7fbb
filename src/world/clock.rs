//! The current time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of this host.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// Milliseconds since 1970-01-01 UTC; 0 if the clock is set to an earlier time.
    #[allow(clippy::disallowed_methods)] // only this module does this
    pub fn now_ms(self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0,
        }
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn now(self) -> i64 {
        self.now_ms() / 1000
    }
}
