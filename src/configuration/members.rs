//! The members of a JSON file, typed; a wrong one is named with the objects around it.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Kind, one_line};
use crate::http::Url;

/// The members of an object in the file.
pub(super) struct Members<'a> {
    /// The members by name.
    pub(super) map: &'a Map<String, Value>,
    /// The file.
    pub(super) path: &'a Path,
    /// The names of the objects around them, each with a full stop.
    pub(super) inside: &'static str,
}

impl<'a> Members<'a> {
    /// A refusal that says what is wrong, and where.
    pub(super) fn wrong(&self, what: &str) -> Error {
        let what = format!("{}: {}{what}", self.path.display(), self.inside);
        Error::new(Kind::Configuration, one_line(&what))
    }

    /// The refusal of a file that lacks a member.
    pub(super) fn missing(&self, name: &str) -> Error {
        self.wrong(&format!("{name} is missing"))
            .fix("let gcloud iam workload-identity-pools create-cred-config write the file")
    }

    /// Text; where it is empty or null, the member counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if !text.chars().any(char::is_control) => {
                Ok(Some(text.clone()))
            }
            Some(Value::String(_)) => Err(self.wrong(&format!("{name} holds control characters"))),
            Some(_) => Err(self.wrong(&format!("{name} is no text")).fix("put it in quotes")),
        }
    }

    /// Text that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// An absolute address.
    pub(super) fn url(&self, name: &str) -> Result<Option<Url>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Url::parse(&text).map(Some).map_err(|why| self.wrong(&format!("{name} {why}")))
    }

    /// A whole number.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| self.wrong(&format!("{name} is no whole number"))),
        }
    }

    /// The members of an object within.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Members<'a>>, Error> {
        let inside = match name {
            "executable" => "executable.",
            "format" => "format.",
            "headers" => "headers.",
            "credential_source" => "credential_source.",
            _ => "service_account_impersonation.",
        };
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Members { map, path: self.path, inside })),
            Some(_) => Err(self.wrong(&format!("{name} is no object"))),
        }
    }
}
