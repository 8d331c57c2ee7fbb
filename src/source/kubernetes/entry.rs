//! A part of a kubeconfig: its members, typed, and the file that its paths are relative to.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;

/// A cluster, user or context, or a part of one.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    file: &'a Path,
    pub(super) what: String,
    value: Option<&'a Value>,
}

impl<'a> Entry<'a> {
    /// `value`, which messages about `file` call `what`.
    pub(super) fn new(file: &'a Path, what: String, value: Option<&'a Value>) -> Entry<'a> {
        Entry { file, what, value }
    }

    /// Where it stands, for messages.
    pub(super) fn place(&self) -> String {
        format!("{} in {}", self.what, self.file.display())
    }

    /// A failure of what stands here.
    pub(super) fn wrong(&self, why: impl Display) -> Error {
        Error::new(Kind::Configuration, format!("{} {why}", self.place()))
            .fix("correct the kubeconfig")
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value?.get(key).filter(|value| !value.is_null())
    }

    /// A text that is there and not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(format!("has a {key} that is no text")).fix("quote it")),
        }
    }

    pub(super) fn required(&self, key: &str) -> Result<&'a str, Error> {
        self.text(key)?.ok_or_else(|| self.wrong(format!("has no {key}")))
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some(&Value::Bool(true))
    }

    /// A part of it.
    pub(super) fn part(&self, key: &str) -> Option<Entry<'a>> {
        let value = self.get(key)?;
        Some(Entry { file: self.file, what: format!("{key} of {}", self.what), value: Some(value) })
    }

    /// A path as it is meant: relative to the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// What `KEY-data` holds in base64, else what the file holds that `KEY` names; and where it is.
    pub(super) fn pem(&self, key: &str) -> Result<Option<(Secret, String)>, Error> {
        let data = format!("{key}-data");
        if let Some(base64) = self.text(&data)? {
            let bytes = STANDARD.decode(base64.trim()).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let text =
                text.ok_or_else(|| self.wrong(format!("has a {data} that is no text in base64")))?;
            return Ok(Some((Secret::new(text), format!("{data} of {}", self.place()))));
        }
        let place = format!("{key} of {}", self.place());
        let path = self.text(key)?.map(|path| self.resolve(path));
        path.map(|path| Ok((files::read_text(&path, &place, Kind::Configuration)?, place)))
            .transpose()
    }
}
