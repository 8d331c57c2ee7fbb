//! The version-1 documents, byte for byte as every client reads them.
//!
//! `version` is the integer 1, `success` a boolean, `code` a string, `expiration_time` whole seconds:
//! any other type breaks some client. `token_type` is in failures too, since Rust's client cannot
//! parse one without it. `expiration_time` lies before the true end, since no client leaves any
//! leeway of its own.

use serde_json::{Value, json};

use super::expiry_margin;
use crate::cache::Cached;
use crate::error::{Error, redacted};
use crate::secret::Secret;
use crate::time::LAST_SECOND;
use crate::token::{SubjectToken, TokenType, UNKNOWN_LIFE};

/// The member of the output file that tells for which request it was made.
const REQUEST_MEMBER: &str = "wif_token_request";

/// A success: a token and the time up to which clients may use it.
#[derive(Debug)]
pub struct Document {
    token_type: TokenType,
    /// The subject token itself.
    pub token: Secret,
    /// Seconds since 1970, before the true end of the token.
    pub expiration_time: i64,
}

impl Document {
    /// The document for a token, as of `now` (seconds since 1970). The margin is that of
    /// `--expiry-margin` in seconds, by default a tenth of the remaining life and at most 300 s.
    ///
    /// # Errors
    /// `EXPIRED` where the token ends within the margin that was asked for.
    pub fn new(
        token: SubjectToken,
        token_type: TokenType,
        margin: Option<u64>,
        now: i64,
    ) -> Result<Document, Error> {
        let expiry = token.expiry.unwrap_or(now + UNKNOWN_LIFE);
        let expiration_time = expiry_margin::reported(expiry, margin, now)?;
        Ok(Document { token_type: token_type.on_the_wire(), token: token.text, expiration_time })
    }

    /// The line for standard output, without its line end.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    fn to_value(&self) -> Value {
        json!({
            "version": 1,
            "success": true,
            "token_type": self.token_type.urn(),
            member(self.token_type): self.token.expose(),
            "expiration_time": self.expiration_time,
        })
    }
}

impl Cached for Document {
    /// The same document with the digest of its request.
    fn to_file(&self, request: &str) -> Secret {
        let mut value = self.to_value();
        if let Some(object) = value.as_object_mut() {
            object.insert(REQUEST_MEMBER.to_owned(), request.into());
        }
        Secret::new(value.to_string())
    }

    fn usable_until(&self) -> i64 {
        self.expiration_time
    }

    fn from_file(bytes: &[u8], request: &str) -> Result<Document, &'static str> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
        if value.get("version") != Some(&json!(1)) {
            return Err("it is not of version 1");
        }
        if value.get("success") != Some(&json!(true)) {
            return Err("it holds no success");
        }
        if value.get(REQUEST_MEMBER).and_then(Value::as_str) != Some(request) {
            return Err("it was made for another request");
        }
        let token_type = value.get("token_type").and_then(Value::as_str);
        let token_type = token_type.and_then(TokenType::parse).ok_or("it has no token_type")?;
        let token = value.get(member(token_type)).and_then(Value::as_str);
        let token = token.filter(|token| !token.is_empty()).ok_or("it holds no token")?;
        let expiration_time = value.get("expiration_time").and_then(Value::as_i64);
        let expiration_time = expiration_time
            .filter(|time| *time <= LAST_SECOND)
            .ok_or("it has no expiration_time in seconds")?;
        Ok(Document { token_type, token: Secret::new(token), expiration_time })
    }
}

fn member(token_type: TokenType) -> &'static str {
    match token_type {
        TokenType::Saml2 => "saml_response",
        TokenType::Jwt | TokenType::IdToken | TokenType::AwsRequest => "id_token",
    }
}

/// The token in a version-1 document of any program.
///
/// # Errors
/// Why there is none: what the program says of its failure, cleaned.
pub fn token(document: &Value, token_type: TokenType) -> Result<Secret, String> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if document.get("version") != Some(&json!(1)) {
        return Err("it is not of version 1".to_owned());
    }
    if document.get("success") != Some(&json!(true)) {
        let words = [text("code"), text("message")].map(Option::unwrap_or_default).join(": ");
        return Err(redacted(&words, &[]));
    }
    let name = member(token_type);
    let token = text(name).filter(|token| !token.is_empty());
    token.map(Secret::new).ok_or_else(|| format!("it has no {name}"))
}

/// The failure document, without its line end.
pub fn failure(error: &Error, token_type: TokenType) -> String {
    json!({
        "version": 1,
        "success": false,
        "token_type": token_type.on_the_wire().urn(),
        "code": error.kind().code(),
        "message": error.to_string(),
    })
    .to_string()
}

/// The answer to `GOOGLE_EXTERNAL_ACCOUNT_REVOKE=1`, without its line end.
pub fn revoked() -> String {
    json!({"version": 1, "success": true}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn document(expiry: Option<i64>, margin: Option<u64>) -> Result<Document, Error> {
        let token = SubjectToken { text: Secret::new("a.b.c"), expiry };
        Document::new(token, TokenType::IdToken, margin, 1000)
    }

    #[test]
    fn success_is_pinned_byte_for_byte() {
        let mut document = document(Some(2000), None).unwrap();
        assert_eq!(
            document.to_json(),
            r#"{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"a.b.c","expiration_time":1900}"#
        );
        document.token_type = TokenType::Saml2;
        assert_eq!(
            document.to_file("d").expose(),
            r#"{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:saml2","saml_response":"a.b.c","expiration_time":1900,"wif_token_request":"d"}"#
        );
    }

    #[test]
    fn failure_is_pinned_byte_for_byte() {
        let error = Error::new(Kind::Denied, "the \"issuer\" refused").fix("check --client-id");
        assert_eq!(
            failure(&error, TokenType::IdToken),
            r#"{"version":1,"success":false,"token_type":"urn:ietf:params:oauth:token-type:jwt","code":"DENIED","message":"the \"issuer\" refused; check --client-id"}"#
        );
        assert_eq!(revoked(), r#"{"version":1,"success":true}"#);
    }

    #[test]
    fn a_token_of_unknown_lifetime_is_reported_for_five_minutes() {
        assert_eq!(document(None, None).unwrap().expiration_time, 1000 + 300 - 30);
    }

    #[test]
    fn an_output_file_is_used_for_its_own_request_only() {
        let file = document(Some(2000), None).unwrap().to_file("d");
        let read = Document::from_file(file.expose().as_bytes(), "d").unwrap();
        assert_eq!(read.to_file("d").expose(), file.expose());
        assert!(Document::from_file(file.expose().as_bytes(), "other").is_err());
    }

    #[test]
    fn a_poisoned_output_file_is_not_used() {
        let good = document(Some(2000), None).unwrap().to_file("d").expose().to_owned();
        for (from, to) in [
            (r#""version":1"#, r#""version":2"#),
            (r#""version":1"#, r#""version":"1""#),
            (r#""success":true"#, r#""success":false"#),
            (r#""expiration_time":1900"#, r#""expiration_time":"1900""#),
            (r#""expiration_time":1900"#, r#""expiration_time":1900000000000"#),
            (r#""expiration_time":1900,"#, ""),
            (r#""id_token":"a.b.c""#, r#""id_token":"""#),
            (r#""id_token""#, r#""saml_response""#),
            (r#"}"#, ""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(Document::from_file(bad.as_bytes(), "d").is_err(), "{bad}");
        }
        assert!(Document::from_file(b"{}", "d").is_err());
        assert!(Document::from_file(b"\xff\xfe", "d").is_err());
    }
}
