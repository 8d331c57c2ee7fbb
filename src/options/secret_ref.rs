//! A reference to a secret: `env:NAME` or `file:PATH`.
//!
//! A secret is never the value of an option, because other users of the host could read it in the
//! process list.

use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::show;
use crate::world::{World, env};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file, which is read on every run.
    File(PathBuf),
}

impl SecretRef {
    /// Parses `env:NAME` or `file:PATH`; `None` for anything else.
    pub fn parse(text: &str) -> Option<SecretRef> {
        let (kind, value) = text.split_once(':')?;
        if show::looks_like(value).is_some() {
            return None;
        }
        match (kind, value) {
            ("env", name) if !name.is_empty() => Some(SecretRef::Env(name.to_owned())),
            ("file", path) if !path.is_empty() => Some(SecretRef::File(path.into())),
            _ => None,
        }
    }

    /// Splits a header value into the words before the last one, such as the scheme `Bearer`, and
    /// the last word, which may be a reference.
    pub fn in_header(value: &str) -> (&str, &str) {
        value.rsplit_once(' ').unwrap_or(("", value))
    }

    /// Checks that the variable or file exists, before anything else is done.
    ///
    /// # Errors
    /// The errors of [`SecretRef::read`].
    pub fn require(&self, option: &str, world: &World) -> Result<(), Error> {
        let exists = match self {
            SecretRef::Env(name) => world.env.get(name).is_some(),
            SecretRef::File(path) => {
                world.log.note_if_shared(path);
                files::exists(path)
            }
        };
        if exists { Ok(()) } else { self.read(option, world).map(|_| ()) }
    }

    /// Reads the secret, without trailing line breaks. `option` is the option that has this
    /// reference, for messages.
    ///
    /// # Errors
    /// `CONFIGURATION` if the variable or file is missing, unreadable or empty.
    pub fn read(&self, option: &str, world: &World) -> Result<Secret, Error> {
        let (text, place) = match self {
            SecretRef::Env(name) => {
                let text = world.env.text(name)?.ok_or_else(|| {
                    let fix = format!("set {name} or change {option}");
                    env::not_set(Kind::Configuration, name, option, fix)
                })?;
                (Secret::new(text), name.clone())
            }
            SecretRef::File(path) => {
                world.log.warn_if_shared(path);
                let text = files::read_text(path, option, Kind::Configuration)?;
                (text, show::path(path))
            }
        };
        let trimmed = text.expose().trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(Error::new(Kind::Configuration, format!("{place} is empty"))
                .fix(format!("write the secret to {place} or change {option}")));
        }
        Ok(Secret::new(trimmed))
    }
}

/// A text that may be a secret: the text itself, or a reference to it.
#[derive(Debug, Clone)]
pub enum TextOrRef {
    /// The text itself.
    Text(String),
    /// A reference to the text.
    Ref(SecretRef),
}

impl TextOrRef {
    /// Reads the text. `option` is the option that has this value, for messages.
    ///
    /// # Errors
    /// The errors of [`SecretRef::read`].
    pub fn read(&self, option: &str, world: &World) -> Result<Secret, Error> {
        match self {
            TextOrRef::Text(text) => Ok(Secret::new(text.as_str())),
            TextOrRef::Ref(secret) => secret.read(option, world),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_variable_or_a_file() {
        assert_eq!(SecretRef::parse("env:A"), Some(SecretRef::Env("A".into())));
        assert_eq!(SecretRef::parse("file:/a:b"), Some(SecretRef::File("/a:b".into())));
        for other in [
            "hunter2",
            "env:",
            "file:",
            "pass:x",
            "",
            "env:eyJhbGciOiJSUzI1NiJ9",
            "file:-----BEGIN",
        ] {
            assert_eq!(SecretRef::parse(other), None, "{other}");
        }
    }
}
