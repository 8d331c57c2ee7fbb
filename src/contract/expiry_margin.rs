//! The expiry margin: how much earlier than the real expiry the expiry in the document is.
//!
//! Clients use a token until its last second. Therefore the document states an earlier expiry. By
//! default, the margin is random, so that many hosts do not renew at the same time.

use crate::error::{Error, Kind};
use crate::random;
use crate::spread;
use crate::time::rfc3339;

/// The expiry to report for a token that expires at `expiry`, at the time `now` (both in seconds
/// since 1970). `margin` is the value of `--expiry-margin`, in seconds.
///
/// # Errors
/// `EXPIRED` if the token expires within the margin.
pub(super) fn reported(expiry: i64, margin: Option<u64>, now: i64) -> Result<i64, Error> {
    let remaining = expiry.saturating_sub(now);
    let margin = match margin {
        None => spread::expiry_margin(remaining, random::up_to),
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_default_margins_differ() {
        let reported: BTreeSet<i64> =
            (0..200).map(|_| reported(1000 + 86_400, None, 1000).unwrap()).collect();
        assert!(reported.len() > 50, "{reported:?}");
        assert!(reported.iter().all(|expiry| (86_800..=87_100).contains(expiry)), "{reported:?}");
    }

    #[test]
    fn the_option_sets_the_margin() {
        assert_eq!(reported(2000, Some(0), 1000).unwrap(), 2000);
        assert_eq!(reported(2000, Some(999), 1000).unwrap(), 1001);
        let error = reported(2000, Some(1000), 1000).unwrap_err();
        assert_eq!(error.kind(), Kind::Expired);
        assert!(error.to_string().contains("within the margin of 1000 s"));
    }
}
