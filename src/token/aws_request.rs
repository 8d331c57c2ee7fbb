//! Reads a signed AWS `GetCallerIdentity` request as a subject token, without verifying it.
//!
//! The token is percent-encoded JSON with `url`, `method` and `headers`. The Security Token Service
//! sends the request to AWS and accepts it for 15 minutes after its `x-amz-date`.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

use percent_encoding::percent_decode_str;
use serde_json::Value;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{Origin, SubjectToken, not_a_token};
use crate::error::Error;
use crate::secret::Secret;

/// How long Google accepts a request after its `x-amz-date`, in seconds.
pub const LIFE: i64 = 900;

/// The form of `x-amz-date`, such as `20261121T160000Z`.
const AMZ_DATE: &[BorrowedFormatItem] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Reads a signed request and its expiry.
///
/// # Errors
/// `PROTOCOL` if the text is not a signed request.
pub fn read(text: &str, origin: &Origin) -> Result<SubjectToken, Error> {
    let date = SignedRequest::parse(text).and_then(|request| request.date()).ok_or_else(|| {
        let fix = format!("check {}, or use wif-token aws --mode=caller-identity", origin.option);
        not_a_token(origin, "it is not a signed AWS request", &fix)
    })?;
    Ok(SubjectToken { text: Secret::new(text), expiry: Some(date + LIFE) })
}

/// The members of a signed request.
#[derive(Debug)]
pub struct SignedRequest(Value);

impl SignedRequest {
    /// Decodes a request; `None` if the text is not percent-encoded JSON.
    pub fn parse(text: &str) -> Option<SignedRequest> {
        let json = percent_decode_str(text).decode_utf8().ok()?;
        serde_json::from_str(&json).ok().map(SignedRequest)
    }

    /// The `url` or `method`.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.0.get("headers")?.as_array()?.iter();
        let has_name = |header: &&Value| {
            let key = header.get("key").and_then(Value::as_str);
            key.is_some_and(|key| key.eq_ignore_ascii_case(name))
        };
        headers.find(has_name)?.get("value")?.as_str()
    }

    /// The `x-amz-date` in seconds since 1970, if the request is signed.
    pub fn date(&self) -> Option<i64> {
        self.header("authorization")?;
        let date = PrimitiveDateTime::parse(self.header("x-amz-date")?, AMZ_DATE).ok()?;
        Some(date.assume_utc().unix_timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    #[test]
    fn a_request_expires_after_fifteen_minutes() {
        let json = r#"{"url":"u","method":"POST","headers":[{"key":"Authorization","value":"a"},
            {"key":"x-amz-date","value":"20261121T160000Z"}]}"#;
        let token = read(&crate::http::form::escape(json).to_string(), &test_origin()).unwrap();
        assert_eq!(token.expiry, Some(1_795_276_800 + 900));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "a.b.c", "{}", r#"{"headers":[{"key":"x-amz-date","value":"now"}]}"#] {
            assert!(read(text, &test_origin()).is_err(), "{text}");
        }
    }
}
