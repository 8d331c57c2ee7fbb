//! The values of the options that were given.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{OptionInfo, SecretRef, Takes};
use crate::error::{Error, Kind};
use crate::files;
use crate::http::Url;

/// The value of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A flag, a text or a choice.
    Text(String),
    /// A number of seconds.
    Seconds(u64),
    /// A path.
    Path(PathBuf),
    /// An address.
    Url(Url),
    /// Where a secret stands.
    Secret(SecretRef),
    /// A key or name with its value.
    Pair(String, String),
}

/// The options that were given, by name, and what stood after `--`.
#[derive(Debug, Default)]
pub struct Values {
    given: Vec<(&'static OptionInfo, Value)>,
    /// The words after `--`.
    pub rest: Vec<OsString>,
}

impl Values {
    /// Adds a value of this option; one that is not repeated replaces the one before.
    ///
    /// # Errors
    /// `USAGE` where the option does not take it.
    pub fn add(&mut self, option: &'static OptionInfo, value: OsString) -> Result<(), Error> {
        let value = option.takes.read(value).map_err(|why| {
            Error::new(Kind::Usage, format!("--{} {why}", option.name))
                .fix(format!("write {}", option.usage()))
        })?;
        if !option.repeated {
            self.given.retain(|(given, _)| given.name != option.name);
        }
        self.given.push((option, value));
        Ok(())
    }

    /// Refuses values in which a required one of these options is missing.
    ///
    /// # Errors
    /// `USAGE` with the first one.
    pub fn require(
        &self,
        options: impl IntoIterator<Item = &'static OptionInfo>,
    ) -> Result<(), Error> {
        let mut options = options.into_iter();
        let missing = options.find(|option| option.required && !self.flag(option.name));
        missing.map_or(Ok(()), |option| {
            Err(Error::new(Kind::Usage, format!("--{} is missing", option.name))
                .fix(format!("add {}", option.usage())))
        })
    }

    /// Refuses words after `--` where `name`, a source or command, takes none.
    ///
    /// # Errors
    /// `USAGE` if there are some.
    pub fn refuse_rest(&self, name: &str, takes_rest: bool) -> Result<(), Error> {
        match takes_rest || self.rest.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Usage, format!("{name} takes no words after --"))
                .fix(format!("run wif-token help {name}"))),
        }
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.given.iter().filter(move |(option, _)| option.name == name).map(|(_, value)| value)
    }

    /// Whether a flag, or any other option, was given.
    pub fn flag(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// What was given of an option, as words of another command line: paths are made absolute.
    pub fn typed<'a>(&'a self, option: &'a OptionInfo) -> impl Iterator<Item = String> + 'a {
        let absolute = |path: &Path| files::absolute(path).display().to_string();
        let mark = if matches!(option.takes, Takes::Header) { ':' } else { '=' };
        self.all(option.name).map(move |value| {
            let value = match value {
                Value::Text(text) if matches!(option.takes, Takes::Flag) => {
                    return format!("--{}{text}", option.name);
                }
                Value::Text(text) => text.clone(),
                Value::Seconds(seconds) => seconds.to_string(),
                Value::Path(path) => absolute(path),
                Value::Url(url) => url.as_typed().to_owned(),
                Value::Secret(SecretRef::Env(name)) => format!("env:{name}"),
                Value::Secret(SecretRef::File(path)) => format!("file:{}", absolute(path)),
                Value::Pair(key, value) => format!("{key}{mark}{value}"),
            };
            format!("--{}={value}", option.name)
        })
    }

    /// What makes this request another than the next, for the digest: each of these options that was
    /// given, with its value, and the words after `--`.
    pub fn identity(&self, options: impl IntoIterator<Item = &'static OptionInfo>) -> Vec<Vec<u8>> {
        let options = options.into_iter().flat_map(|option| {
            self.all(option.name)
                .map(move |value| format!("{}={value:?}", option.name).into_bytes())
        });
        options.chain(self.rest.iter().map(|word| encoded(word))).collect()
    }
}

fn encoded(word: &OsStr) -> Vec<u8> {
    word.as_encoded_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::Pair;
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        static OPTION: OptionInfo = OptionInfo::of::<SecretRef>("--client-secret", &[""]);
        let error = Values::default().add(&OPTION, "hunter22".into()).unwrap_err().to_string();
        assert!(!error.contains("hunter22"));
        assert!(error.contains("env:NAME"), "{error}");
    }

    #[test]
    fn the_last_value_counts_unless_repeated() {
        static ONE: OptionInfo = OptionInfo::of::<String>("--one=T", &[""]);
        static MANY: OptionInfo = OptionInfo::of::<Vec<Pair>>("--many", &[""]);
        let mut values = Values::default();
        for (option, value) in [(&ONE, "a"), (&ONE, "b"), (&MANY, "k=1"), (&MANY, "k=2")] {
            values.add(option, value.into()).unwrap();
        }
        assert_eq!(values.all("one").collect::<Vec<_>>(), [&Value::Text("b".to_owned())]);
        let pair = |value: &str| Value::Pair("k".to_owned(), value.to_owned());
        assert_eq!(values.all("many").collect::<Vec<_>>(), [&pair("1"), &pair("2")]);
    }
}
