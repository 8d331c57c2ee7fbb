//! The subject token, which Google's Security Token Service exchanges: its types and its expiry.
//!
//! Claims are read, to find the expiry, but only the Security Token Service verifies them. Text
//! that cannot be exchanged (an opaque token, a sign-in page, an expired token) is refused before
//! it is sent, with a fix that the service could not know.

mod audience;
pub mod aws_request;
pub mod jwks;
pub mod jwt;
pub mod mismatch;
pub mod saml;
pub mod xml;

pub use audience::Audience;

use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::time::rfc3339;

/// The kinds of subject token that a credential configuration can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// `urn:ietf:params:oauth:token-type:jwt`
    Jwt,
    /// `urn:ietf:params:oauth:token-type:id_token`
    IdToken,
    /// `urn:ietf:params:oauth:token-type:saml2`
    Saml2,
    /// `urn:ietf:params:aws:token-type:aws4_request`
    AwsRequest,
    /// [`TokenType::MTLS`]: certificates. The client authenticates with the first one by mutual
    /// TLS. No source returns this type.
    Mtls,
}

impl TokenType {
    /// The name of [`TokenType::Mtls`] in `subject_token_type`.
    pub const MTLS: &str = "urn:ietf:params:oauth:token-type:mtls";

    /// Every type that a source can return, with its name in `subject_token_type`.
    pub const ALL: &[(TokenType, &str)] = &[
        (TokenType::Jwt, "urn:ietf:params:oauth:token-type:jwt"),
        (TokenType::IdToken, "urn:ietf:params:oauth:token-type:id_token"),
        (TokenType::Saml2, "urn:ietf:params:oauth:token-type:saml2"),
        (TokenType::AwsRequest, "urn:ietf:params:aws:token-type:aws4_request"),
    ];

    /// The type with this name.
    pub fn parse(name: &str) -> Option<TokenType> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The fix for an unknown name.
    pub fn fix_for_unknown() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|row| row.1).collect();
        format!("use one of {}", names.join(", "))
    }

    /// Its name in `subject_token_type`.
    pub fn urn(self) -> &'static str {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or(TokenType::MTLS, |row| row.1)
    }

    /// The time at which Google stops accepting a token of this type, in seconds since 1970; `None`
    /// if the token does not state it.
    pub fn expiry(self, text: &str) -> Option<i64> {
        match self {
            TokenType::Saml2 => saml::expiry(text),
            TokenType::Jwt | TokenType::IdToken | TokenType::AwsRequest => jwt::expiry(text),
            TokenType::Mtls => None,
        }
    }

    /// The `token_type` of a document: `…:jwt` for everything except SAML. The Rust client up to
    /// 1.8 refuses `…:id_token`, the contract has no signed AWS requests, and no client compares
    /// the value with the configuration.
    pub fn on_the_wire(self) -> TokenType {
        match self {
            TokenType::Saml2 => TokenType::Saml2,
            _ => TokenType::Jwt,
        }
    }
}

/// The fix for a source that must return a token of the type [`TokenType::Mtls`].
const NOT_OF_A_SOURCE: &str = "set credential_source.certificate in the configuration";

/// The assumed lifetime of a token that does not state its expiry, in seconds.
pub const UNKNOWN_LIFE: i64 = 300;

/// A token to exchange.
#[derive(Debug)]
pub struct SubjectToken {
    /// A compact JWT, base64 of a SAML response or assertion, or a signed AWS request.
    pub text: Secret,
    /// Its expiry in seconds since 1970, if it is known.
    pub expiry: Option<i64>,
}

/// The advice that selects a member of JSON as the token: the one at this path, or any other if the
/// token is not found.
pub type SelectMember = fn(Option<&str>) -> String;

/// Where a token comes from, for the messages about it.
#[derive(Debug)]
pub struct Origin {
    /// The place, such as `the file /run/token`.
    pub what: String,
    /// The option that names the place, such as `--path`.
    pub option: &'static str,
    /// What to do if the token has expired.
    pub renew: String,
    /// What to do if the text is JSON and the token is one of its members; see [`SelectMember`].
    pub select: Option<SelectMember>,
    /// What to do if the token is not a JWT.
    pub opaque: Option<&'static str>,
    /// What the place must contain, such as `subject token`.
    pub noun: &'static str,
}

impl Origin {
    /// Creates the origin of a token. If the text there is not a token, the message tells the user
    /// to check `option`.
    pub fn new(what: String, option: &'static str, renew: impl Into<String>) -> Origin {
        let renew = renew.into();
        Origin { what, option, renew, select: None, opaque: None, noun: "subject token" }
    }
}

impl SubjectToken {
    /// Reads the token that a source found: a JWT, a signed AWS request, or SAML. SAML as XML is
    /// encoded in base64. SAML in base64 is passed on without its white space.
    ///
    /// # Errors
    /// `PROTOCOL` if the text is not a token of this type, `EXPIRED` if it has expired at `now`, in
    /// seconds since 1970.
    pub fn read(
        text: &Secret,
        token_type: TokenType,
        now: i64,
        origin: &Origin,
    ) -> Result<SubjectToken, Error> {
        let text = text.expose().trim();
        let token = match token_type {
            TokenType::Saml2 => saml::read(text, origin),
            TokenType::Jwt | TokenType::IdToken => jwt::read(text, origin),
            TokenType::AwsRequest => aws_request::read(text, origin),
            TokenType::Mtls => Err(not_a_token(origin, "it is for mutual TLS", NOT_OF_A_SOURCE)),
        };
        let token = token.map_err(|error| match error.kind() {
            Kind::Protocol => mismatch::explain(text, token_type, origin)
                .map_or(error, |(why, fix)| not_a_token(origin, why, &fix)),
            _ => error,
        })?;
        token.refuse_expired(now, origin)?;
        Ok(token)
    }

    /// Refuses a token that has expired.
    ///
    /// # Errors
    /// `EXPIRED` with the time of the expiry.
    pub fn refuse_expired(&self, now: i64, origin: &Origin) -> Result<(), Error> {
        match self.expiry {
            Some(expiry) if expiry <= now => {
                let what =
                    format!("the subject token in {} expired at {}", origin.what, rfc3339(expiry));
                Err(Error::new(Kind::Expired, what).fix(origin.renew.clone()).depending_on(expiry))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a text is a signed JWT before it is sent as an assertion, so that the content of a
/// wrong file never leaves the host. The server checks the claims.
///
/// # Errors
/// `PROTOCOL` if the text is not a signed JWT.
pub fn assertion(text: &Secret, place: String, option: &'static str) -> Result<Secret, Error> {
    let text = text.expose().trim();
    let origin = Origin { noun: "JWT", ..Origin::new(place, option, "") };
    let refuse = |why: &str| not_a_token(&origin, why, &format!("check {option}"));
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    let token = jwt::read(text, &origin);
    let token = token.map_err(|error| match mismatch::explain(text, TokenType::Jwt, &origin) {
        Some((why, _)) => refuse(&why),
        None => error,
    })?;
    Ok(token.text)
}

/// Whether a text is a bearer token (`b64token` of RFC 6750, section 2.1), so that it cannot add
/// lines to a header.
pub fn is_bearer(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~+/".contains(&c))
}

/// Whether a text can be an opaque token, such as a refresh token (RFC 6749, appendix A.17).
pub fn is_opaque(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Explains why a text is not a secret bearer token: it is enclosed in quotes, or it is a
/// placeholder that no program has replaced. Any other text may be a token, because some servers
/// accept tokens with other characters.
pub fn not_a_bearer(text: &str) -> Option<String> {
    let unquoted =
        ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    if unquoted.is_some_and(is_bearer) {
        return Some("it is enclosed in quotes".to_owned());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-. ${}()%<>[]*•".contains(c);
    let is_name = !is_bearer(text) && text.chars().all(is_part);
    is_name.then(|| mismatch::unexpanded(text)).flatten()
}

fn not_a_token(origin: &Origin, why: impl std::fmt::Display, fix: &str) -> Error {
    Error::new(Kind::Protocol, format!("{} does not contain a {}", origin.what, origin.noun))
        .cause(why)
        .fix(fix)
}

#[cfg(test)]
pub(crate) fn test_origin() -> Origin {
    Origin::new("the test".into(), "--path", "make a new one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_one_word() {
        for (text, is_token) in [
            ("ya29.c.b0_-~+/==", true),
            ("", false),
            ("==", false),
            ("a=b", false),
            ("a b", false),
            ("a\r\nX: y", false),
            ("é", false),
        ] {
            assert_eq!(is_bearer(text), is_token, "{text:?}");
        }
    }

    #[test]
    fn only_what_cannot_be_a_bearer_token_is_refused() {
        for (text, words) in [
            ("\"hvs.a\"", "in quotes"),
            ("'hvs.a'", "in quotes"),
            ("***", "masked"),
            ("$(System.AccessToken)", "$(…)"),
            ("${VAULT_TOKEN}", "a reference to a variable"),
            ("${{ secrets.VAULT_TOKEN }}", "${{ … }}"),
            ("<token>", "a placeholder"),
        ] {
            assert!(not_a_bearer(text).is_some_and(|why| why.contains(words)), "{text}");
        }
        for text in ["hvs.a", "null", "~/a:b", "@a&b", "a \"b\"", "/p#q", "\"a b\"", "$2y$10$abc"] {
            assert_eq!(not_a_bearer(text), None, "{text}");
        }
    }

    #[test]
    fn type_names_round_trip() {
        for (token_type, name) in TokenType::ALL {
            assert_eq!(TokenType::parse(name), Some(*token_type));
            assert_eq!(token_type.urn(), *name);
        }
    }
}
