//! The kinds of option values, and how a value is parsed.

use std::ffi::OsString;

use super::{KeyRef, SecretRef, Value, nearest};
use crate::http::Url;
use crate::show::{self, Content};

/// The kind of an option value.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// No value: the option is given or not.
    Flag,
    /// Text.
    Text,
    /// The name of an environment variable.
    Variable,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number of seconds from the first number to the second.
    Seconds(u64, u64),
    /// The path of a file.
    Path,
    /// The path of a file with a private key, the `pkcs11:` URI of a key, or `cert:THUMBPRINT`.
    Key,
    /// An absolute http or https URL.
    Url,
    /// The URL of an OpenID Connect issuer.
    Issuer,
    /// A reference to a secret: `env:NAME` or `file:PATH`.
    Secret,
    /// Text, or a reference to it: `env:NAME` or `file:PATH`.
    TextOrRef,
    /// `KEY=VALUE`.
    Pair,
    /// `NAME:VALUE`.
    Header,
}

impl ValueKind {
    /// The usual placeholder in the help; `None` for a flag.
    pub(super) fn placeholder(&self) -> Option<String> {
        Some(match self {
            ValueKind::Flag => return None,
            ValueKind::Text | ValueKind::TextOrRef => "TEXT".to_owned(),
            ValueKind::Variable => "VAR".to_owned(),
            ValueKind::Path => "PATH".to_owned(),
            ValueKind::Key => "PEM|URI".to_owned(),
            ValueKind::Choice(words) => words.join("|"),
            ValueKind::Seconds(..) => "SECONDS".to_owned(),
            ValueKind::Url | ValueKind::Issuer => "URL".to_owned(),
            ValueKind::Secret => "env:NAME|file:PATH".to_owned(),
            ValueKind::Pair => "KEY=VALUE".to_owned(),
            ValueKind::Header => "NAME:VALUE".to_owned(),
        })
    }

    /// A valid value of the option `name`, for messages; `None` if any text is valid. `given` is
    /// the value to replace: for a choice, the example is the word that is most similar to it.
    pub(super) fn example(&self, name: &str, given: &str) -> Option<String> {
        Some(match self {
            ValueKind::Flag | ValueKind::Text | ValueKind::TextOrRef | ValueKind::Path => {
                return None;
            }
            ValueKind::Variable => "TOKEN".to_owned(),
            ValueKind::Key => {
                "pkcs11:token=my-token;object=my-key?pin-source=/etc/my-app/pin".to_owned()
            }
            ValueKind::Choice(words) => {
                let near = nearest(&given.to_ascii_lowercase(), words.iter().copied());
                near.or(words.first().copied())?.to_owned()
            }
            ValueKind::Seconds(least, most) => 30.clamp(*least, *most).to_string(),
            ValueKind::Url => "https://example.com/path".to_owned(),
            ValueKind::Issuer => "https://idp.example.com".to_owned(),
            ValueKind::Secret => format!("env:{}", name.to_ascii_uppercase().replace('-', "_")),
            ValueKind::Pair => "name=value".to_owned(),
            ValueKind::Header => "Accept:text/plain".to_owned(),
        })
    }

    /// Parses a value. The error continues the name of the option (`must be …`) and never contains
    /// the value, which may be a misplaced secret.
    pub(super) fn read(&self, value: OsString) -> Result<Value, String> {
        if let (ValueKind::Key, Some(text)) = (self, value.to_str())
            && let key @ (KeyRef::Token(_) | KeyRef::Store(_)) = KeyRef::parse(text)?
        {
            return Ok(Value::Key(key));
        }
        if let ValueKind::Path | ValueKind::Key = self {
            return match value.is_empty() {
                true => Err("must not be empty".to_owned()),
                false => match show::content(&value.to_string_lossy()) {
                    Some(what) => Err(format!("must be a path, but the value looks like {what}")),
                    None => Ok(Value::Path(value.into())),
                },
            };
        }
        let text = value.into_string().map_err(|_| "must be UTF-8 text".to_owned())?;
        if let ValueKind::Text | ValueKind::TextOrRef | ValueKind::Variable = self
            && let Some(what @ (Content::Jwt | Content::Json | Content::Pem)) = show::content(&text)
        {
            return Err(format!("must be a name or text, but the value looks like {what}"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        let pair = |mark, form: &str| match text.split_once(mark) {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Value::Pair(key.trim().to_owned(), value.trim_start().to_owned()))
            }
            _ => Err(format!("must have the form {form}")),
        };
        match self {
            ValueKind::Text | ValueKind::TextOrRef | ValueKind::Variable if text.is_empty() => {
                Err("must not be empty".to_owned())
            }
            ValueKind::Flag
            | ValueKind::Path
            | ValueKind::Key
            | ValueKind::Text
            | ValueKind::Variable => Ok(Value::Text(text)),
            ValueKind::Choice(words) => match words.contains(&text.as_str()) {
                true => Ok(Value::Text(text)),
                false if words.len() > 1 => Err(format!("must be one of {}", words.join(", "))),
                false => Err(format!("must be {}", words.concat())),
            },
            ValueKind::Seconds(least, most) => match text.parse() {
                Ok(seconds) if (*least..=*most).contains(&seconds) => Ok(Value::Seconds(seconds)),
                _ => Err(format!("must be a whole number of seconds from {least} to {most}")),
            },
            ValueKind::Url => Url::parse(&text).map(Value::Url),
            ValueKind::Issuer => Url::parse_issuer(&text).map(Value::Url),
            ValueKind::Secret => SecretRef::parse(&text)
                .map(Value::Secret)
                .ok_or_else(|| "must be env:NAME or file:PATH, not the secret itself".to_owned()),
            ValueKind::TextOrRef => {
                Ok(SecretRef::parse(&text).map_or(Value::Text(text), Value::Secret))
            }
            ValueKind::Pair => pair('=', "KEY=VALUE"),
            ValueKind::Header => pair(':', "NAME:VALUE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: ValueKind, value: &str) -> Result<Value, String> {
        kind.read(value.into())
    }

    #[test]
    fn values_are_parsed_and_checked() {
        assert_eq!(read(ValueKind::Seconds(1, 60), "60"), Ok(Value::Seconds(60)));
        assert_eq!(
            read(ValueKind::Pair, "a=b=c"),
            Ok(Value::Pair("a".to_owned(), "b=c".to_owned()))
        );
        assert_eq!(
            read(ValueKind::Header, "Accept: text/plain"),
            Ok(Value::Pair("Accept".to_owned(), "text/plain".to_owned()))
        );
        for (kind, value) in [
            (ValueKind::Seconds(1, 60), "61"),
            (ValueKind::Seconds(1, 60), "1.5"),
            (ValueKind::Choice(&["json", "text"]), "xml"),
            (ValueKind::Path, ""),
            (ValueKind::Path, "-----BEGIN PRIVATE KEY-----"),
            (ValueKind::Key, "-----BEGIN PRIVATE KEY-----"),
            (ValueKind::Key, "pkcs11:?pin-value=1"),
            (ValueKind::Text, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
            (ValueKind::Text, ""),
            (ValueKind::Text, "a\nb"),
            (ValueKind::Url, "example.com"),
            (ValueKind::Issuer, "https://idp.example?a=b"),
            (ValueKind::Pair, "=b"),
            (ValueKind::Header, "nothing"),
        ] {
            assert!(read(kind, value).is_err(), "{kind:?} {value:?}");
            let example = kind.example("name", value);
            assert!(example.is_none_or(|example| read(kind, &example).is_ok()), "{kind:?}");
        }
    }

    #[test]
    fn the_example_of_a_choice_is_the_most_similar_word() {
        let kind = ValueKind::Choice(&["github", "azure-pipelines", "gitlab"]);
        for (given, example) in [
            ("GitLab", "gitlab"),
            ("gtilab", "gitlab"),
            ("azure", "azure-pipelines"),
            ("", "github"),
        ] {
            assert_eq!(kind.example("system", given).as_deref(), Some(example), "{given}");
        }
    }
}
