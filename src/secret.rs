//! Secrets: text that is wiped when it is dropped and never printed, and where to read it.
//!
//! A secret is never an option's value, where every user of the host could read it in the process
//! list. An option that takes one takes a [`SecretRef`]: `env:NAME` or `file:PATH`.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;

/// Text that must not appear in any message or log. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes text into keeping.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends or prints it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file, read again at every run.
    File(PathBuf),
}

impl SecretRef {
    /// Reads `env:NAME` or `file:PATH`; anything else is `None`.
    pub fn parse(text: &str) -> Option<SecretRef> {
        match text.split_once(':')? {
            ("env", name) if !name.is_empty() => Some(SecretRef::Env(name.to_owned())),
            ("file", path) if !path.is_empty() => Some(SecretRef::File(path.into())),
            _ => None,
        }
    }

    /// The secret, without the line end that an editor leaves. `option` is named in errors.
    ///
    /// # Errors
    /// `CONFIGURATION` where the variable or file is missing, unreadable or empty.
    pub fn read(&self, option: &str, cx: &Context) -> Result<Secret, Error> {
        let (text, place) = match self {
            SecretRef::Env(name) => {
                let text = cx.env.text(name)?.ok_or_else(|| {
                    Error::new(Kind::Configuration, format!("the variable {name} is not set"))
                        .hint(format!("set it or change {option}"))
                })?;
                (Secret::new(text), format!("the variable {name}"))
            }
            SecretRef::File(path) => {
                files::warn_if_shared(path, &cx.log);
                let text = files::read_text(path, option, Kind::Configuration)?;
                (text, format!("the file {}", path.display()))
            }
        };
        let trimmed = text.expose().trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(Error::new(Kind::Configuration, format!("{place} is empty"))
                .hint(format!("put the secret there or change {option}")));
        }
        Ok(Secret::new(trimmed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_variable_or_a_file() {
        assert_eq!(SecretRef::parse("env:A"), Some(SecretRef::Env("A".into())));
        assert_eq!(SecretRef::parse("file:/a:b"), Some(SecretRef::File("/a:b".into())));
        for other in ["hunter2", "env:", "file:", "pass:x", ""] {
            assert_eq!(SecretRef::parse(other), None, "{other}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }
}
