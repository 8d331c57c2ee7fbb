//! Calculates when tokens are renewed, so that hosts that started together do not renew together.
//!
//! Servers give tokens of the same lifetime to all hosts. With a fixed rule, hosts that start in the
//! same minute would renew in the same minute forever. The simulator in `tests/bench/fleet` compiles
//! this file too.

/// The longest expiry margin, in seconds.
const LONGEST_MARGIN: i64 = 600;

/// The longest time by which an access token is renewed early, in seconds.
const LONGEST_SPREAD: i64 = 300;

/// The expiry margin, in seconds, for a token that is valid for `remaining` seconds: a tenth to a
/// fifth of this time. [`LONGEST_MARGIN`] limits the range and not the result: otherwise, all
/// tokens that are valid for days would have the same margin. `random` returns a number from 0 to
/// its argument.
pub fn expiry_margin(remaining: i64, mut random: impl FnMut(i64) -> i64) -> i64 {
    let largest = (remaining / 5).clamp(0, LONGEST_MARGIN);
    let least = largest / 2;
    least + random(largest - least)
}

/// The maximum number of seconds by which a token is renewed before `min_life` requires it: a tenth
/// of the time for which a caller with this `min_life` uses the token. `lifetime` is the whole
/// lifetime of the token, in seconds.
pub fn longest_spread(lifetime: i64, min_life: i64) -> i64 {
    (lifetime.saturating_sub(min_life) / 10).clamp(0, LONGEST_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_tenth_to_a_fifth_and_at_most_ten_minutes() {
        for (remaining, least, largest) in [
            (86_400, 300, 600),
            (3600, 300, 600),
            (3000, 300, 600),
            (1000, 100, 200),
            (60, 6, 12),
            (9, 0, 1),
            (4, 0, 0),
            (-5, 0, 0),
        ] {
            assert_eq!(expiry_margin(remaining, |_| 0), least, "{remaining}");
            assert_eq!(expiry_margin(remaining, |most| most), largest, "{remaining}");
        }
    }

    #[test]
    fn the_spread_is_a_tenth_of_the_usable_lifetime_and_at_most_five_minutes() {
        for (lifetime, min_life, most) in
            [(43_200, 300, 300), (3600, 300, 300), (900, 300, 60), (300, 300, 0), (3600, 3300, 30)]
        {
            assert_eq!(longest_spread(lifetime, min_life), most, "{lifetime} {min_life}");
        }
    }
}
