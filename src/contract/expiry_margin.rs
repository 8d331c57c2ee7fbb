//! The expiry margin: how much earlier than the real expiry the expiry in the document is.
//!
//! Clients use a token until its last second. Therefore the document states an earlier expiry, by
//! default by a tenth of the remaining lifetime, at most five minutes.

use crate::error::{Error, Kind};
use crate::time::rfc3339;

/// The longest default margin, in seconds.
const LONGEST: i64 = 300;

/// The expiry to report for a token that expires at `expiry`, at the time `now` (both in seconds
/// since 1970). `margin` is the value of `--expiry-margin`, in seconds.
///
/// # Errors
/// `EXPIRED` if the token expires within the margin.
pub(super) fn reported(expiry: i64, margin: Option<u64>, now: i64) -> Result<i64, Error> {
    let remaining = expiry.saturating_sub(now);
    let margin = match margin {
        None => (remaining / 10).min(LONGEST),
        Some(margin) => i64::try_from(margin).unwrap_or(i64::MAX),
    };
    if margin >= remaining {
        let (limit, expiry) = (expiry.saturating_sub(margin), rfc3339(expiry));
        let what =
            format!("the subject token expires at {expiry}, within the margin of {margin} s");
        return Err(Error::new(Kind::Expired, what)
            .fix("reduce --expiry-margin, or get a subject token with a longer lifetime")
            .depending_on(limit));
    }
    Ok(expiry - margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_tenth_and_at_most_five_minutes() {
        for (expiry, margin, expected) in [
            (1000 + 3600, None, 4600 - 300),
            (1000 + 100, None, 1090),
            (1000 + 9, None, 1009),
            (2000, Some(0), 2000),
            (2000, Some(999), 1001),
        ] {
            assert_eq!(reported(expiry, margin, 1000).unwrap(), expected);
        }
        let error = reported(2000, Some(1000), 1000).unwrap_err();
        assert_eq!(error.kind(), Kind::Expired);
        assert!(error.to_string().contains("within the margin of 1000 s"));
    }
}
