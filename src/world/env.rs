//! Environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::show;

/// The variable with the home directory of the user.
pub const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The variable that is set while the helper `aws` gets its own credentials, so that a profile cannot
/// run the helper for them again.
pub const IN_HELPER_AWS: &str = "WIF_TOKEN_IN_HELPER_AWS";

/// The variable with digests of the credential files from which the source `google` is getting an ID
/// token, so that the command of such a file cannot use the same file again.
pub const IN_SOURCE_GOOGLE: &str = "WIF_TOKEN_IN_SOURCE_GOOGLE";

/// Variables from which a run learns that another run has started it.
const MARKERS: [&str; 2] = [IN_HELPER_AWS, IN_SOURCE_GOOGLE];

/// Variables that every part of a run may read, because they say how to reach a server or a program
/// and not which identity to use.
const NOT_IDENTITY: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "PATH",
];

/// Environment variables: those of the process, or a map in tests.
#[derive(Debug, Clone)]
pub enum Env {
    /// The variables of this process.
    Process,
    /// These variables and no others.
    Map(BTreeMap<String, OsString>),
    /// These variables, and all other variables of another environment.
    Over(BTreeMap<String, OsString>, Box<Env>),
    /// Another environment, in which a source may read only the variables that it declares, and
    /// those that do not select an identity. The digest of a request covers the declared variables,
    /// so that a token that was cached for a different identity is never used.
    Declared(Box<Declared>),
}

/// The variables that a source declares, and the environment that contains them.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The variables of the source.
    pub fixed: &'static [&'static str],
    /// The variables that the command line names.
    pub named: Vec<String>,
    /// The environment.
    pub env: Env,
}

impl Declared {
    fn contains(&self, name: &str) -> bool {
        self.fixed.contains(&name)
            || self.named.iter().any(|named| named == name)
            || MARKERS.contains(&name)
            || NOT_IDENTITY.contains(&name)
    }
}

impl Env {
    /// Returns this environment with the variable `name` set to `value`.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Env {
        Env::Over(BTreeMap::from([(name.to_owned(), value.into())]), Box::new(self))
    }

    /// The environment with all variables, declared or not. It is for requests that have their own
    /// digest, and for settings that do not depend on the identity, such as the location of a lock.
    pub fn undeclared(&self) -> &Env {
        match self {
            Env::Declared(declared) => &declared.env,
            env => env,
        }
    }

    /// The variables whose values differ from those in the environment of this process.
    pub fn changed(&self) -> BTreeMap<String, OsString> {
        match self {
            Env::Process | Env::Map(_) => BTreeMap::new(),
            Env::Over(map, other) => other.changed().into_iter().chain(map.clone()).collect(),
            Env::Declared(declared) => declared.env.changed(),
        }
    }

    /// The value of a variable in the platform's encoding; `None` if it is not set.
    #[allow(clippy::disallowed_methods)] // only this module reads variables
    pub fn get(&self, name: &str) -> Option<OsString> {
        match self {
            // The standard library panics for these names.
            Env::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Env::Process => std::env::var_os(name),
            Env::Map(map) => map.get(name).cloned(),
            Env::Over(map, other) => map.get(name).cloned().or_else(|| other.get(name)),
            Env::Declared(declared) => {
                debug_assert!(declared.contains(name), "the source does not declare {name}");
                declared.env.get(name)
            }
        }
    }

    /// The value of a variable as text; `None` if it is not set or empty.
    ///
    /// # Errors
    /// `CONFIGURATION` if the value is not UTF-8.
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
    /// The errors of [`Env::text`].
    pub fn home(&self) -> Result<Option<PathBuf>, Error> {
        Ok(self.text(HOME)?.map(PathBuf::from))
    }
}

/// The error for an option that names a variable that is not set. A shell may have replaced the
/// name with the value, so the message repeats `name` only if it looks like a name.
pub fn not_set(kind: Kind, name: &str, option: &str, fix: impl Into<String>) -> Error {
    match show::is_variable(name) {
        true => Error::new(kind, format!("{name} is not set")).fix(fix),
        false => Error::new(kind, format!("{option} does not name a variable that is set")).fix(
            format!("write the name of the variable in {option}, such as TOKEN, and not its value ($TOKEN)"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "does not declare OTHER")]
    fn an_undeclared_variable_cannot_be_read() {
        let env = Env::Map(BTreeMap::from([("FIXED".to_owned(), "1".into())]));
        let declared = Declared { fixed: &["FIXED"], named: vec!["NAMED".to_owned()], env };
        let env = Env::Declared(Box::new(declared));
        assert_eq!(env.get("FIXED"), Some("1".into()));
        assert_eq!(env.get("NAMED"), None);
        assert_eq!(env.get("no_proxy"), None);
        env.get("OTHER");
    }

    #[test]
    fn variables_with_invalid_names_are_not_set() {
        for name in ["", "A=B", "A\0B"] {
            assert_eq!(Env::Process.get(name), None);
        }
    }
}
