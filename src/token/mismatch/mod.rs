//! Identifies text that is not a token of the expected type, and says what to change.
//!
//! A text is examined only after the reader of the expected type refused it, so this module cannot
//! refuse a valid token. Messages contain only names, never a part of a value.

mod json;
mod placeholder;
mod wrapping;

pub use self::json::{SEE_ERROR, kind_of, path_of_token, reports_error};
use super::aws_request::{self, SignedRequest};
use super::{Origin, TokenType, jwt, saml};
use crate::show::TOKEN_PREFIXES;

/// What a text is, and the fix.
pub type Explanation = (String, String);

/// The prefixes of AWS access key IDs, which are not secret.
const AWS_KEY_IDS: [(&str, &str); 2] =
    [("AKIA", "the ID of an AWS access key"), ("ASIA", "the ID of an AWS access key")];

/// Explains why a text is not a token of the expected type; `None` if it looks like such a token,
/// or like an opaque or damaged one.
pub fn explain(text: &str, expected: TokenType, origin: &Origin) -> Option<Explanation> {
    let found = type_of(text);
    if found.is_some_and(|found| noun(found) == noun(expected)) {
        return None;
    }
    // The reader of AWS requests says how a request must be encoded.
    if expected == TokenType::AwsRequest && aws_request::has_headers(text) {
        return None;
    }
    encoding(text, origin)
        .or_else(|| placeholder::explain(text, origin))
        .or_else(|| found.map(|found| another_type(found, expected)))
        .or_else(|| json::explain(text, expected, origin))
        .or_else(|| wrapping::explain(text, expected, origin))
        .or_else(|| other(text, expected, origin))
}

/// Describes a text that is a placeholder or a masked value, such as `${NAME}` or `***`.
pub fn unexpanded(text: &str) -> Option<String> {
    let origin = Origin::new(String::new(), "", String::new());
    placeholder::explain(text, &origin).map(|(what, _)| what)
}

/// The name of a token type in messages, with its article.
pub fn noun(token_type: TokenType) -> &'static str {
    match token_type {
        TokenType::Jwt | TokenType::IdToken => "a JWT",
        TokenType::Saml2 => "SAML",
        TokenType::AwsRequest => "a signed AWS request",
        TokenType::Mtls => "a certificate",
    }
}

/// The type of a token, with one name for both kinds of JWT; `None` if the text is not a token.
fn type_of(text: &str) -> Option<TokenType> {
    if jwt::is_signed(text) {
        return Some(TokenType::Jwt);
    }
    if saml::is_saml(text) {
        return Some(TokenType::Saml2);
    }
    let request = SignedRequest::parse(text).ok()?;
    request.headers().map(|_| TokenType::AwsRequest)
}

/// Whether a text is a token of any type.
pub fn is_token(text: &str) -> bool {
    type_of(text).is_some()
}

fn encoding(text: &str, origin: &Origin) -> Option<Explanation> {
    let is_escape = |c: char| c.is_control() && !c.is_whitespace();
    if text.contains(is_escape) && !text.contains('\0') {
        let what = "it contains control characters, usually the colors of a terminal".to_owned();
        let fix = format!("remove everything except the token ({})", origin.option);
        return Some((what, fix));
    }
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}');
    if text.contains(invisible) {
        let what = "it contains an invisible character, such as a zero-width space".to_owned();
        return Some((what, format!("copy the token again as plain text ({})", origin.option)));
    }
    let what = match text {
        _ if text.starts_with('\u{feff}') => "it begins with a byte order mark",
        _ if text.contains('\0') => "it is UTF-16 text, or it contains NUL characters",
        _ => return None,
    };
    let fix = format!("write the token as UTF-8 without a byte order mark ({})", origin.option);
    Some((what.to_owned(), fix))
}

fn another_type(found: TokenType, expected: TokenType) -> Explanation {
    let what = format!("it is {}, but the expected type is {}", noun(found), expected.urn());
    (what, format!("set subject_token_type to {}", found.urn()))
}

/// Describes texts that contain no token.
fn other(text: &str, expected: TokenType, origin: &Origin) -> Option<Explanation> {
    let (noun, option) = (noun(expected), origin.option);
    let is_path =
        text.starts_with(['/', '~']) || text.starts_with("./") || text.get(1..3) == Some(":\\");
    let parts: Vec<_> = text.split('.').map(jwt::object).collect();
    let mut others = TOKEN_PREFIXES.iter().chain(&AWS_KEY_IDS);
    let known = others.find(|(prefix, _)| text.starts_with(prefix));
    let (what, fix) = match text {
        _ if text.starts_with("-----BEGIN ") => {
            (format!("it is a PEM key or certificate, not {noun}"), format!("check {option}"))
        }
        _ if text.starts_with('<') && expected != TokenType::Saml2 => (
            format!("it is HTML or XML, not {noun}"),
            format!("check {option}, because HTML is usually a sign-in page or an error page"),
        ),
        _ if let Some((_, kind)) = known => (
            format!("it is {kind}, not a subject token"),
            origin.opaque.map_or_else(
                || format!("check {option}, because only a token that an identity provider signed can be exchanged"),
                str::to_owned,
            ),
        ),
        _ if text.starts_with("https://") || text.starts_with("http://") => {
            ("it is a URL".to_owned(), format!("use the source url, or check {option}"))
        }
        _ if text.split_whitespace().count() > 2 && !text.starts_with('<') => (
            "it consists of several words".to_owned(),
            format!("check {option}, because such text is usually an error message"),
        ),
        _ if is_path && text.len() < 256 && !text.contains(' ') => (
            "it looks like the path of a file".to_owned(),
            format!("use the source file, or check {option}"),
        ),
        _ if matches!(parts[..], [Some(_), Some(_)]) => (
            "it is a JWT without its signature".to_owned(),
            "pass the complete token, with all three parts".to_owned(),
        ),
        _ if matches!(parts[..], [Some(_)] | [Some(_), None]) => (
            "it is only the beginning of a JWT".to_owned(),
            "pass the complete token, with all three parts".to_owned(),
        ),
        _ => return None,
    };
    Some((what, fix))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::token::test_origin;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";
    const SAML: &str = r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>"#;
    const AWS: &str = "%7B%22url%22%3A%22u%22%2C%22headers%22%3A%5B%5D%7D";

    fn message(text: &str, expected: TokenType) -> String {
        let explained = explain(text, expected, &test_origin());
        explained.map_or_else(String::new, |(what, fix)| format!("{what}; {fix}"))
    }

    #[test]
    fn a_token_of_another_type_names_its_type() {
        let encoded = STANDARD.encode(SAML);
        for (text, expected, found) in [
            (SAML, TokenType::Jwt, TokenType::Saml2),
            (&encoded, TokenType::IdToken, TokenType::Saml2),
            (AWS, TokenType::Jwt, TokenType::AwsRequest),
            (JWT, TokenType::Saml2, TokenType::Jwt),
            (JWT, TokenType::AwsRequest, TokenType::Jwt),
            (&encoded, TokenType::AwsRequest, TokenType::Saml2),
            (AWS, TokenType::Saml2, TokenType::AwsRequest),
        ] {
            let message = message(text, expected);
            assert!(message.contains(&format!("it is {}, but", noun(found))), "{text}: {message}");
            assert!(message.ends_with(&format!("set subject_token_type to {}", found.urn())));
        }
        assert_eq!(message(JWT, TokenType::IdToken), "");
    }

    #[test]
    fn texts_without_a_token_are_described() {
        for (text, words) in [
            ("\u{feff}a.b.c", "byte order mark"),
            ("e\0y\0J\0", "UTF-16"),
            ("\u{1b}[32meyJ.a.b\u{1b}[0m", "control characters"),
            ("\u{200b}eyJ.a.b", "an invisible character"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "it is a PEM key"),
            ("<html><body>Sign in</body></html>", "it is HTML or XML, not a JWT"),
            ("ya29.c.x", "a Google access token"),
            ("xoxb-1-x", "a Slack token"),
            ("AKIAIOSFODNN7EXAMPLE", "the ID of an AWS access key"),
            ("https://idp.example/token", "it is a URL"),
            ("/run/secrets/token", "the path of a file"),
            ("C:\\run\\token", "the path of a file"),
            ("error: you are not logged in", "several words"),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9", "without its signature"),
            ("eyJhbGciOiJSUzI1NiJ9", "only the beginning"),
        ] {
            let message = message(text, TokenType::Jwt);
            assert!(message.contains(words), "{text}: {message}");
        }
        for text in ["opaque", "a.b.c", "a.b.c.d.e", "q8Zk2Vt/Lm0xWb7RcY3nHs5Jd1PgE9uTfA4oKi6S"] {
            assert_eq!(message(text, TokenType::Jwt), "", "{text}");
        }
    }
}
