//! Reads (never verifies) a signed AWS `GetCallerIdentity` request as a subject token.
//!
//! JSON with `url`, `method` and `headers`, percent-encoded once. The Security Token Service sends
//! the request to AWS itself and takes it for 15 minutes after its `x-amz-date`.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

use percent_encoding::percent_decode_str;
use serde_json::Value;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{Origin, SubjectToken, not_a_token};
use crate::error::Error;
use crate::secret::Secret;

/// Seconds for which Google takes a request after its `x-amz-date`.
pub const LIFE: i64 = 900;

/// The form of `x-amz-date`, such as `20261121T160000Z`.
const AMZ_DATE: &[BorrowedFormatItem] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Reads a signed request and when it ends.
///
/// # Errors
/// `PROTOCOL` where it is none.
pub fn read(text: &str, origin: &Origin) -> Result<SubjectToken, Error> {
    let date = date(text).ok_or_else(|| {
        let fix = format!("check {}, or make one with the source aws", origin.option);
        not_a_token(origin, "it is no signed AWS request", &fix)
    })?;
    Ok(SubjectToken { text: Secret::new(text), expiry: Some(date + LIFE) })
}

/// The `x-amz-date` of a signed request, in seconds since 1970.
pub fn date(text: &str) -> Option<i64> {
    let json = percent_decode_str(text).decode_utf8().ok()?;
    let request: Value = serde_json::from_str(&json).ok()?;
    let header = |name| {
        let headers = request.get("headers")?.as_array()?.iter();
        let mut named = headers.filter(|h| {
            h.get("key").and_then(Value::as_str).is_some_and(|key| key.eq_ignore_ascii_case(name))
        });
        named.next()?.get("value")?.as_str()
    };
    header("authorization")?;
    let date = PrimitiveDateTime::parse(header("x-amz-date")?, AMZ_DATE).ok()?;
    Some(date.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    #[test]
    fn a_request_lives_for_fifteen_minutes() {
        let json = r#"{"url":"u","method":"POST","headers":[{"key":"Authorization","value":"a"},
            {"key":"x-amz-date","value":"20261121T160000Z"}]}"#;
        let token = read(&crate::http::form::escape(json).to_string(), &test_origin()).unwrap();
        assert_eq!(token.expiry, Some(1_795_276_800 + 900));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "a.b.c", "{}", r#"{"headers":[{"key":"x-amz-date","value":"now"}]}"#] {
            assert!(read(text, &test_origin()).is_err(), "{text}");
        }
    }
}
