//! Retries: a request is repeated at most three times, after growing random pauses or the
//! `Retry-After` of the server, and never after the deadline.

use std::thread;
use std::time::Duration;

use super::Response;
use crate::error::Error;
use crate::random;
use crate::world::Deadline;

/// The first pause. Each further pause is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// The maximum number of times that a request is repeated.
const TIMES: u32 = 3;
/// The time that must remain for a repeated request. If it timed out, the timeout would hide the
/// response to the earlier request.
const LEAST: Duration = Duration::from_millis(250);
/// The longest `Retry-After` that is honored.
const LONGEST: Duration = Duration::from_secs(10);

/// Sends a request until the response is not a temporary failure, or no retry is left.
///
/// # Errors
/// The errors of `ask`. A request without a response is not repeated.
pub fn ask(
    deadline: Deadline,
    is_temporary: impl Fn(&Response) -> bool,
    mut ask: impl FnMut() -> Result<Response, Error>,
) -> Result<Response, Error> {
    let mut pauses = Pauses { deadline, used: 0 };
    loop {
        let response = ask()?;
        if !is_temporary(&response) || !pauses.pause(response.retry_after()) {
            return Ok(response);
        }
    }
}

/// Whether a status is a temporary failure: 429 or 5xx.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

#[derive(Debug)]
struct Pauses {
    deadline: Deadline,
    used: u32,
}

impl Pauses {
    /// Waits, and returns whether to send the request again.
    fn pause(&mut self, retry_after: Option<Duration>) -> bool {
        let pause = retry_after.unwrap_or_else(|| jittered(FIRST * 2u32.pow(self.used)));
        if self.used == TIMES || pause > LONGEST || pause + LEAST > self.deadline.remaining() {
            return false;
        }
        self.used += 1;
        thread::sleep(pause);
        true
    }
}

/// A random part of a pause, at least half of it, so that many hosts do not retry at the same time.
fn jittered(pause: Duration) -> Duration {
    let [byte] = random::bytes().unwrap_or([u8::MAX]);
    pause.mul_f64(0.5 + f64::from(byte) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(seconds: u64) -> Pauses {
        Pauses { deadline: Deadline::after(Duration::from_secs(seconds)), used: 0 }
    }

    #[test]
    fn pauses_are_limited_by_count_and_deadline() {
        let mut soon = pauses(30);
        let repeated = (0..9).filter(|_| soon.pause(Some(Duration::ZERO))).count();
        assert_eq!(repeated, 3);
        assert!(!pauses(1).pause(Some(Duration::from_millis(600))));
        assert!(!pauses(30).pause(Some(Duration::from_secs(11))));
    }

    #[test]
    fn jitter_shortens_a_pause_by_at_most_half() {
        for _ in 0..100 {
            let pause = jittered(FIRST);
            assert!((FIRST / 2..=FIRST).contains(&pause), "{pause:?}");
        }
    }
}
