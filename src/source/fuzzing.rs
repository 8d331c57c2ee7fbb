//! The parsers of the sources, for fuzzing.

use serde_json::Value;

pub(crate) use super::adfs::fuzzing as adfs;
pub(crate) use super::aws::fuzzing as aws;
use super::field::{self, Field};
pub(crate) use super::kubernetes::fuzzing as kubernetes;
use crate::secret::Secret;

/// Selects the member at the path in the first line from the JSON after it. Returns the error
/// message, unless the path or the name of a member contains the word that stands for a secret,
/// because a message may contain such names.
pub(crate) fn field(text: &str) -> Option<String> {
    let (path, json) = text.split_once('\n')?;
    let field = Field::of_option(Some(path.to_owned()));
    let error = field::select(&Secret::new(json), &field, "the text").err()?;
    let value = serde_json::from_str(json).unwrap_or_default();
    let is_secret = path.contains("hunter2") || names_contain(&value, "hunter2");
    (!is_secret).then(|| error.to_string())
}

fn names_contain(value: &Value, word: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(word) || names_contain(value, word))
        }
        Value::Array(items) => items.iter().any(|item| names_contain(item, word)),
        _ => false,
    }
}
