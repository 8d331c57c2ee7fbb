//! Reads a JSON Web Token (JWT) in compact form, without verifying its signature.
//!
//! A JWT has three parts that are joined by dots: a JSON header, a JSON object with claims, and a
//! signature. Each part is base64url-encoded without padding. `exp` is in seconds since 1970 and
//! may have a fraction.
//! <https://www.rfc-editor.org/rfc/rfc7519>, <https://www.rfc-editor.org/rfc/rfc7515#section-7.1>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Origin, SubjectToken, not_a_token};
use crate::error::Error;
use crate::secret::Secret;
use crate::time::instant;

/// Reads a JWT and its `exp`.
///
/// # Errors
/// `PROTOCOL` if the text is not a JWT, or `exp` is not a time in seconds.
pub fn read(text: &str, origin: &Origin) -> Result<SubjectToken, Error> {
    let refuse = |why: &str, fix: &str| not_a_token(origin, why, fix);
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(match parts.len() {
            5 => refuse("it is an encrypted JWT", "disable token encryption at the issuer"),
            _ => refuse("it is an opaque token, not a JWT", &opaque_fix(origin)),
        });
    };
    let (Some(header), Some(claims)) = (object(header), object(claims)) else {
        return Err(refuse(
            "it is not a JWT (its parts are not base64url-encoded JSON)",
            &opaque_fix(origin),
        ));
    };
    if !has_signature(&header, signature) {
        return Err(refuse(
            "it is a JWT without a valid signature",
            "configure the issuer to sign with RS256 or ES256",
        ));
    }
    let expiry = match claims.get("exp") {
        None => None,
        Some(exp) => Some(instant(exp).ok_or_else(|| {
            refuse(
                "its exp is not a time in seconds",
                "configure the issuer to set exp to a time in seconds since 1970",
            )
        })?),
    };
    Ok(SubjectToken { text: Secret::new(text), expiry })
}

fn opaque_fix(origin: &Origin) -> String {
    origin.opaque.map_or_else(
        || format!("check {}, because only a signed JWT can be exchanged", origin.option),
        str::to_owned,
    )
}

/// Whether a text is a compact JWT with a signature, which is not verified.
pub fn is_signed(text: &str) -> bool {
    match text.split('.').collect::<Vec<_>>()[..] {
        [header, claims, signature] => {
            let header = object(header);
            object(claims).is_some()
                && header.is_some_and(|header| has_signature(&header, signature))
        }
        _ => false,
    }
}

fn has_signature(header: &Map<String, Value>, signature: &str) -> bool {
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let is_signed = !algorithm.is_empty() && !algorithm.eq_ignore_ascii_case("none");
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    is_signed
        && signature.len() % 4 != 1
        && !signature.is_empty()
        && signature.bytes().all(is_base64url)
}

/// The header and the claims of a compact JWT.
pub fn parts(text: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let mut parts = text.split('.').map(object);
    parts.next().flatten().zip(parts.next().flatten())
}

/// The claims of a compact JWT.
pub fn claims(text: &str) -> Option<Map<String, Value>> {
    object(text.split('.').nth(1)?)
}

/// The `exp` of a compact JWT, in seconds since 1970.
pub fn expiry(text: &str) -> Option<i64> {
    instant(claims(text)?.get("exp")?)
}

/// Decodes a part of a compact JWT, if it is a JSON object.
pub fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    /// The example in RFC 7519, section 3.1.
    const RFC7519: &str = concat!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290",
        "Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );

    fn with_claims(claims: &str) -> String {
        format!("eyJhbGciOiJSUzI1NiJ9.{}.AA", URL_SAFE_NO_PAD.encode(claims))
    }

    fn message(text: &str) -> String {
        read(text, &test_origin()).unwrap_err().to_string()
    }

    #[test]
    fn the_example_of_rfc_7519_is_read() {
        let token = read(RFC7519, &test_origin()).unwrap();
        assert_eq!(token.expiry, Some(1_300_819_380));
        assert_eq!(token.text.expose(), RFC7519);
    }

    #[test]
    fn exp_can_be_missing_or_have_a_fraction() {
        let expiry = |claims| read(&with_claims(claims), &test_origin()).unwrap().expiry;
        assert_eq!(expiry("{}"), None);
        assert_eq!(expiry(r#"{"exp":1300819380.9}"#), Some(1_300_819_380));
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, why) in [
            ("opaque", "opaque"),
            ("a.b.c.d.e", "encrypted"),
            ("a.b.c", "base64url-encoded JSON"),
            (&with_claims("[]"), "base64url-encoded JSON"),
            (&with_claims(r#"{"exp":"soon"}"#), "its exp is not a time in seconds"),
            (&with_claims(r#"{"exp":1300819380000}"#), "its exp is not a time in seconds"),
            ("", "opaque"),
            ("eyJhbGciOiJSUzI1NiJ9.e30.", "without a valid signature"),
            ("eyJhbGciOiJSUzI1NiJ9.e30.a b", "without a valid signature"),
            ("eyJhbGciOiJub25lIn0.e30.AA", "without a valid signature"),
            ("e30.e30.AA", "without a valid signature"),
        ] {
            assert!(message(text).contains(why), "{text}: {}", message(text));
        }
    }
}
