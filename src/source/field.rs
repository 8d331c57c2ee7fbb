//! The option `--field`: take a member of JSON instead of the whole text.

use serde_json::Value;

use crate::cli::{OptionInfo, Takes};
use crate::error::{Error, Kind, one_line};
use crate::secret::Secret;

/// The option, for the tables of the sources that have it.
pub(super) const OPTION: OptionInfo =
    OptionInfo::new("field", Takes::Text("NAME"), "take this member of a JSON object");

/// The whole text, or the member of it that `--field` names. `what` says in messages what it is.
///
/// # Errors
/// `PROTOCOL` where JSON was due and none came, `CONFIGURATION` where it has no such text member.
pub(super) fn select(text: &Secret, field: Option<&str>, what: &str) -> Result<Secret, Error> {
    let Some(field) = field else {
        return Ok(text.clone());
    };
    let value: Value = serde_json::from_str(text.expose()).map_err(|_| {
        let found =
            if text.expose().trim_start().starts_with('<') { "HTML or XML" } else { "no JSON" };
        Error::new(Kind::Protocol, format!("{what} holds {found}"))
            .hint(format!("leave --field={field} out, or check where the token comes from"))
    })?;
    match value.get(field) {
        Some(Value::String(text)) => Ok(Secret::new(text.as_str())),
        Some(_) => Err(Error::new(
            Kind::Configuration,
            format!("the member {field:?} of {what} is no text"),
        )
        .hint("check --field")),
        None => Err(Error::new(Kind::Configuration, format!("{what} has no member {field:?}"))
            .hint(format!("check --field; it has {}", members(&value)))),
    }
}

/// The names of the members, which are no secrets, shortened.
fn members(value: &Value) -> String {
    let Some(object) = value.as_object() else {
        return "no members: it is no object".to_owned();
    };
    let names: Vec<String> =
        object.keys().take(12).map(|key| one_line(key).chars().take(40).collect()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> (Kind, String) {
        let error = select(&Secret::new(text), Some("token"), "the file /t").unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn takes_the_whole_or_a_member() {
        let text = Secret::new(r#"{"token":"a.b.c"}"#);
        assert_eq!(select(&text, Some("token"), "").unwrap().expose(), "a.b.c");
        assert_eq!(select(&text, None, "").unwrap().expose(), text.expose());
    }

    #[test]
    fn says_what_is_there_instead() {
        for (text, kind, words) in [
            (
                r#"{"id_token":"secret","n":1}"#,
                Kind::Configuration,
                "check --field; it has id_token, n",
            ),
            (
                r#"{"token":1}"#,
                Kind::Configuration,
                r#"the member "token" of the file /t is no text"#,
            ),
            ("{}", Kind::Configuration, "it has none"),
            ("[1]", Kind::Configuration, "it is no object"),
            ("a.b.c", Kind::Protocol, "the file /t holds no JSON"),
            ("<html>", Kind::Protocol, "HTML"),
        ] {
            let (found, message) = message(text);
            assert_eq!(found, kind, "{text}");
            assert!(message.contains(words) && !message.contains("secret"), "{message}");
        }
    }
}
