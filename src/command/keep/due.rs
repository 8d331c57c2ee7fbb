//! Calculates when the next token is fetched.
//!
//! A token is renewed after 60 to 70 percent of the time until its `expiration_time`. The rest of
//! the time is left for outages. The random part keeps hosts that started in the same minute from
//! renewing in the same minute.

use std::time::Duration;

use crate::random;
use crate::world::{Clock, Deadline};

/// The shortest pause between two attempts.
const SHORTEST: Duration = Duration::from_secs(1);

/// The pause after the first failure; each further pause is twice as long.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause after a failure.
const LONGEST: Duration = Duration::from_secs(300);

/// The time of the next attempt, by the clock and by a timer. The clock can be set, and the timer can stop
/// while the host is suspended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    after: Deadline,
    /// In milliseconds since 1970.
    pub(super) at_ms: i64,
}

impl Due {
    fn after(pause: Duration) -> Due {
        let at_ms = Clock.now_ms().saturating_add(pause.as_millis().try_into().unwrap_or(i64::MAX));
        Due { after: Deadline::after(pause), at_ms }
    }

    /// Schedules the renewal of a token that may be used for `life`.
    pub(super) fn renewal(life: Duration) -> Due {
        let tenth = life / 10;
        Due::after((tenth * 6 + random_part(tenth)).max(SHORTEST))
    }

    /// Schedules the next attempt after this number of failures, while the token is valid for
    /// `valid`. The pauses become shorter toward the expiry of the token.
    pub(super) fn retry(failures: u32, valid: Duration) -> Due {
        let pause = FIRST.saturating_mul(1 << failures.clamp(1, 16).saturating_sub(1)).min(LONGEST);
        let pause = pause / 2 + random_part(pause / 2);
        Due::after(if valid.is_zero() { pause } else { pause.min(valid / 2).max(SHORTEST) })
    }

    /// How long to wait; zero if the attempt is due.
    pub(super) fn wait(&self) -> Duration {
        let by_clock = self.at_ms.saturating_sub(Clock.now_ms()).max(0).unsigned_abs();
        self.after.until_end().min(Duration::from_millis(by_clock))
    }
}

fn random_part(of: Duration) -> Duration {
    let most = i64::try_from(of.as_millis()).unwrap_or(i64::MAX);
    Duration::from_millis(random::up_to(most).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The shortest and the longest of many waits, in seconds.
    fn waits(due: impl Fn() -> Due) -> (u64, u64) {
        let waits = (0..500).map(|_| (due().wait() + Duration::from_millis(100)).as_secs());
        waits.fold((u64::MAX, 0), |(least, most), wait| (least.min(wait), most.max(wait)))
    }

    #[test]
    fn renewals_are_spread_over_a_tenth_of_the_lifetime() {
        let (least, most) = waits(|| Due::renewal(HOUR));
        assert!((2160..2200).contains(&least) && (2480..=2520).contains(&most), "{least} {most}");
        assert_eq!(waits(|| Due::renewal(Duration::ZERO)), (1, 1));
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        for (failures, shortest, longest) in [(1, 1, 2), (2, 2, 4), (5, 16, 32), (99, 150, 300)] {
            for valid in [HOUR, Duration::ZERO] {
                let (least, most) = waits(|| Due::retry(failures, valid));
                assert!(shortest <= least && most <= longest, "{failures}: {least} {most}");
                assert!(most > least, "{failures} pauses are random");
            }
        }
    }

    #[test]
    fn an_attempt_precedes_the_expiry() {
        let valid = Duration::from_secs(20);
        assert_eq!(waits(|| Due::retry(99, valid)), (10, 10));
        assert_eq!(waits(|| Due::retry(99, SHORTEST)), (1, 1));
    }

    #[test]
    fn an_attempt_is_due_by_the_clock_or_by_the_timer() {
        let due = Due::renewal(HOUR);
        assert!(!due.wait().is_zero());
        assert!(Due { at_ms: Clock.now_ms(), ..due }.wait().is_zero());
        assert!(Due { after: Deadline::after(Duration::ZERO), ..due }.wait().is_zero());
    }
}
