//! Typed access to the members of a JSON file. Errors name a member with the objects around it.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Kind, one_line};
use crate::http::Url;
use crate::show;

/// The members of an object in the file.
pub(super) struct Members<'a> {
    /// The members by name.
    pub(super) map: &'a Map<String, Value>,
    /// The path of the file.
    pub(super) path: &'a Path,
    /// The names of the objects around them, each followed by a full stop. For an object in
    /// `credential_source`, that name is left out.
    pub(super) inside: String,
    /// The fix if a member is missing: how to create the file again.
    pub(super) fix: &'static str,
}

/// How to create a configuration of the type `external_account` again.
pub(super) const WIF_TOKEN_CONFIG: &str = "create the configuration with wif-token config SOURCE";

/// How to create the credentials of a user again.
pub(super) const GCLOUD_LOGIN: &str =
    "create the file again with gcloud auth application-default login";

impl<'a> Members<'a> {
    /// Creates an error about a member, `PATH: what`. `what` begins with the name of the member.
    pub(super) fn wrong(&self, what: &str) -> Error {
        let what = format!("{}: {}{what}", show::path(self.path), self.inside);
        Error::new(Kind::Configuration, one_line(&what))
    }

    /// The error for a member that is missing.
    pub(super) fn missing(&self, name: &str) -> Error {
        let missing = self.wrong(&format!("{name} is missing"));
        let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
        match self.map.keys().find(|key| *key != name && plain(key) == plain(name)) {
            Some(key) => missing
                .cause(format!("the configuration has {}{key}", self.inside))
                .fix(format!("rename {key} to {name}")),
            None => missing.fix(self.fix),
        }
    }

    /// Reads a string. An empty string and null count as a missing member.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if !text.chars().any(char::is_control) => {
                Ok(Some(text.clone()))
            }
            Some(Value::String(text)) => {
                let what =
                    if text.contains(['\n', '\r']) { "line break" } else { "control character" };
                Err(self
                    .wrong(&format!("{name} contains a {what}"))
                    .fix(format!("remove the {what} from {}{name}", self.inside)))
            }
            Some(Value::Array(_)) => Err(self
                .wrong(&format!("{name} is a list, not a string"))
                .fix(format!("set {}{name} to a string in double quotes", self.inside))),
            Some(_) => Err(self
                .wrong(&format!("{name} is not a string"))
                .fix(format!("set {}{name} to a string in double quotes", self.inside))),
        }
    }

    /// Reads a list of strings, which is empty if the member is missing.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let text = |item: &Value| item.as_str().map(str::to_owned);
        let list = match self.map.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(_) => None,
        };
        list.ok_or_else(|| {
            self.wrong(&format!("{name} is not a list of strings"))
                .fix(format!("set {}{name} to a list of strings in double quotes", self.inside))
        })
    }

    /// Reads a string that must be present.
    pub(super) fn required(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// Reads an absolute URL.
    pub(super) fn url(&self, name: &str) -> Result<Option<Url>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Url::parse(&text).map(Some).map_err(|why| {
            self.wrong(&format!("{name} {why}")).fix(format!("correct {}{name}", self.inside))
        })
    }

    /// Reads a non-negative integer.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| {
                let (what, form) = match value {
                    Value::String(_) => ("a string, not a number", "a number without quotes"),
                    _ => ("not a whole number", "a whole number without a sign or a decimal point"),
                };
                self.wrong(&format!("{name} is {what}"))
                    .fix(format!("set {}{name} to {form}", self.inside))
            }),
        }
    }

    /// Reads a boolean, which is `false` if the member is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self
                .wrong(&format!("{name} is not true or false"))
                .fix(format!("set {}{name} to true or false without quotes", self.inside))),
        }
    }

    /// Reads an object inside this one.
    pub(super) fn object(&self, name: &str) -> Result<Option<Members<'a>>, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => {
                let around = if self.inside == "credential_source." { "" } else { &self.inside };
                let inside = format!("{around}{name}.");
                Ok(Some(Members { map, path: self.path, inside, fix: self.fix }))
            }
            Some(_) => Err(self.wrong(&format!("{name} is not an object")).fix(self.fix)),
        }
    }
}
