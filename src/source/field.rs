//! The option `--field`: take a member of JSON instead of the whole text.
//!
//! `a.b.0.c` goes down through objects by name and through arrays by number. A name that has dots
//! itself is found too: the longest one counts.

use serde_json::Value;

use crate::error::{Error, Kind, one_line};
use crate::options::Values;
use crate::secret::Secret;

options! {
    /// The option of every source that reads text or JSON.
    pub(super) struct Options {
        /// the token is this member of the JSON; dots separate levels, numbers index arrays from 0
        /// (a.b.0.c)
        field: Option<String> = "--field=PATH",
    }
}

/// A member to take.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its path.
    pub(crate) path: String,
    /// The option, or the member of a configuration, that names it.
    pub(crate) option: &'static str,
}

impl Field {
    /// The member that `--field` names.
    pub(super) fn read(values: &Values) -> Result<Option<Field>, Error> {
        let Options { field } = Options::read(values)?;
        Ok(field.map(|path| Field { path, option: "--field" }))
    }
}

/// The whole text, or the member of it that was named. `what` says in messages what it is.
///
/// # Errors
/// `PROTOCOL` where JSON was due and none came, `CONFIGURATION` where it has no such text member.
pub(super) fn select(text: &Secret, field: Option<&Field>, what: &str) -> Result<Secret, Error> {
    let Some(Field { path, option }) = field else {
        return Ok(text.clone());
    };
    let value: Value = serde_json::from_str(text.expose()).map_err(|_| {
        let found =
            if text.expose().trim_start().starts_with('<') { "HTML or XML" } else { "no JSON" };
        Error::new(Kind::Protocol, format!("{what} holds {found}"))
            .fix(format!("leave {option}={path} out, or check where the token comes from"))
    })?;
    match find(&value, path) {
        Ok(Value::String(text)) => Ok(Secret::new(text.as_str())),
        Ok(other) => {
            let wrong = format!("the member {path:?} of {what} is no text");
            let fix = format!("check {option}; it has {}", members(other));
            Err(Error::new(Kind::Configuration, wrong).fix(fix))
        }
        Err((inside, missing)) => {
            let wrong = match missing.len() == path.len() {
                true => format!("{what} has no member {missing:?}"),
                false => format!("{what} has no member {missing:?} inside of what {option} names"),
            };
            let fix = format!("check {option}; it has {}", members(inside));
            Err(Error::new(Kind::Configuration, wrong).fix(fix))
        }
    }
}

/// The value at the end of a path, or the last value on the way and what is missing there.
fn find<'a, 'b>(value: &'a Value, path: &'b str) -> Result<&'a Value, (&'a Value, &'b str)> {
    if let Some(found) = step(value, path) {
        return Ok(found);
    }
    let dots = path.rmatch_indices('.').map(|(at, _)| path.split_at(at));
    let next = dots.filter_map(|(name, rest)| Some((step(value, name)?, rest.get(1..)?))).next();
    let (inside, rest) = next.ok_or((value, path))?;
    find(inside, rest)
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    }
}

/// The names of the members, which are no secrets, shortened.
fn members(value: &Value) -> String {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(items) => return format!("an array of {}", items.len()),
        _ => return "no members".to_owned(),
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

    fn field(path: &str) -> Field {
        Field { path: path.to_owned(), option: "--field" }
    }

    fn message(text: &str, path: &str) -> (Kind, String) {
        let error = select(&Secret::new(text), Some(&field(path)), "the file /t").unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn takes_the_whole_or_a_member() {
        let text = Secret::new(r#"{"token":"a.b.c"}"#);
        assert_eq!(select(&text, Some(&field("token")), "").unwrap().expose(), "a.b.c");
        assert_eq!(select(&text, None, "").unwrap().expose(), text.expose());
    }

    #[test]
    fn a_path_leads_down() {
        let text = r#"[{"svids":[{"svid":"x"}],"a.b":{"c":"y"},"a":{"b.c":"z","0":"n"}}]"#;
        for (path, found) in [("0.svids.0.svid", "x"), ("0.a.b.c", "y"), ("0.a.0", "n")] {
            let token = select(&Secret::new(text), Some(&field(path)), "").unwrap();
            assert_eq!(token.expose(), found, "{path}");
        }
    }

    #[test]
    fn says_what_is_there_instead() {
        let configuration = Kind::Configuration;
        for (text, path, kind, words) in [
            (
                r#"{"id_token":"secret","n":1}"#,
                "token",
                configuration,
                "check --field; it has id_token, n",
            ),
            (
                r#"{"token":1}"#,
                "token",
                configuration,
                r#"the member "token" of the file /t is no text"#,
            ),
            (r#"{"a":{"token":"secret"}}"#, "a", configuration, "it has token"),
            (
                r#"{"a":{"token":"secret"}}"#,
                "a.b.c",
                configuration,
                r#"no member "b.c" inside of what --field names; check --field; it has token"#,
            ),
            ("{}", "token", configuration, "it has none"),
            ("[1]", "token", configuration, "it has an array of 1"),
            (r#"{"a":["secret"]}"#, "a.1", configuration, "it has an array of 1"),
            ("a.b.c", "token", Kind::Protocol, "the file /t holds no JSON"),
            ("<html>", "token", Kind::Protocol, "HTML"),
        ] {
            let (found, message) = message(text, path);
            assert_eq!(found, kind, "{text}");
            assert!(message.contains(words) && !message.contains("secret"), "{message}");
        }
    }
}
