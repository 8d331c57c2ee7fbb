//! What an option is, and the typed values of those that were given.
//!
//! One row of a table per option feeds the parser, the help, the manual and the completions. Values
//! are checked while they are parsed; nothing is opened or read for it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};
use crate::http::Url;
use crate::secret::SecretRef;

/// One option of the command line.
#[derive(Debug)]
pub struct OptionInfo {
    /// Its name without the dashes.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether a source cannot do without it.
    pub required: bool,
    /// Whether each use adds a value; otherwise the last one counts.
    pub repeated: bool,
    /// One sentence without a full stop.
    pub help: &'static str,
}

impl OptionInfo {
    /// An option that may be left out.
    pub const fn new(name: &'static str, takes: Takes, help: &'static str) -> OptionInfo {
        OptionInfo { name, takes, required: false, repeated: false, help }
    }

    /// The same, needed.
    pub const fn required(mut self) -> OptionInfo {
        self.required = true;
        self
    }

    /// The same, each use adding a value.
    pub const fn repeated(mut self) -> OptionInfo {
        self.repeated = true;
        self
    }

    /// As it is typed, such as `--path=P`.
    pub fn usage(&self) -> String {
        match self.takes.placeholder() {
            None => format!("--{}", self.name),
            Some(value) => format!("--{}={value}", self.name),
        }
    }
}

/// What an option takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Nothing: it is there or not.
    Flag,
    /// Text, shown as this word.
    Text(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number of seconds between these, both included.
    Seconds(u64, u64),
    /// The path of a file, shown as this word.
    Path(&'static str),
    /// An absolute http or https address.
    Url,
    /// Where a secret stands: `env:NAME` or `file:PATH`.
    Secret,
    /// `KEY=VALUE`.
    Pair,
    /// `NAME:VALUE`.
    Header,
}

impl Takes {
    /// The word that stands for the value in the help; `None` for a flag.
    pub fn placeholder(&self) -> Option<String> {
        Some(match self {
            Takes::Flag => return None,
            Takes::Text(word) | Takes::Path(word) => (*word).to_owned(),
            Takes::Choice(words) => words.join("|"),
            Takes::Seconds(..) => "SECONDS".to_owned(),
            Takes::Url => "URL".to_owned(),
            Takes::Secret => "env:NAME|file:PATH".to_owned(),
            Takes::Pair => "KEY=VALUE".to_owned(),
            Takes::Header => "NAME:VALUE".to_owned(),
        })
    }

    /// Reads a value. The error says what is taken instead and never repeats the value, which may
    /// be a secret in the wrong place.
    fn read(&self, value: OsString) -> Result<Value, String> {
        if let Takes::Path(_) = self {
            return match value.is_empty() {
                true => Err("takes a path".to_owned()),
                false => Ok(Value::Path(value.into())),
            };
        }
        let text = value.into_string().map_err(|_| "takes UTF-8 text".to_owned())?;
        if text.chars().any(char::is_control) {
            return Err("takes no control characters".to_owned());
        }
        let pair = |mark, form: &str| match text.split_once(mark) {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Value::Pair(key.trim().to_owned(), value.trim_start().to_owned()))
            }
            _ => Err(format!("takes {form}")),
        };
        match self {
            Takes::Text(_) if text.is_empty() => Err("takes a value".to_owned()),
            Takes::Flag | Takes::Path(_) | Takes::Text(_) => Ok(Value::Text(text)),
            Takes::Choice(words) => match words.contains(&text.as_str()) {
                true => Ok(Value::Text(text)),
                false => Err(format!("takes one of {}", words.join(", "))),
            },
            Takes::Seconds(least, most) => match text.parse() {
                Ok(seconds) if (*least..=*most).contains(&seconds) => Ok(Value::Seconds(seconds)),
                _ => Err(format!("takes a whole number of seconds from {least} to {most}")),
            },
            Takes::Url => Url::parse(&text).map(Value::Url),
            Takes::Secret => SecretRef::parse(&text)
                .map(Value::Secret)
                .ok_or_else(|| "takes env:NAME or file:PATH, never the secret itself".to_owned()),
            Takes::Pair => pair('=', "KEY=VALUE"),
            Takes::Header => pair(':', "NAME:VALUE"),
        }
    }
}

/// The value of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
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
                .hint(format!("write {}", option.usage()))
        })?;
        if !option.repeated {
            self.given.retain(|(given, _)| given.name != option.name);
        }
        self.given.push((option, value));
        Ok(())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.given.iter().filter(move |(option, _)| option.name == name).map(|(_, value)| value)
    }

    fn one<'a>(&'a self, name: &'a str) -> Option<&'a Value> {
        self.all(name).next()
    }

    /// Whether a flag, or any other option, was given.
    pub fn flag(&self, name: &str) -> bool {
        self.one(name).is_some()
    }

    /// A text or a choice.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.one(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number of seconds.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        match self.one(name)? {
            Value::Seconds(seconds) => Some(*seconds),
            _ => None,
        }
    }

    /// A path.
    pub fn path<'a>(&'a self, name: &'a str) -> Option<&'a Path> {
        match self.one(name)? {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    /// An address.
    pub fn url<'a>(&'a self, name: &'a str) -> Option<&'a Url> {
        match self.one(name)? {
            Value::Url(url) => Some(url),
            _ => None,
        }
    }

    /// Where a secret stands.
    pub fn secret<'a>(&'a self, name: &'a str) -> Option<&'a SecretRef> {
        match self.one(name)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// All texts of an option that may be repeated, in the order they were given.
    pub fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// All pairs or headers of this option, in the order they were given.
    pub fn pairs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all(name).filter_map(|value| match value {
            Value::Pair(key, value) => Some((key.as_str(), value.as_str())),
            _ => None,
        })
    }

    /// What was given of an option, as words of another command line: paths are made absolute.
    pub fn typed<'a>(&'a self, option: &'a OptionInfo) -> impl Iterator<Item = String> + 'a {
        let absolute = |path: &Path| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            path.display().to_string()
        };
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

    /// What makes this request another than the next, for the digest: every option of `table` that
    /// was given, with its value, and the words after `--`.
    pub fn identity(&self, table: &'static [OptionInfo]) -> Vec<Vec<u8>> {
        let options = table.iter().flat_map(|option| {
            self.all(option.name)
                .map(move |value| format!("{}={value:?}", option.name).into_bytes())
        });
        options.chain(self.rest.iter().map(|word| encoded(word))).collect()
    }
}

fn encoded(word: &OsStr) -> Vec<u8> {
    word.as_encoded_bytes().to_vec()
}

/// The failure of a command line in which a needed option is missing.
pub fn missing(option: &str) -> Error {
    Error::new(Kind::Usage, format!("--{option} is missing")).hint(format!("add --{option}=…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(takes: Takes, value: &str) -> Result<Value, String> {
        takes.read(value.into())
    }

    #[test]
    fn values_are_typed_and_checked() {
        assert_eq!(read(Takes::Seconds(1, 60), "60"), Ok(Value::Seconds(60)));
        assert_eq!(read(Takes::Pair, "a=b=c"), Ok(Value::Pair("a".to_owned(), "b=c".to_owned())));
        assert_eq!(
            read(Takes::Header, "Accept: text/plain"),
            Ok(Value::Pair("Accept".to_owned(), "text/plain".to_owned()))
        );
        for (takes, value) in [
            (Takes::Seconds(1, 60), "61"),
            (Takes::Seconds(1, 60), "1.5"),
            (Takes::Choice(&["json", "text"]), "xml"),
            (Takes::Path("P"), ""),
            (Takes::Text("T"), ""),
            (Takes::Text("T"), "a\nb"),
            (Takes::Url, "example.com"),
            (Takes::Pair, "=b"),
            (Takes::Header, "nothing"),
        ] {
            assert!(read(takes, value).is_err(), "{takes:?} {value:?}");
        }
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        static OPTION: OptionInfo = OptionInfo::new("client-secret", Takes::Secret, "");
        let error = Values::default().add(&OPTION, "hunter22".into()).unwrap_err().to_string();
        assert!(!error.contains("hunter22"));
        assert!(error.contains("env:NAME"), "{error}");
    }

    #[test]
    fn the_last_value_counts_unless_repeated() {
        static ONE: OptionInfo = OptionInfo::new("one", Takes::Text("T"), "");
        static MANY: OptionInfo = OptionInfo::new("many", Takes::Pair, "").repeated();
        let mut values = Values::default();
        for (option, value) in [(&ONE, "a"), (&ONE, "b"), (&MANY, "k=1"), (&MANY, "k=2")] {
            values.add(option, value.into()).unwrap();
        }
        assert_eq!(values.text("one"), Some("b"));
        assert_eq!(values.pairs("many").collect::<Vec<_>>(), [("k", "1"), ("k", "2")]);
    }
}
