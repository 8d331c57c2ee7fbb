//! The version-1 documents, in the form that every client can read.
//!
//! `version` is the integer 1, `success` is a boolean, `code` is a string, and `expiration_time` is
//! in whole seconds; any other type breaks some client. A failure also has `token_type`, because
//! the Rust client cannot parse a document without it. `expiration_time` is earlier than the real
//! expiry, because clients use a token until its last second.
//! <https://google.aip.dev/auth/4117>

use serde_json::{Value, json};

use super::expiry_margin;
use crate::cache::Cached;
use crate::cache::bound::REQUEST_MEMBER;
use crate::error::{Error, redacted};
use crate::secret::Secret;
use crate::time;
use crate::token::{SubjectToken, TokenType, UNKNOWN_LIFE, jwt};

/// A success: a token, and when clients must stop using it.
#[derive(Debug)]
pub struct Document {
    token_type: TokenType,
    /// The subject token itself.
    pub token: Secret,
    /// The reported expiry in seconds since 1970. It is earlier than the real expiry.
    pub expiration_time: i64,
}

impl Document {
    /// Creates the document for a token at the time `now`, in seconds since 1970. `margin` is the
    /// value of `--expiry-margin` in seconds; the default is random, from a tenth to a fifth of the
    /// remaining lifetime.
    ///
    /// # Errors
    /// `EXPIRED` if the token expires within the margin.
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

    /// Creates the document for another token, `text`, if that token has the issuer, subject and
    /// audience of the token in this document and has not expired. The expiry margin is that of
    /// this document.
    pub(super) fn renewed(&self, text: &str, now: i64) -> Option<Document> {
        let request = |text: &str| {
            let claims = jwt::claims(text)?;
            Some(["iss", "sub", "aud"].map(|name| claims.get(name).cloned()))
        };
        let is_same =
            request(text).is_some_and(|found| request(self.token.expose()) == Some(found));
        let expiry = self.expiry_of(text).filter(|expiry| is_same && *expiry > now)?;
        let expiration_time = expiry - (self.valid_until() - self.expiration_time);
        Some(Document { token_type: self.token_type, token: Secret::new(text), expiration_time })
    }

    /// The expiry of a token in seconds since 1970, if the token has the same type and states its expiry.
    pub(super) fn expiry_of(&self, text: &str) -> Option<i64> {
        self.token_type.expiry(text)
    }

    /// The line for standard output, without its line break.
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
    /// The document with the digest of its request.
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

    fn valid_until(&self) -> i64 {
        self.token_type.expiry(self.token.expose()).unwrap_or(self.expiration_time)
    }

    fn without_margin(self) -> Document {
        Document { expiration_time: self.valid_until(), ..self }
    }

    fn from_file(bytes: &[u8], request: &str) -> Result<Document, &'static str> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
        if value.get("version") != Some(&json!(1)) {
            return Err("its version is not 1");
        }
        if value.get("success") != Some(&json!(true)) {
            return Err("it does not report success");
        }
        if value.get(REQUEST_MEMBER).and_then(Value::as_str) != Some(request) {
            return Err("it was made for a different request");
        }
        let token_type = value.get("token_type").and_then(Value::as_str);
        let token_type = token_type.and_then(TokenType::parse).ok_or("it has no token_type")?;
        let token = value.get(member(token_type)).and_then(Value::as_str);
        let token = token.filter(|token| !token.is_empty()).ok_or("it has no token")?;
        let expiration_time = value.get("expiration_time").and_then(time::whole_second);
        let expiration_time = expiration_time.ok_or("it has no expiration_time in seconds")?;
        let expiration_time = token_type.expiry(token).unwrap_or(i64::MAX).min(expiration_time);
        Ok(Document { token_type, token: Secret::new(token), expiration_time })
    }
}

pub(super) fn member(token_type: TokenType) -> &'static str {
    match token_type {
        TokenType::Saml2 => "saml_response",
        _ => "id_token",
    }
}

/// Whether this program wrote a document to an output file.
pub fn is_ours(document: &Value) -> bool {
    document.get(REQUEST_MEMBER).is_some()
}

/// Reads the token in a version-1 document from any program.
///
/// # Errors
/// Why the document has no token; for a failure, its code and message, redacted.
pub fn token(document: &Value, token_type: TokenType) -> Result<Secret, String> {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if document.get("version") != Some(&json!(1)) {
        return Err("its version is not 1".to_owned());
    }
    if document.get("success") != Some(&json!(true)) {
        let filled = |name: &str| text(name).filter(|text| !text.is_empty());
        let why = match (filled("code"), filled("message")) {
            (Some(code), Some(message)) => format!("it reports the error {code} ({message})"),
            (None, Some(error)) | (Some(error), None) => format!("it reports the error {error}"),
            (None, None) => "it reports an error without a code and a message".to_owned(),
        };
        return Err(redacted(&why, &[]));
    }
    let name = member(token_type);
    let token = text(name).filter(|token| !token.is_empty());
    token.map(Secret::new).ok_or_else(|| format!("it has no {name}"))
}

/// The `expiration_time` of a version-1 document from any program, in seconds since 1970. A
/// negative time counts as 0.
pub fn stated_expiry(document: &Value) -> Option<i64> {
    let stated = document.get("expiration_time")?;
    let is_negative = stated.as_f64().is_some_and(|seconds| seconds < 0.0);
    if is_negative { Some(0) } else { time::instant(stated) }
}

/// When the token in a version-1 document from any program expires, in seconds since 1970: at the
/// `expiration_time`, or earlier if the token states an earlier expiry. `None` without an
/// `expiration_time`.
pub fn expiry(document: &Value) -> Option<i64> {
    let stated = stated_expiry(document)?;
    Some(expiry_of_token(document).unwrap_or(stated).min(stated))
}

/// The expiry that the token in a version-1 document states, in seconds since 1970.
pub(super) fn expiry_of_token(document: &Value) -> Option<i64> {
    let token_type = TokenType::parse(document.get("token_type")?.as_str()?)?;
    token_type.expiry(document.get(member(token_type))?.as_str()?)
}

/// The failure document, without its line break.
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

/// The document for `GOOGLE_EXTERNAL_ACCOUNT_REVOKE=1`, without its line break.
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
    fn a_success_is_pinned_exactly() {
        let mut document = document(Some(2000), Some(100)).unwrap();
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
    fn a_failure_is_pinned_exactly() {
        let error = Error::new(Kind::Denied, "the \"issuer\" refused").fix("check --client-id");
        assert_eq!(
            failure(&error, TokenType::IdToken),
            r#"{"version":1,"success":false,"token_type":"urn:ietf:params:oauth:token-type:jwt","code":"DENIED","message":"the \"issuer\" refused; check --client-id"}"#
        );
        assert_eq!(revoked(), r#"{"version":1,"success":true}"#);
    }

    #[test]
    fn a_token_of_unknown_lifetime_is_reported_for_five_minutes() {
        assert_eq!(document(None, Some(30)).unwrap().expiration_time, 1000 + 300 - 30);
    }

    #[test]
    fn an_output_file_is_used_only_for_its_request() {
        let file = document(Some(2000), Some(100)).unwrap().to_file("d");
        let read = Document::from_file(file.expose().as_bytes(), "d").unwrap();
        assert_eq!(read.to_file("d").expose(), file.expose());
        assert!(Document::from_file(file.expose().as_bytes(), "other").is_err());
    }

    #[test]
    fn an_invalid_output_file_is_not_used() {
        let good = document(Some(2000), Some(100)).unwrap().to_file("d").expose().to_owned();
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
