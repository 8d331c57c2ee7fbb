//! When to ask again: three times more at most, after pauses that grow and vary, or as the server
//! says in `Retry-After`, and never beyond the deadline.

use std::thread;
use std::time::Duration;

use super::Response;
use crate::error::Error;
use crate::random;
use crate::world::Deadline;

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// How often to ask again.
const TIMES: u32 = 3;
/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(10);

/// Asks until the answer is no passing trouble, or there is no time or patience left.
///
/// # Errors
/// Those of `ask`, at once: what is not answered is not asked again.
pub fn ask(
    deadline: Deadline,
    passes: impl Fn(&Response) -> bool,
    mut ask: impl FnMut() -> Result<Response, Error>,
) -> Result<Response, Error> {
    let mut pauses = Pauses { deadline, used: 0 };
    loop {
        let response = ask()?;
        if !passes(&response) || !pauses.pause(response.retry_after()) {
            return Ok(response);
        }
    }
}

/// Whether a status tells of trouble that passes: 429 and 5xx.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

#[derive(Debug)]
struct Pauses {
    deadline: Deadline,
    used: u32,
}

impl Pauses {
    /// Waits, and says whether to ask again.
    fn pause(&mut self, retry_after: Option<Duration>) -> bool {
        let pause = retry_after.unwrap_or_else(|| jittered(FIRST * 2u32.pow(self.used)));
        if self.used == TIMES || pause > LONGEST || pause >= self.deadline.remaining() {
            return false;
        }
        self.used += 1;
        thread::sleep(pause);
        true
    }
}

/// Between half of it and all of it, so that many hosts do not ask in step.
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
    fn pauses_are_few_and_stay_within_the_deadline() {
        let mut soon = pauses(30);
        let asked = (0..9).filter(|_| soon.pause(Some(Duration::ZERO))).count();
        assert_eq!(asked, 3);
        assert!(!pauses(1).pause(Some(Duration::from_secs(2))));
        assert!(!pauses(30).pause(Some(Duration::from_secs(11))));
    }

    #[test]
    fn jitter_takes_away_half_at_most() {
        for _ in 0..100 {
            let pause = jittered(FIRST);
            assert!((FIRST / 2..=FIRST).contains(&pause), "{pause:?}");
        }
    }
}
