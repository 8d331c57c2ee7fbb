//! The option `--field`: the token is a member of a JSON document instead of the whole text.
//!
//! The path `a.b.0.c` selects object members by name and array elements by index. Member names that
//! contain dots work too: at each level, the longest matching name is used.

use serde_json::Value;

use crate::context::Context;
use crate::contract::document;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind, one_line};
use crate::options::Values;
use crate::secret::Secret;
use crate::token::{Origin, SelectMember, SubjectToken, mismatch};

options! {
    /// The option that all sources of text or JSON share.
    pub(super) struct Options {
        /// use this member of the JSON as the token; dots separate levels, numbers are array
        /// indexes from 0 (a.b.0.c)
        field: Option<String> = "--field=PATH",
    }
}

/// Which part of a text is the token.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The path of the member; `None` for the whole text.
    pub(crate) path: Option<String>,
    /// The option or the configuration member that contains the path, for messages.
    pub(crate) option: &'static str,
    /// What to do if the token is a member, but no path is given.
    pub(crate) add: SelectMember,
    /// What to do if the whole text is the token, but a path is given.
    pub(crate) remove: &'static str,
    /// Whether the path may lead into nested objects and arrays.
    pub(crate) nested: bool,
}

impl Field {
    /// Reads `--field`.
    pub(super) fn read(values: &Values) -> Result<Field, Error> {
        let Options { field } = Options::read(values)?;
        Ok(Field::of_option(field))
    }

    pub(super) fn of_option(path: Option<String>) -> Field {
        let add: SelectMember = |path| match path {
            Some(path) => format!("add --field={path}"),
            None => "add --field=MEMBER to name the member that contains the token".to_owned(),
        };
        Field { path, option: "--field", add, remove: "remove --field", nested: true }
    }

    /// What to do if the path is wrong and the token is a member at `path`.
    fn correct(&self, path: Option<String>) -> String {
        match path {
            None => format!("check {}", self.option),
            Some(path) if self.nested => format!("use {}={path}", self.option),
            Some(path) if !path.contains('.') => format!("set {} to {path}", self.option),
            Some(path) => by_executable(&path),
        }
    }

    /// Reads the subject token in a text from `origin`. The text may be the document of an
    /// executable.
    ///
    /// # Errors
    /// `PROTOCOL` or `CONFIGURATION` if the text does not have the member; the errors of
    /// [`SubjectToken::read`].
    pub(super) fn token(
        &self,
        text: &Secret,
        origin: Origin,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let origin = Origin { select: Some(self.add), ..origin };
        let found = select(text, self, &origin.what)?;
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&found, request.token_type, now, &origin)?;
        let document = serde_json::from_str::<Value>(text.expose()).ok();
        if let Some(expiry) = document.and_then(|document| document::expiry(&document)) {
            token.expiry = Some(expiry);
            token.refuse_expired(now, &origin)?;
        }
        Ok(token)
    }
}

/// Returns the member of `text` at the path of `field`, or the whole text. `what` describes the text
/// in messages.
///
/// # Errors
/// `PROTOCOL` if the text is not JSON, `CONFIGURATION` if the member does not exist or is not a
/// string.
pub(super) fn select(text: &Secret, field: &Field, what: &str) -> Result<Secret, Error> {
    let Field { path: Some(path), nested, .. } = field else {
        return Ok(text.clone());
    };
    let value: Value = serde_json::from_str(text.expose()).map_err(|_| {
        let (text, remove) = (text.expose().trim(), field.remove);
        let (found, fix) = match text {
            _ if mismatch::is_token(text) => ("is only a token, not JSON", remove.to_owned()),
            _ if text.starts_with('<') => {
                ("is HTML or XML, not JSON", format!("{remove} if the whole text is the token"))
            }
            _ => ("is not JSON", format!("{remove} if the whole text is the token")),
        };
        Error::new(Kind::Protocol, format!("{what} {found}")).fix(fix)
    })?;
    let found = find(&value, path);
    if !nested && found.is_ok() && value.as_object().is_none_or(|top| !top.contains_key(path)) {
        let wrong = format!("{path} is not a top-level member of {what}");
        return Err(Error::new(Kind::Configuration, wrong)
            .cause("clients do not look for the token in nested objects or arrays")
            .fix(field.correct(Some(path.clone()))));
    }
    if !nested && value.is_array() {
        let found = mismatch::path_of_token(&value).unwrap_or_else(|| format!("0.{path}"));
        return Err(Error::new(Kind::Configuration, format!("{what} is a JSON array"))
            .cause("clients look for the token only in an object")
            .fix(by_executable(&found)));
    }
    match found {
        Ok(Value::String(text)) => Ok(Secret::new(text.as_str())),
        Ok(other) => {
            let wrong = format!("the member {path:?} of {what} is not a string");
            Err(Error::new(Kind::Configuration, wrong)
                .cause(format!("it is {}", contents(other)))
                .fix(field.correct(mismatch::path_of_token(&value))))
        }
        Err((inside, missing)) => {
            let wrong = match path.strip_suffix(missing).map(|parent| parent.trim_end_matches('.'))
            {
                None | Some("") => format!("{what} has no member {missing:?}"),
                Some(parent) => format!("{parent:?} in {what} has no member {missing:?}"),
            };
            let fix = match mismatch::path_of_token(&value) {
                None if value.as_object().is_some_and(mismatch::reports_error) => {
                    mismatch::SEE_ERROR.to_owned()
                }
                found => field.correct(found),
            };
            Err(Error::new(Kind::Configuration, wrong)
                .cause(format!("the JSON there is {}", contents(inside)))
                .fix(fix))
        }
    }
}

/// What to do if clients do not find the token at a path.
pub(crate) fn by_executable(path: &str) -> String {
    format!("configure an executable source, for example wif-token file --field={path}")
}

/// Returns the value at the end of a path. If a member is missing, returns the value that should
/// contain it and the rest of the path.
fn find<'a, 'b>(value: &'a Value, path: &'b str) -> Result<&'a Value, (&'a Value, &'b str)> {
    if let Some(found) = step(value, path) {
        return Ok(found);
    }
    let next = match value {
        Value::Object(members) => members
            .iter()
            .filter_map(|(name, inside)| {
                Some((inside, path.strip_prefix(name)?.strip_prefix('.')?))
            })
            .min_by_key(|(_, rest)| rest.len()),
        _ => path.split_once('.').and_then(|(name, rest)| Some((step(value, name)?, rest))),
    };
    let (inside, rest) = next.ok_or((value, path))?;
    find(inside, rest)
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    }
}

/// Describes a value without its content: the shortened names of the members, which are not secret.
fn contents(value: &Value) -> String {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(items) => return format!("an array of length {}", items.len()),
        Value::String(_) => return "a string".to_owned(),
        _ => return "a number, a Boolean or null".to_owned(),
    };
    let names: Vec<String> =
        object.keys().take(12).map(|key| one_line(key).chars().take(40).collect()).collect();
    match names.is_empty() {
        true => "an empty object".to_owned(),
        false => format!("an object with {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &str) -> Field {
        Field::of_option(Some(path.to_owned()))
    }

    fn message(text: &str, path: &str) -> (Kind, String) {
        let error = select(&Secret::new(text), &field(path), "the file /t").unwrap_err();
        (error.kind(), error.to_string())
    }

    #[test]
    fn selects_the_whole_text_or_a_member() {
        let text = Secret::new(r#"{"token":"a.b.c"}"#);
        assert_eq!(select(&text, &field("token"), "").unwrap().expose(), "a.b.c");
        assert_eq!(select(&text, &Field::of_option(None), "").unwrap().expose(), text.expose());
    }

    #[test]
    fn a_path_selects_nested_members() {
        let text = r#"[{"svids":[{"svid":"x"}],"a.b":{"c":"y"},"a":{"b.c":"z","0":"n"}}]"#;
        for (path, found) in [("0.svids.0.svid", "x"), ("0.a.b.c", "y"), ("0.a.0", "n")] {
            let token = select(&Secret::new(text), &field(path), "").unwrap();
            assert_eq!(token.expose(), found, "{path}");
        }
    }

    #[test]
    fn errors_describe_the_json_without_its_content() {
        let configuration = Kind::Configuration;
        for (text, path, kind, words) in [
            (
                r#"{"id_token":"secret","n":1}"#,
                "token",
                configuration,
                "the JSON there is an object with id_token, n",
            ),
            (
                r#"{"token":1}"#,
                "token",
                configuration,
                r#"the member "token" of the file /t is not a string"#,
            ),
            (r#"{"a":{"token":"secret"}}"#, "a", configuration, "is an object with token"),
            (
                r#"{"a":{"token":"secret"}}"#,
                "a.b.c",
                configuration,
                r#""a" in the file /t has no member "b.c": the JSON there is an"#,
            ),
            ("{}", "token", configuration, "is an empty object"),
            ("[1]", "token", configuration, "is an array of length 1"),
            (r#"{"a":["secret"]}"#, "a.1", configuration, "is an array of length 1"),
            ("a.b.c", "token", Kind::Protocol, "the file /t is not JSON"),
            ("<html>", "token", Kind::Protocol, "HTML"),
        ] {
            let (found, message) = message(text, path);
            assert_eq!(found, kind, "{text}");
            assert!(message.contains(words) && !message.contains("secret"), "{message}");
        }
    }
}
