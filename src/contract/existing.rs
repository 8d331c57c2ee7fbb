//! Which content of an existing file may be replaced by a new token.
//!
//! Clients read the output file first, and most of them fail on every run if it contains a document
//! that they cannot use. Therefore a document of the contract is replaced, even if another program
//! wrote it or it is incomplete. Any other content belongs to another program and is left alone.

use serde_json::{Map, Value};

use crate::cache::bound::REQUEST_MEMBER;
use crate::files::ownership::Existing;
use crate::token::{aws_request, jwt, saml};

/// The members of a document.
const MEMBERS: [&str; 9] = [
    "version",
    "success",
    "token_type",
    "id_token",
    "saml_response",
    "expiration_time",
    "code",
    "message",
    REQUEST_MEMBER,
];

/// Whether an output file for a document may be replaced or removed.
pub fn is_document_file(existing: &Existing<'_>, _new: Option<&str>) -> bool {
    is_document(existing.content)
}

/// Whether an output file for the bare token `new` may be replaced, or removed if there is no new
/// token. Nothing in a file with a bare token shows which program wrote it, so the file must be
/// private, like all files that this program writes, and contain a token of the same workload.
pub fn is_token_file(existing: &Existing<'_>, new: Option<&str>) -> bool {
    let old = std::str::from_utf8(existing.content).ok().filter(|_| existing.is_private);
    let old = old.and_then(|old| identity(old, new.is_none()));
    is_document(existing.content) || old.is_some_and(|old| new.is_none_or(|new| old.is_of(new)))
}

/// Whether `content` consists of documents from any program: usually one, or several if a program
/// appends to the file. The last one may be cut short.
pub fn is_document(content: &[u8]) -> bool {
    let mut documents = serde_json::Deserializer::from_slice(content).into_iter::<Value>();
    let mut start = 0;
    while let Some(document) = documents.next() {
        let is_cut = match document {
            Ok(value) if value.is_object() => false,
            Err(error) if error.is_eof() => true,
            _ => return false,
        };
        let end = if is_cut { content.len() } else { documents.byte_offset() };
        let document = content.get(start..end).unwrap_or_default().trim_ascii();
        if !document.starts_with(b"{") || !is_one_document(document, is_cut) {
            return false;
        }
        if is_cut {
            return true;
        }
        start = end;
    }
    start > 0
}

/// Whether an object is a document. The version of other JSON files, such as `package.json`, is not
/// 1, and they have other members.
fn is_one_document(content: &[u8], is_cut: bool) -> bool {
    let members = members(content);
    let is_known = |(name, _): &(&[u8], _)| MEMBERS.iter().any(|known| known.as_bytes() == *name);
    let value = |name: &[u8]| members.iter().find(|member| member.0 == name).map(|member| member.1);
    let is_ours = value(b"success").is_some() || members.iter().all(is_known);
    match value(b"version") {
        Some(b"1" | b"\"1\"" | b"1.0") => true,
        Some(_) => is_ours,
        None if members.is_empty() => !is_cut || is_beginning_of_name(content),
        None => is_cut && is_ours,
    }
}

/// Whether a document ends before or in the name of its first member.
fn is_beginning_of_name(content: &[u8]) -> bool {
    let text = content.get(1..).unwrap_or_default().trim_ascii_start();
    let name = text.strip_prefix(b"\"").unwrap_or(text);
    let name = name.split(|&byte| byte == b'"').next().unwrap_or_default();
    MEMBERS.iter().any(|member| member.as_bytes().starts_with(name))
}

/// Lists the names and values of the members of an object that may be cut short. A value is its
/// JSON text.
fn members(object: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let parts = object.split(|&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                return depth == 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                return depth == 0;
            }
            b',' => return depth == 1,
            _ => {}
        }
        false
    });
    parts.filter_map(member).collect()
}

fn member(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii().strip_prefix(b"\"")?;
    let (name, rest) = text.split_at_checked(text.iter().position(|&byte| byte == b'"')?)?;
    let value = rest.strip_prefix(b"\"")?.trim_ascii_start().strip_prefix(b":")?;
    Some((name, value.trim_ascii()))
}

/// What is known about the workload of a token.
#[derive(Debug, PartialEq)]
enum Identity {
    /// The issuer and the subject of a JWT.
    Jwt([Option<Value>; 2]),
    Saml,
    AwsRequest,
}

impl Identity {
    fn is_of(&self, token: &str) -> bool {
        identity(token, false).as_ref() == Some(self)
    }
}

/// Identifies the workload of a token; `None` if the text is not a token. If `any` is set, all JWTs
/// have the same workload.
fn identity(text: &str, any: bool) -> Option<Identity> {
    let claims = |claims: Map<String, Value>| {
        Identity::Jwt(["iss", "sub"].map(|name| claims.get(name).filter(|_| !any).cloned()))
    };
    jwt::claims(text).map(claims).or_else(|| {
        let is_saml = || saml::decode(text).is_some_and(|xml| xml.trim_start().starts_with('<'));
        match aws_request::SignedRequest::parse(text) {
            Ok(_) => Some(Identity::AwsRequest),
            Err(_) => is_saml().then_some(Identity::Saml),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_their_beginnings_are_recognized() {
        let good = r#"{"version":1,"success":true,"token_type":"t","id_token":"a.b.c","expiration_time":1,"wif_token_request":"d"}"#;
        for length in 1..=good.len() {
            assert!(is_document(&good.as_bytes()[..length]), "{}", &good[..length]);
        }
        for document in [
            "{}",
            "{ }",
            r#"{"version":1}"#,
            r#"{"version":"1"}"#,
            r#"{"version":1,"other":{}}"#,
            "{\"version\":1}\n{\"version\":1,\"success\":true}\n{\"ver",
            r#"{"version":2,"success":false,"other":1}"#,
            r#"{"version":2,"id_token":"a"}"#,
            r#"{"id_token":"a.b.c","expiration_time":17"#,
            "{ \"success\": tr",
        ] {
            assert!(is_document(document.as_bytes()), "{document}");
        }
    }

    #[test]
    fn other_content_is_not_recognized() {
        for other in [
            "a.b.c",
            "-----BEGIN PRIVATE KEY-----",
            "[]",
            "null",
            "1",
            "\"{}\"",
            r#"{"type":"external_account"}"#,
            r#"{"type":"external_account","aud"#,
            r#"{"universe_domain""#,
            r#"{"refresh_token":"r"#,
            r#"{"name":"x","version":"1.0.0"}"#,
            r#"{"version":4,"terraform_version":"1.5"}"#,
            r#"{"version":4,"terraform_version":"1."#,
            r#"{"access_token":"x","expires_in":1}"#,
            r#"{"success":true}"#,
            r#"{"version":1}x"#,
            r#"{"version":1}{"type":"x"}"#,
            r#"{"version":1,}"#,
            "{version: 1}",
        ] {
            assert!(!is_document(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_private_token_of_the_same_workload_is_recognized() {
        let jwt = |claims: &str| {
            use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
            format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
        };
        let old = jwt(r#"{"iss":"i","sub":"s","exp":1}"#);
        let new = jwt(r#"{"iss":"i","sub":"s","exp":2}"#);
        let other = jwt(r#"{"iss":"i","sub":"t","exp":2}"#);
        let of = |content: &str, is_private, new: Option<&str>| {
            let content = content.as_bytes();
            is_token_file(&Existing { content, whole: content, is_private }, new)
        };
        assert!(of(&old, true, Some(&new)));
        assert!(of(&old, true, None));
        assert!(of("{}", false, Some(&new)));
        assert!(!of(&old, false, Some(&new)));
        assert!(!of(&other, true, Some(&new)));
        assert!(!of("a key", true, Some(&new)) && !of("a key", true, None));
    }
}
