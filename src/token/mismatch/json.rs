//! JSON where a token is expected: well-known files, and JSON with a member that is a token.

use serde_json::{Map, Value};

use super::{Explanation, noun, type_of};
use crate::error::one_line;
use crate::token::{Origin, TokenType};

/// Values of the member `type` of Google's files.
const GOOGLE_FILES: &[(&str, &str)] = &[
    ("external_account", "a credential configuration"),
    ("service_account", "a service account key"),
    ("impersonated_service_account", "a credential configuration"),
    ("authorized_user", "the credentials of a signed-in user"),
    ("external_account_authorized_user", "the credentials of a signed-in user"),
];

/// The number of levels below the top level at which a token is searched for.
const DEEPEST: usize = 4;

pub(super) fn explain(text: &str, expected: TokenType, origin: &Origin) -> Option<Explanation> {
    let noun = noun(expected);
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        Err(_) if text.starts_with(['{', '[']) => Value::Null,
        _ => return None,
    };
    if let Some(kind) = value.as_object().and_then(known) {
        return Some((
            format!("it is {kind}, not {noun}"),
            format!("set {} to the location of the token", origin.option),
        ));
    }
    let path = path_of_token(&value);
    let fix = match origin.select {
        Some(select) => select(path.as_deref()),
        None => format!("check {}", origin.option),
    };
    Some(match (path, value.as_object().and_then(without_token)) {
        (Some(path), _) => {
            (format!("it is JSON, not {noun}, and the token is in the member {path}"), fix)
        }
        (None, Some((kind, fix))) => (format!("it is {kind}"), fix.to_owned()),
        (None, None) => (format!("it is JSON, not {noun}"), fix),
    })
}

/// Describes a well-known JSON object that is not a token.
fn known(members: &Map<String, Value>) -> Option<&'static str> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let has = |name: &str| members.contains_key(name);
    if let Some((_, kind)) = GOOGLE_FILES.iter().find(|(name, _)| text("type") == Some(name)) {
        return Some(kind);
    }
    match members {
        _ if has("keys") && members.get("keys").is_some_and(Value::is_array) => Some("a JWK set"),
        _ if has("kty") => Some("a JWK"),
        _ if has("authorization_endpoint") || has("jwks_uri") => Some("the metadata of an issuer"),
        _ => None,
    }
}

/// Describes JSON that contains a token.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        _ if value.get("kind").is_some_and(|kind| kind == "ExecCredential") => {
            "an ExecCredential for Kubernetes"
        }
        _ if value.get("access_token").or_else(|| value.get("id_token")).is_some() => {
            "a response of a token endpoint"
        }
        _ => "other JSON",
    }
}

/// The fix for JSON that reports an error.
pub const SEE_ERROR: &str = "repeat the request or run the program by hand to see the error";

/// Whether a JSON object reports an error, as APIs and executables do.
pub fn reports_error(members: &Map<String, Value>) -> bool {
    let has = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
    has("error") || has("errors") || members.get("success") == Some(&Value::Bool(false))
}

/// Describes a well-known JSON object without a subject token. Also returns the fix.
fn without_token(members: &Map<String, Value>) -> Option<(&'static str, &'static str)> {
    let has = |name: &str| members.contains_key(name);
    match members {
        _ if has("AccessKeyId") && has("SecretAccessKey") => Some((
            "AWS credentials in the format of a credential_process",
            "use the source aws with a profile that has this credential_process",
        )),
        _ if members.get("kind").is_some_and(|kind| kind == "ExecCredential") => Some((
            "an ExecCredential for Kubernetes without a subject token",
            "use the source kubernetes with the kubeconfig that names this program",
        )),
        _ if has("access_token") || has("accessToken") => Some((
            "an access token that Google cannot verify, not a subject token",
            "request an ID token instead",
        )),
        _ if reports_error(members) => Some(("JSON that reports an error", SEE_ERROR)),
        _ => None,
    }
}

/// The path of the first member that is a token, such as `data.id_token`.
pub fn path_of_token(value: &Value) -> Option<String> {
    path_below(value, DEEPEST)
}

fn path_below(value: &Value, depth: usize) -> Option<String> {
    let below = |name: String, value: &Value| match value {
        Value::String(text) => type_of(text).map(|_| name),
        Value::Object(_) | Value::Array(_) if depth > 0 => {
            path_below(value, depth - 1).map(|path| format!("{name}.{path}"))
        }
        _ => None,
    };
    match value {
        Value::Object(members) => {
            members.iter().find_map(|(name, value)| below(shown(name)?, value))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, value)| below(index.to_string(), value))
        }
        _ => None,
    }
}

/// The name of a member, if it is short enough to be a name.
fn shown(name: &str) -> Option<String> {
    (name.len() <= 40).then(|| one_line(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";

    #[test]
    fn json_is_described_and_its_token_is_found() {
        let origin = Origin {
            select: Some(|path| format!("add --field={}", path.unwrap_or("MEMBER"))),
            ..crate::token::test_origin()
        };
        for (text, words) in [
            (
                r#"{"type":"external_account"}"#.to_owned(),
                "it is a credential configuration, not a JWT; set --path to",
            ),
            (r#"{"type":"service_account"}"#.to_owned(), "it is a service account key"),
            (r#"{"keys":[]}"#.to_owned(), "it is a JWK set"),
            (r#"{"kty":"EC"}"#.to_owned(), "it is a JWK,"),
            (r#"{"error":"x"}"#.to_owned(), "reports an error"),
            (r#"{"access_token":"x"}"#.to_owned(), "an access token that Google cannot verify"),
            (
                r#"{"Version":1,"AccessKeyId":"x","SecretAccessKey":"y"}"#.to_owned(),
                "it is AWS credentials in the format of a credential_process; use the source aws",
            ),
            (
                r#"{"kind":"ExecCredential","status":{"token":"x"}}"#.to_owned(),
                "an ExecCredential for Kubernetes without a subject token; use the source kubernetes",
            ),
            (r#"{"other":"x"}"#.to_owned(), "it is JSON, not a JWT; add --field=MEMBER"),
            (
                format!(r#"{{"a":1,"id_token":"{JWT}"}}"#),
                "in the member id_token; add --field=id_token",
            ),
            (format!(r#"[{{"data":{{"jwt":"{JWT}"}}}}]"#), "add --field=0.data.jwt"),
            ("{\"token\":".to_owned(), "it is JSON, not a JWT"),
        ] {
            let (what, fix) = explain(&text, TokenType::Jwt, &origin).unwrap();
            assert!(format!("{what}; {fix}").contains(words), "{text}: {what}; {fix}");
        }
        assert_eq!(explain("\"x\"", TokenType::Jwt, &origin), None);
        assert_eq!(explain("a.b.c", TokenType::Jwt, &origin), None);
    }
}
