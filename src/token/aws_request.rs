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
    let fix = format!("check {}, or use wif-token aws --mode=caller-identity", origin.option);
    let request = SignedRequest::parse(text).map_err(|why| not_a_token(origin, why, &fix))?;
    let is_signed =
        ["authorization", "x-amz-date"].iter().all(|name| request.header(name).is_some());
    let why = match is_signed {
        true => "x-amz-date in the request does not have the form YYYYMMDDTHHMMSSZ",
        false => "it is not a signed AWS request",
    };
    let date = request.date().filter(|_| is_signed);
    let date = date.ok_or_else(|| not_a_token(origin, why, &fix))?;
    Ok(SubjectToken { text: Secret::new(text), expiry: Some(date + LIFE) })
}

/// Whether a text is JSON with the member `headers`, unencoded, percent-encoded once or twice, or
/// form-encoded.
pub(super) fn has_headers(text: &str) -> bool {
    let once = percent_decode_str(text).decode_utf8_lossy();
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    let form = once.replace('+', " ");
    [text, &once, &twice, &form].iter().any(|json| {
        serde_json::from_str(json).is_ok_and(|value: Value| value.get("headers").is_some())
    })
}

/// A form encodes a space as a plus sign, and the Security Token Service decodes only `%20`.
const PLUS: &str =
    "it contains a plus sign instead of %20 or %2B (Python's quote_plus encodes a space as +)";

fn is_object(json: &str) -> bool {
    serde_json::from_str(json).is_ok_and(|value: Value| value.is_object())
}

/// The members of a signed request.
#[derive(Debug)]
pub struct SignedRequest(Value);

/// The parts of a signature (Signature Version 4).
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
#[derive(Debug)]
pub struct Signature<'a> {
    /// The ID of the access key. It begins with `ASIA` if the key is temporary.
    pub key_id: &'a str,
    /// The day, such as `20261121`.
    pub day: &'a str,
    /// The region, such as `eu-west-1`.
    pub region: &'a str,
    /// The service, such as `sts`.
    pub service: &'a str,
    /// The names of the signed headers.
    pub headers: Vec<&'a str>,
}

impl SignedRequest {
    /// Decodes a request, which is JSON that is percent-encoded once.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn parse(text: &str) -> Result<SignedRequest, &'static str> {
        let decode = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        let json = decode(text).unwrap_or_default();
        match serde_json::from_str(&json) {
            Ok(Value::Object(_)) if text.starts_with(['{', ' ']) => {
                Err("it is JSON that is not percent-encoded")
            }
            Ok(Value::Object(_)) if text.contains('+') => Err(PLUS),
            Ok(request @ Value::Object(_)) => Ok(SignedRequest(request)),
            Err(_) if is_object(&json.replace('+', " ")) => Err(PLUS),
            _ if decode(&json).is_some_and(|json| json.starts_with('{')) => {
                Err("it is percent-encoded twice")
            }
            _ => Err("it is not percent-encoded JSON"),
        }
    }

    /// The `url` or `method`.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The names (in lower case) and values of the headers; `None` if `headers` is not a list of
    /// objects with `key` and `value`.
    pub fn headers(&self) -> Option<Vec<(String, &str)>> {
        let headers = self.0.get("headers")?.as_array()?.iter();
        headers
            .map(|header| {
                let key = header.get("key")?.as_str()?.to_ascii_lowercase();
                Some((key, header.get("value")?.as_str()?))
            })
            .collect()
    }

    /// The value of a header. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The `x-amz-date` in seconds since 1970.
    pub fn date(&self) -> Option<i64> {
        let date = PrimitiveDateTime::parse(self.header("x-amz-date")?, AMZ_DATE).ok()?;
        Some(date.assume_utc().unix_timestamp())
    }

    /// The signature; `None` if the request has no Signature Version 4.
    pub fn signature(&self) -> Option<Signature<'_>> {
        let parts = self.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| {
            let mut parts = parts.split(',');
            parts.find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [key_id, day, region, service, "aws4_request"] = scope[..] else { return None };
        let digest = part("Signature")?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let headers = part("SignedHeaders")?.split(';').collect();
        is_digest.then_some(Signature { key_id, day, region, service, headers })
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
        let json = r#"{"headers":[{"key":"x-amz-date","value":"20261121T160000Z"}]}"#;
        let once = crate::http::form::escape(json).to_string();
        for (text, why) in [
            ("", "it is not percent-encoded JSON"),
            ("a.b.c", "it is not percent-encoded JSON"),
            ("%7B%22a%22%3A%22b+c%22%7D", "a plus sign instead of %20"),
            ("%7B%22a%22%3A+%22b%22%7D", "a plus sign instead of %20"),
            (json, "it is JSON that is not percent-encoded"),
            (&once, "it is not a signed AWS request"),
            (&crate::http::form::escape(&once).to_string(), "it is percent-encoded twice"),
        ] {
            let message = read(text, &test_origin()).unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn a_signature_states_its_scope_and_headers() {
        let digest = "0".repeat(64);
        let request = |value: String| {
            SignedRequest(
                serde_json::json!({"headers": [{"key": "Authorization", "value": value}]}),
            )
        };
        let good = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/sts/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={digest}"
        );
        let parsed = request(good.clone());
        let signature = parsed.signature().unwrap();
        assert_eq!((signature.day, signature.region), ("20261121", "eu-west-1"));
        assert_eq!(signature.headers, ["host", "x-amz-date"]);
        for (from, to) in
            [("AWS4-HMAC", "AWS4-ECDSA"), ("/aws4_request", ""), ("SignedHeaders", "x"), ("00", "")]
        {
            assert!(request(good.replacen(from, to, 1)).signature().is_none(), "{from}");
        }
    }
}
