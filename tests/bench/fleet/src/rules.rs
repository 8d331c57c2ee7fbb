//! The rules of the program. The arithmetic is compiled from the source of the program, and the
//! constants are read from there, so that the simulator cannot differ.
//!
//! What the rules mean is verified elsewhere: `tests/outages.rs` (bridging, refusals),
//! `src/cache/mod.rs` and `tests/model` (the lock), `src/http/retry.rs` (retries).

#[path = "../../../../src/spread.rs"]
mod spread;

use spread::{expiry_margin, longest_spread};

use crate::random::Random;

const RETRY: &str = include_str!("../../../../src/http/retry.rs");
const FAILURE: &str = include_str!("../../../../src/cache/failure.rs");
const ACCESS_TOKEN: &str = include_str!("../../../../src/google/access_token.rs");

/// The largest margin of the fixed rule that the random one is compared with, in seconds.
const FIXED_MARGIN: i64 = 300;

/// The rules, in milliseconds.
pub struct Rules {
    /// The maximum number of times that a request is repeated.
    pub retries: u32,
    /// The pause before the first repetition. Each further pause is twice as long.
    first_pause: i64,
    /// How long a refusal is remembered.
    pub remembered: i64,
    /// The remaining lifetime below which an access token is renewed.
    pub min_life: i64,
}

impl Rules {
    pub fn of_the_program() -> Rules {
        Rules {
            retries: u32::try_from(constant(RETRY, "TIMES")).unwrap(),
            first_pause: constant(RETRY, "FIRST"),
            remembered: constant(FAILURE, "REMEMBERED_MS"),
            min_life: 1000 * constant(ACCESS_TOKEN, "MIN_LIFE"),
        }
    }

    /// A random pause, at least half of the full one, before this repetition.
    pub fn pause(&self, repetition: u32, random: &mut Random) -> i64 {
        let full = self.first_pause << repetition;
        full / 2 + random.up_to(full / 2)
    }

    /// The expiry margin of a token that was just issued with the lifetime `life`.
    pub fn margin(is_random: bool, life: i64, random: &mut Random) -> i64 {
        1000 * match is_random {
            true => expiry_margin(life / 1000, |most| random.up_to(most)),
            false => (life / 10_000).min(FIXED_MARGIN),
        }
    }

    /// The time by which the renewal of an access token with this lifetime is moved forward.
    pub fn spread(&self, is_random: bool, life: i64, random: &mut Random) -> i64 {
        let most = longest_spread(life / 1000, self.min_life / 1000);
        if is_random { 1000 * random.up_to(most) } else { 0 }
    }
}

/// The number in `const NAME: TYPE = …;`, which may be in `Duration::from_millis(…)`.
fn constant(source: &str, name: &str) -> i64 {
    let line = source.lines().find(|line| line.contains(&format!("const {name}:")));
    let value = line.and_then(|line| line.rsplit_once('=')).expect(name).1;
    let value = value.trim().trim_start_matches("Duration::from_millis(");
    value.trim_end_matches([')', ';']).replace('_', "").parse().expect(name)
}
