//! Times in documents and messages, in the form of RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The last second that is accepted as a time, at the end of the year 9999. A larger number is
/// usually in milliseconds.
pub const LAST_SECOND: i64 = 253_402_300_799;

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
    fn times_are_formatted_in_utc() {
        assert_eq!(rfc3339(1_795_276_800), "2026-11-21T16:00:00Z");
        assert_eq!(parse_rfc3339("2026-11-21T16:00:00Z"), Some(1_795_276_800));
        assert_eq!(rfc3339(i64::MAX), "second 9223372036854775807");
    }
}
