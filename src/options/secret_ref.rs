//! Where a secret is: `env:NAME` or `file:PATH`.
//!
//! A secret is never the value of an option, because every user of the host could read it in the
//! process list.

use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::world::World;

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
    pub fn read(&self, option: &str, world: &World) -> Result<Secret, Error> {
        let (text, place) = match self {
            SecretRef::Env(name) => {
                let text = world.env.text(name)?.ok_or_else(|| {
                    Error::new(Kind::Configuration, format!("the variable {name} is not set"))
                        .fix(format!("set it or change {option}"))
                })?;
                (Secret::new(text), format!("the variable {name}"))
            }
            SecretRef::File(path) => {
                world.log.warn_if_shared(path);
                let text = files::read_text(path, option, Kind::Configuration)?;
                (text, format!("the file {}", path.display()))
            }
        };
        let trimmed = text.expose().trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(Error::new(Kind::Configuration, format!("{place} is empty"))
                .fix(format!("put the secret there or change {option}")));
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
}
