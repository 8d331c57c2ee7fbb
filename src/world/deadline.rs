//! The deadline of a run.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind};

/// How long before the deadline the last wait ends, so that there is time to report a failure.
const RESERVE: Duration = Duration::from_millis(300);
/// How long before the deadline the watchdog reports a failure, if the run still hangs.
const WATCHDOG: Duration = Duration::from_millis(100);

/// The deadline of a run. Clients do not tell the program how long they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    end: Instant,
    timeout: Duration,
}

impl Deadline {
    /// Creates a deadline that is `timeout` from now.
    #[allow(clippy::disallowed_methods)] // only this module reads the monotonic clock
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { end: Instant::now() + timeout, timeout }
    }

    /// The earlier of this deadline and one that is `timeout` from now.
    pub fn at_most(self, timeout: Duration) -> Deadline {
        let other = Deadline::after(timeout);
        if other.end < self.end { other } else { self }
    }

    /// Shortens this deadline so that a wait that starts now lasts at most `timeout`.
    #[allow(clippy::disallowed_methods)] // only this module reads the monotonic clock
    pub fn waiting_at_most(self, timeout: Duration) -> Deadline {
        let end =
            timeout.checked_add(RESERVE).and_then(|timeout| Instant::now().checked_add(timeout));
        Deadline { end: end.map_or(self.end, |end| end.min(self.end)), ..self }
    }

    /// How long a wait that starts now may last; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.until_end().saturating_sub(RESERVE)
    }

    /// Whether no further wait may start.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// How long the watchdog waits before it reports that the run hangs.
    pub fn until_watchdog(&self) -> Duration {
        self.until_end().saturating_sub(WATCHDOG)
    }

    /// Changes the timeout. The start of the run does not change.
    pub fn with_timeout(self, timeout: Duration) -> Deadline {
        let end = self.end.checked_sub(self.timeout).and_then(|start| start.checked_add(timeout));
        end.map_or(self, |end| Deadline { end, timeout })
    }

    /// The error for a run that reached its deadline.
    pub fn error(&self) -> Error {
        let what = format!("no token within the timeout of {} s", self.timeout.as_secs());
        Error::new(Kind::Unreachable, what)
            .fix("try again, or increase --timeout and the configuration's executable.timeout_millis")
            .lost()
    }

    /// The time until the deadline; zero after the deadline.
    #[allow(clippy::disallowed_methods)] // only this module reads the monotonic clock
    pub fn until_end(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_before_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert!(deadline.remaining() <= Duration::from_secs(10) - RESERVE);
        assert!(Deadline::after(RESERVE).has_passed());
    }

    #[test]
    fn a_shorter_timeout_moves_the_deadline_and_a_longer_one_does_not() {
        let deadline = Deadline::after(Duration::from_secs(10));
        let longer = deadline.at_most(Duration::from_secs(60));
        let shorter = deadline.at_most(Duration::from_secs(1));
        assert!(longer.remaining() <= Duration::from_secs(10));
        assert!(shorter.remaining() <= Duration::from_secs(1));
    }
}
