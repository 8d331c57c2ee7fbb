//! The members that a file in the private cache has in addition to those of its token: the request
//! that the token is for, and the files that the token depends on.

use serde_json::{Map, Value};

use super::dependencies::Dependencies;
use crate::secret::Secret;

/// The member with the digest of the request.
pub const REQUEST_MEMBER: &str = "wif_token_request";

/// The member with the files that the token depends on.
const FILES_MEMBER: &str = "wif_token_files";

/// Builds the content of a file from these members, for a request.
pub fn to_request(members: Value, request: &str) -> Secret {
    let mut members = members;
    if let Some(object) = members.as_object_mut() {
        object.insert(REQUEST_MEMBER.to_owned(), request.into());
        object.insert(FILES_MEMBER.to_owned(), Dependencies::seen().to_json());
    }
    Secret::new(members.to_string())
}

/// Reads the members from a file, if the file is for this request and nothing that the token
/// depends on has changed.
///
/// # Errors
/// Why the content is not used, for the log.
pub fn read(bytes: &[u8], request: &str) -> Result<Map<String, Value>, &'static str> {
    let members: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|_| "it is not a JSON object")?;
    if members.get(REQUEST_MEMBER).and_then(Value::as_str) != Some(request) {
        return Err("it was made for a different request");
    }
    let files = members.get(FILES_MEMBER).and_then(Dependencies::read);
    let unchanged = files.filter(Dependencies::are_unchanged);
    // A token that is obtained with this one depends on the same files.
    unchanged.ok_or("a file that the token depends on has changed")?.note();
    Ok(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files;

    #[test]
    fn a_token_is_not_used_after_one_of_its_files_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        files::create_new(&path, b"one").unwrap();
        files::note(&path);
        let file = to_request(json!({"a": 1}), "d");
        let is_read = || read(file.expose().as_bytes(), "d").is_ok();
        assert!(is_read() && read(file.expose().as_bytes(), "e").is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_read());
        files::create_new(&path, b"two").unwrap();
        assert!(!is_read());
    }

    #[test]
    fn a_file_without_its_request_or_dependencies_is_not_used() {
        for text in [
            "[]",
            "{",
            r#"{"wif_token_request":"d"}"#,
            r#"{"wif_token_request":"d","wif_token_files":{"a":1}}"#,
        ] {
            assert!(read(text.as_bytes(), "d").is_err(), "{text}");
        }
        assert!(read(br#"{"wif_token_request":"d","wif_token_files":{}}"#, "d").is_ok());
    }
}
