//! A part of a kubeconfig: typed access to its members, and the file that relative paths refer to.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::show;

/// A cluster, user or context, or a part of one.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    file: &'a Path,
    /// The name of this part in messages, such as `the user "dev"`.
    pub(super) what: String,
    value: Option<&'a Value>,
}

impl<'a> Entry<'a> {
    /// Creates the entry for the part `value` of `file`, which has the name `what` in messages.
    pub(super) fn new(file: &'a Path, what: String, value: Option<&'a Value>) -> Entry<'a> {
        Entry { file, what, value }
    }

    /// Changes the name of this part in messages.
    pub(super) fn named(self, what: String) -> Entry<'a> {
        Entry { what, ..self }
    }

    /// The name of this part and its file, for messages.
    pub(super) fn place(&self) -> String {
        format!("{} in {}", self.what, show::path(self.file))
    }

    /// An error about this part; `why` is the rest of the sentence.
    pub(super) fn error(&self, why: impl Display) -> Error {
        Error::new(Kind::Configuration, format!("{} {why}", self.place()))
            .fix("correct the kubeconfig")
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value?.get(key).filter(|value| !value.is_null())
    }

    /// The string of a member; `None` if it is missing or empty.
    ///
    /// # Errors
    /// `CONFIGURATION` if the member is not a string.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self
                .error(format!("has a value for {key} that is not a string"))
                .fix(format!("put the value of {key} in quotation marks"))),
        }
    }

    /// The string of a member that must be set.
    ///
    /// # Errors
    /// `CONFIGURATION` if the member is missing, empty, or not a string.
    pub(super) fn required(&self, key: &str) -> Result<&'a str, Error> {
        self.text(key)?.ok_or_else(|| self.error(format!("has no {key}")))
    }

    /// Whether a member is true; false if it is missing.
    ///
    /// # Errors
    /// `CONFIGURATION` if the member is not a boolean.
    pub(super) fn is_true(&self, key: &str) -> Result<bool, Error> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self
                .error(format!("has a value for {key} that is not a boolean"))
                .fix(format!("set {key} to true or false, without quotation marks"))),
        }
    }

    /// The items of a list; none if the member is missing.
    ///
    /// # Errors
    /// `CONFIGURATION` if the member is not a list.
    pub(super) fn list(&self, key: &str) -> Result<&'a [Value], Error> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self
                .error(format!("has a value for {key} that is not a list"))
                .fix(format!("write {key} as a list, with - in front of each item"))),
        }
    }

    /// Whether a member is present and not empty.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => true,
        })
    }

    /// Refuses the words that `kubectl config view` prints in place of secrets and certificates.
    ///
    /// # Errors
    /// `CONFIGURATION` if the value of the member is such a word.
    pub(super) fn refuse_redacted(&self, key: &str, value: &str) -> Result<(), Error> {
        match ["DATA+OMITTED", "DATA OMITTED", "REDACTED"].contains(&value.trim()) {
            false => Ok(()),
            true => Err(self
                .error(format!(
                    "has no {key}: kubectl config view replaced the value with a placeholder"
                ))
                .fix("export the kubeconfig again with kubectl config view --raw --flatten")),
        }
    }

    /// A member that has members itself.
    pub(super) fn part(&self, key: &str) -> Option<Entry<'a>> {
        let value = self.get(key)?;
        Some(Entry { file: self.file, what: format!("{key} of {}", self.what), value: Some(value) })
    }

    /// Resolves a path in the kubeconfig, which is relative to the directory of the file. A value that
    /// may be content instead of a path is returned unchanged, so that messages can tell.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let file = self.file.parent().unwrap_or(Path::new("")).join(path);
        match show::looks_like(path) {
            Some(_) if !file.exists() && !Path::new(path).exists() => path.into(),
            _ => file,
        }
    }

    /// Reads the base64-encoded PEM text in `KEY-data`, or the file that `KEY` names. Also returns
    /// the place of the text, for messages.
    ///
    /// # Errors
    /// `CONFIGURATION` if the value cannot be decoded or the file cannot be read.
    pub(super) fn pem(&self, key: &str) -> Result<Option<(Secret, String)>, Error> {
        let data_key = format!("{key}-data");
        if let Some(base64) = self.text(&data_key)? {
            self.refuse_redacted(&data_key, base64)?;
            // As in kubectl, the value may contain line breaks.
            let base64 = Secret::new(base64.replace(['\r', '\n'], ""));
            let bytes = STANDARD.decode(base64.expose().trim()).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| {
                self.error(format!("has a value for {data_key} that is not base64-encoded text"))
            })?;
            return Ok(Some((Secret::new(text), format!("{data_key} of {}", self.place()))));
        }
        let place = format!("{key} of {}", self.place());
        let path = self.text(key)?.map(|path| self.resolve(path));
        path.map(|path| Ok((files::read_text(&path, &place, Kind::Configuration)?, place)))
            .transpose()
    }
}
