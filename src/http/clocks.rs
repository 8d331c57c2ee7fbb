//! What responses show about the clock of this host.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The servers that sent their time: see [`Agent::clocks`](super::Agent::clocks).
#[derive(Debug, Clone, Default)]
pub(super) struct Clocks(Arc<Mutex<Vec<(String, i64)>>>);

impl Clocks {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<(String, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self, origin: String, skew: i64) {
        let mut clocks = self.lock();
        clocks.retain(|(other, _)| *other != origin);
        clocks.push((origin, skew));
    }
}

/// The difference between two clocks that is not an error, in seconds.
pub const TOLERATED_SKEW: i64 = 30;

/// How to set the clock.
pub const SET_CLOCK: &str = "run chronyc makestep as root, or w32tm /resync on Windows, on the host if \
                             this is a container";

/// The fix for a clock that is `skew` seconds ahead, or behind if `skew` is negative.
pub fn wrong_clock(skew: i64) -> String {
    let side = if skew > 0 { "ahead" } else { "behind" };
    format!("correct this host's clock, which is {} s {side} ({SET_CLOCK})", skew.abs())
}
