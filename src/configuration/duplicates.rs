//! Members that occur twice in one object of a JSON text. RFC 8259 leaves open which one is used.
//! <https://www.rfc-editor.org/rfc/rfc8259#section-4>

use std::collections::HashSet;

/// Finds the first member that occurs twice in one object of a valid JSON text.
pub fn first(text: &str) -> Option<String> {
    let mut objects: Vec<HashSet<String>> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '}']) {
        let (mark, after) = (rest.as_bytes().get(at), rest.get(at + 1..)?);
        rest = after;
        match mark {
            Some(b'{') => objects.push(HashSet::new()),
            Some(b'}') => drop(objects.pop()),
            _ => {
                let (string, after) = string(after)?;
                rest = after;
                if !after.trim_start().starts_with(':') {
                    continue;
                }
                // Names can have escapes, such as \u0061.
                let name: String = serde_json::from_str(&format!("\"{string}\"")).ok()?;
                if let Some(name) = objects.last_mut()?.replace(name) {
                    return Some(name);
                }
            }
        }
    }
    None
}

/// Splits the text after an opening quote into the string up to its closing quote, and the text
/// after it.
fn string(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_counts_only_in_the_same_object() {
        for (text, found) in [
            (r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#, None),
            (r#"{"a":"a","b":"\"a\":","c":"{\\"}"#, None),
            (r#"{"a":1,"b":{},"a":2}"#, Some("a")),
            (r#"{"x":{"b":1,"b":2}}"#, Some("b")),
            (r#"{"a" : 1, "\u0061" : 2}"#, Some("a")),
            ("[]", None),
        ] {
            assert_eq!(first(text).as_deref(), found, "{text}");
        }
    }
}
