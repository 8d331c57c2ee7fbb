//! The option values of a command line.

use std::ffi::OsString;
use std::path::Path;
use std::slice;

use super::{KeyRef, OptionInfo, Pin, SecretRef, Thumbprint, Value, ValueKind, missing};
use crate::error::{Error, Kind};
use crate::files;

/// The options of a command line with their values, and the words after `--`.
#[derive(Debug, Clone, Default)]
pub struct Values {
    given: Vec<(&'static OptionInfo, Value)>,
    /// The words after `--`.
    pub rest: Vec<OsString>,
}

impl Values {
    /// Adds a value of this option. It replaces an earlier value unless the option can be repeated.
    ///
    /// # Errors
    /// `USAGE` if the option does not accept the value.
    pub fn add(&mut self, option: &'static OptionInfo, value: OsString) -> Result<(), Error> {
        let given = value.to_str().unwrap_or_default().to_owned();
        let value = option.kind.read(value).map_err(|why| {
            let fix = match option.kind {
                ValueKind::Key if KeyRef::is_in_store(&given) => Thumbprint::FIX.to_owned(),
                ValueKind::Secret | ValueKind::Pair | ValueKind::Header => {
                    format!("use {}", option.usages())
                }
                _ => match option.kind.example(option.name, &given) {
                    Some(example) => format!("use a value such as --{}={example}", option.name),
                    None => format!("correct the value of --{}", option.name),
                },
            };
            Error::new(Kind::Usage, format!("--{} {why}", option.name)).fix(fix)
        })?;
        if !option.repeated {
            self.given.retain(|(given, _)| given.name != option.name);
        }
        self.given.push((option, value));
        Ok(())
    }

    /// Checks that all required options of a table are given.
    ///
    /// # Errors
    /// `USAGE` for the first option that is missing.
    pub fn require(
        &self,
        options: impl IntoIterator<Item = &'static OptionInfo>,
    ) -> Result<(), Error> {
        let mut options = options.into_iter();
        let lacking = options.find(|option| option.required && !self.flag(option.name));
        lacking.map_or(Ok(()), |option| Err(missing(slice::from_ref(option), option.name)))
    }

    /// Checks that there are no words after `--`, unless the source or command `name` accepts them.
    ///
    /// # Errors
    /// `USAGE` if there are such words.
    pub fn refuse_rest(&self, name: &str, accepts_rest: bool) -> Result<(), Error> {
        match accepts_rest || self.rest.is_empty() {
            true => Ok(()),
            false => {
                Err(Error::new(Kind::Usage, format!("{name} does not accept arguments after --"))
                    .fix(format!("run wif-token help {name}")))
            }
        }
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.given.iter().filter(move |(option, _)| option.name == name).map(|(_, value)| value)
    }

    /// Whether an option is given.
    pub fn flag(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The values of an option as arguments for another command line. `path` converts the paths,
    /// including those in references to secrets.
    ///
    /// # Errors
    /// The errors of `path`.
    pub fn as_arguments(
        &self,
        option: &OptionInfo,
        mut path: impl FnMut(&Path) -> Result<String, Error>,
    ) -> Result<Vec<String>, Error> {
        let mark = if matches!(option.kind, ValueKind::Header) { ':' } else { '=' };
        let argument = |value: &Value| {
            let value = match value {
                Value::Text(text) if matches!(option.kind, ValueKind::Flag) => {
                    return Ok(format!("--{}{text}", option.name));
                }
                Value::Text(text) => text.clone(),
                Value::Seconds(seconds) => seconds.to_string(),
                Value::Path(value) => path(value)?,
                Value::Key(key) => key.shown(),
                Value::Url(url) => url.as_typed().to_owned(),
                Value::Secret(SecretRef::Env(name)) => format!("env:{name}"),
                Value::Secret(SecretRef::File(file)) => format!("file:{}", path(file)?),
                Value::Pair(key, text) => match SecretRef::parse(reference(option, text).1) {
                    Some(SecretRef::File(file)) => {
                        let words = text.strip_suffix(reference(option, text).1).unwrap_or("");
                        format!("{key}{mark}{words}file:{}", path(&file)?)
                    }
                    _ => format!("{key}{mark}{text}"),
                },
            };
            Ok(format!("--{}={value}", option.name))
        };
        self.all(option.name).map(argument).collect()
    }

    /// The parts that identify a request, for its digest: each of these options that is given, with
    /// its value, and the words after `--`. A relative path means another file in another directory,
    /// so paths are made absolute.
    pub fn identity(&self, options: impl IntoIterator<Item = &'static OptionInfo>) -> Vec<Vec<u8>> {
        // Some paths are not UTF-8, and different paths must have different texts.
        let path = |path: &Path| Ok(format!("{:?}", files::absolute(path)));
        let options = options
            .into_iter()
            .flat_map(|option| self.as_arguments(option, path).unwrap_or_default())
            .map(String::into_bytes);
        let program = self.rest.first().map(|word| match Path::new(word).components().count() {
            1 => word.clone(), // found in PATH
            _ => files::absolute(Path::new(word)).into_os_string(),
        });
        let rest = program.as_ref().into_iter().chain(self.rest.iter().skip(1));
        options.chain(rest.map(|word| word.as_encoded_bytes().to_vec())).collect()
    }

    /// The references to secrets in the values, each with its option.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static OptionInfo, SecretRef)> {
        self.given.iter().filter_map(|(option, value)| match value {
            Value::Secret(secret) => Some((*option, secret.clone())),
            Value::Key(KeyRef::Token(uri)) => match &uri.pin {
                Some(Pin::Source(pin) | Pin::Option(pin)) => Some((*option, pin.clone())),
                Some(Pin::Value(_)) | None => None,
            },
            Value::Pair(_, text) => {
                SecretRef::parse(reference(option, text).1).map(|secret| (*option, secret))
            }
            _ => None,
        })
    }

    /// The environment variables that the values name: `env:NAME`, and the value of an option such
    /// as `--name=VAR`.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.given.iter().filter_map(|(option, value)| match value {
            Value::Secret(SecretRef::Env(name)) => Some(name.as_str()),
            Value::Text(name) if matches!(option.kind, ValueKind::Variable) => Some(name.as_str()),
            Value::Pair(_, text) => {
                reference(option, text).1.strip_prefix("env:").filter(|name| !name.is_empty())
            }
            _ => None,
        })
    }
}

/// Splits a value into the words before a possible reference to a secret, and the reference.
fn reference<'a>(option: &OptionInfo, text: &'a str) -> (&'a str, &'a str) {
    match option.kind {
        ValueKind::Header => SecretRef::in_header(text),
        _ => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, Pair, TextOrRef};
    use std::path::PathBuf;

    use super::*;
    use crate::http::Url;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_echoed() {
        static OPTION: OptionInfo = OptionInfo::of::<SecretRef>("--client-secret", &[""]);
        let error = Values::default().add(&OPTION, "hunter22".into()).unwrap_err().to_string();
        assert!(!error.contains("hunter22"));
        assert!(
            error.ends_with("use --client-secret=env:NAME or --client-secret=file:PATH"),
            "{error}"
        );
    }

    #[test]
    fn the_last_value_is_used_unless_the_option_is_repeated() {
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

    #[test]
    fn the_identity_has_each_value_with_absolute_paths() {
        static FLAG: OptionInfo = OptionInfo::of::<bool>("--flag", &[""]);
        static TEXT: OptionInfo = OptionInfo::of::<String>("--text", &[""]);
        static PATH: OptionInfo = OptionInfo::of::<PathBuf>("--path", &[""]);
        static KEY: OptionInfo = OptionInfo::of::<KeyRef>("--key", &[""]);
        static URL: OptionInfo = OptionInfo::of::<Url>("--url", &[""]);
        static SECRET: OptionInfo = OptionInfo::of::<SecretRef>("--secret", &[""]);
        static ID: OptionInfo = OptionInfo::of::<TextOrRef>("--id", &[""]);
        static HEADER: OptionInfo = OptionInfo::of::<Vec<Header>>("--header", &[""]);
        let mut values = Values::default();
        let given = [
            (&FLAG, ""),
            (&TEXT, "file:a"),
            (&PATH, "a"),
            (&KEY, "pkcs11:object=k?pin-source=/a"),
            (&URL, "https://a.example/?b=c"),
            (&SECRET, "file:a"),
            (&ID, "file:a"),
            (&HEADER, "A:env:V"),
            (&HEADER, "B:Bearer file:a"),
        ];
        for (option, value) in given {
            values.add(option, value.into()).unwrap();
        }
        values.rest = vec!["./a".into(), "./a".into()];
        let identity = values.identity(given.into_iter().map(|(option, _)| option).take(8));
        let identity: Vec<_> = identity.iter().map(|part| str::from_utf8(part).unwrap()).collect();
        let a = files::absolute(Path::new("a"));
        assert_eq!(
            identity,
            [
                "--flag",
                "--text=file:a",
                &format!("--path={a:?}"),
                "--key=pkcs11:object=k?pin-source=/a",
                "--url=https://a.example/?b=c",
                &format!("--secret=file:{a:?}"),
                &format!("--id=file:{a:?}"),
                "--header=A:env:V",
                &format!("--header=B:Bearer file:{a:?}"),
                a.to_str().unwrap(),
                "./a",
            ]
        );
    }
}
