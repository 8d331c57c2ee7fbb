//! Times in documents and messages, in the form of RFC 3339.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last second that is accepted as a time, at the end of the year 9999. A larger number is
/// usually in milliseconds.
pub const LAST_SECOND: i64 = 253_402_300_799;

/// The longest lifetime that is used, in seconds: 90 days.
const LONGEST_LIFETIME: i64 = 90 * 24 * 3600;

/// Reads a time from another program, in seconds since 1970: an integer, a number with a fraction,
/// or such a number as a string. `None` if the time is not between 1970 and 9999.
pub fn instant(value: &Value) -> Option<i64> {
    let seconds = number(value)?;
    (0.0..=LAST_SECOND as f64).contains(&seconds).then_some(seconds as i64)
}

/// Reads a time in whole seconds since 1970. `None` if it is not between 1970 and 9999, so that no
/// difference of two times overflows.
pub fn whole_second(value: &Value) -> Option<i64> {
    value.as_i64().filter(|seconds| (0..=LAST_SECOND).contains(seconds))
}

/// Reads a lifetime from another program, in seconds, in the forms that [`instant`] accepts. The
/// result is at least 0 and at most 90 days, so that no sum with a time overflows and no token is
/// used forever.
pub fn lifetime(value: &Value) -> Option<i64> {
    Some(number(value)?.clamp(0.0, LONGEST_LIFETIME as f64) as i64)
}

/// Limits an expiry that another program states, in seconds since 1970, to 90 days after `now`.
pub fn limited(expiry: i64, now: i64) -> i64 {
    expiry.min(now.saturating_add(LONGEST_LIFETIME))
}

/// Reads a number. `f64` represents every second up to the year 9999 exactly.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    number.is_finite().then_some(number)
}

/// Parses a time such as `2026-11-21T16:00:00Z` into seconds since 1970.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// Formats seconds since 1970 as a time such as `2026-11-21T16:00:00Z`.
pub fn rfc3339(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {seconds}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_checked_and_lifetimes_are_limited() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (text, time, life) in [
            ("1795276800", Some(1_795_276_800), Some(LONGEST_LIFETIME)),
            ("3599.9", Some(3599), Some(3599)),
            ("\"3600\"", Some(3600), Some(3600)),
            ("-1", None, Some(0)),
            ("-1e300", None, Some(0)),
            ("1e300", None, Some(LONGEST_LIFETIME)),
            ("9223372036854775807", None, Some(LONGEST_LIFETIME)),
            ("18446744073709551615", None, Some(LONGEST_LIFETIME)),
            ("253402300799", Some(LAST_SECOND), Some(LONGEST_LIFETIME)),
            ("253402300800", None, Some(LONGEST_LIFETIME)),
            ("\"inf\"", None, None),
            ("\"soon\"", None, None),
            ("null", None, None),
        ] {
            assert_eq!((instant(&value(text)), lifetime(&value(text))), (time, life), "{text}");
        }
        assert_eq!(limited(1060, 1000), 1060);
        assert_eq!(limited(i64::MAX, 1000), 1000 + LONGEST_LIFETIME);
    }

    #[test]
    fn times_are_formatted_in_utc() {
        assert_eq!(rfc3339(1_795_276_800), "2026-11-21T16:00:00Z");
        assert_eq!(parse_rfc3339("2026-11-21T16:00:00Z"), Some(1_795_276_800));
        assert_eq!(rfc3339(i64::MAX), "second 9223372036854775807");
    }
}
