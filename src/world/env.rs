//! Environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Kind};

/// Environment variables: those of the process, or a map in tests.
#[derive(Debug, Clone)]
pub enum Env {
    /// The variables of this process.
    Process,
    /// These variables and no others.
    Map(BTreeMap<String, OsString>),
    /// These variables, and all other variables of another environment.
    Over(BTreeMap<String, OsString>, Box<Env>),
}

impl Env {
    /// The value of a variable in the platform's encoding; `None` if it is not set.
    #[allow(clippy::disallowed_methods)] // only this module does this
    pub fn get(&self, name: &str) -> Option<OsString> {
        match self {
            // The standard library panics for these names.
            Env::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Env::Process => std::env::var_os(name),
            Env::Map(map) => map.get(name).cloned(),
            Env::Over(map, other) => map.get(name).cloned().or_else(|| other.get(name)),
        }
    }

    /// The value of a variable as text; `None` if it is not set or empty.
    ///
    /// # Errors
    /// `CONFIGURATION` if it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value.into_string().map(Some).map_err(|_| {
            Error::new(Kind::Configuration, format!("{name} is not UTF-8 text"))
                .fix(format!("set {name} to UTF-8 text"))
        })
    }

    /// The home directory of the user; `None` if its variable is not set.
    ///
    /// # Errors
    /// As [`Env::text`].
    pub fn home(&self) -> Result<Option<PathBuf>, Error> {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        Ok(self.text(variable)?.map(PathBuf::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_names_are_not_set() {
        for name in ["", "A=B", "A\0B"] {
            assert_eq!(Env::Process.get(name), None);
        }
    }
}
