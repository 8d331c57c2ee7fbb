//! Options as typed fields.
//!
//! `options!` declares the options of a source or command as a struct. The type of a field
//! determines the kind of value and whether the option is required. The doc comment is the help.
//! The string after `=` is the option as in the help:
//!
//! ```ignore
//! options! {
//!     struct Options {
//!         /// file that contains the token
//!         path: PathBuf = "--path=PATH",
//!         /// send this header
//!         headers: Vec<Header> = "--header=NAME:VALUE",
//!         /// lifetime of the token
//!         lifetime: Option<Seconds<60, 3600>> = "--lifetime",
//!     }
//! }
//! ```
//!
//! `T` is required, `Option<T>` is optional, `Vec<T>` can be repeated, and `bool` is a flag. The
//! parser enforces these rules before anything else happens.

use std::path::PathBuf;

use super::value::Value;
use super::{KeyRef, SecretRef, TextOrRef, ValueKind, Values};
use crate::error::Error;
use crate::http::Url;

/// A type that the value of an option can have.
pub trait OptionValue: Sized {
    /// The kind of the value.
    const KIND: ValueKind;

    /// Converts a value that [`ValueKind`] has checked; `None` for a value of a different kind.
    fn from_value(value: &Value) -> Option<Self>;
}

/// The type of a field in `options!`.
pub trait OptionField: Sized {
    /// The kind of the value.
    const KIND: ValueKind;
    /// Whether the option is required.
    const REQUIRED: bool = false;
    /// Whether each use adds a value. Otherwise the last value is used.
    const REPEATED: bool = false;

    /// Reads the option with this name.
    ///
    /// # Errors
    /// `USAGE` if the option is required and missing.
    fn read(values: &Values, name: &'static str) -> Result<Self, Error>;
}

impl<T: OptionValue> OptionField for T {
    const KIND: ValueKind = T::KIND;
    const REQUIRED: bool = true;

    fn read(values: &Values, name: &'static str) -> Result<T, Error> {
        values.all(name).find_map(T::from_value).ok_or_else(|| super::missing(&[], name))
    }
}

impl<T: OptionValue> OptionField for Option<T> {
    const KIND: ValueKind = T::KIND;

    fn read(values: &Values, name: &'static str) -> Result<Option<T>, Error> {
        Ok(values.all(name).find_map(T::from_value))
    }
}

impl<T: OptionValue> OptionField for Vec<T> {
    const KIND: ValueKind = T::KIND;
    const REPEATED: bool = true;

    fn read(values: &Values, name: &'static str) -> Result<Vec<T>, Error> {
        Ok(values.all(name).filter_map(T::from_value).collect())
    }
}

impl OptionField for bool {
    const KIND: ValueKind = ValueKind::Flag;

    fn read(values: &Values, name: &'static str) -> Result<bool, Error> {
        Ok(values.flag(name))
    }
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableName(pub String);

/// A whole number of seconds from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds<const LEAST: u64, const MOST: u64>(pub u64);

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair(pub String, pub String);

/// `NAME:VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(pub String, pub String);

/// The URL of an OpenID Connect issuer.
#[derive(Debug, Clone)]
pub struct Issuer(pub Url);

macro_rules! option_value {
    ($type:ty, $kind:expr, $pattern:pat => $value:expr) => {
        impl OptionValue for $type {
            const KIND: ValueKind = $kind;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $pattern => Some($value),
                    _ => None,
                }
            }
        }
    };
}

option_value!(String, ValueKind::Text, Value::Text(text) => text.clone());
option_value!(VariableName, ValueKind::Variable, Value::Text(name) => VariableName(name.clone()));
option_value!(PathBuf, ValueKind::Path, Value::Path(path) => path.clone());
option_value!(Url, ValueKind::Url, Value::Url(url) => url.clone());
option_value!(Issuer, ValueKind::Issuer, Value::Url(url) => Issuer(url.clone()));
option_value!(SecretRef, ValueKind::Secret, Value::Secret(secret) => secret.clone());
option_value!(Pair, ValueKind::Pair, Value::Pair(key, value) => Pair(key.clone(), value.clone()));
option_value!(Header, ValueKind::Header, Value::Pair(key, value) => Header(key.clone(), value.clone()));

impl OptionValue for KeyRef {
    const KIND: ValueKind = ValueKind::Key;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Path(path) => Some(KeyRef::File(path.clone())),
            Value::Key(key) => Some(key.clone()),
            _ => None,
        }
    }
}

impl OptionValue for TextOrRef {
    const KIND: ValueKind = ValueKind::TextOrRef;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(TextOrRef::Text(text.clone())),
            Value::Secret(secret) => Some(TextOrRef::Ref(secret.clone())),
            _ => None,
        }
    }
}

impl<const LEAST: u64, const MOST: u64> OptionValue for Seconds<LEAST, MOST> {
    const KIND: ValueKind = ValueKind::Seconds(LEAST, MOST);

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Seconds(seconds) => Some(Seconds(*seconds)),
            _ => None,
        }
    }
}

/// Converts the word of a choice; used by `choices!`.
pub fn choice<T: Copy>(value: &Value, names: &[&str], all: &[T]) -> Option<T> {
    let Value::Text(text) = value else { return None };
    names.iter().zip(all).find(|(name, _)| *name == text).map(|(_, choice)| *choice)
}

/// Declares options: see the [module](self).
macro_rules! options {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $help:expr])+
                $field_visibility:vis $field:ident: $type:ty = $typed:literal
            ),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone)]
        $visibility struct $name {
            $($(#[doc = $help])+ $field_visibility $field: $type),*
        }

        impl $name {
            /// A row for each option.
            $visibility const TABLE: &'static [$crate::options::OptionInfo] = &[
                $($crate::options::OptionInfo::of::<$type>($typed, &[$($help),+])),*
            ];

            /// Reads the options from the values of a command line.
            ///
            /// # Errors
            /// `USAGE` if a required option is missing.
            $visibility fn read(
                values: &$crate::options::Values,
            ) -> Result<$name, $crate::error::Error> {
                Ok($name {
                    $($field: $crate::options::OptionField::read(
                        values,
                        $crate::options::name_of($typed),
                    )?),*
                })
            }
        }
    };
}

/// Declares an enum whose variants are the words that an option accepts.
macro_rules! choices {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $word:literal),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant),*
        }

        impl $name {
            /// The words, in the order of the variants.
            $visibility const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word of this choice.
            #[allow(dead_code)] // not every choice is shown
            $visibility const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }
        }

        impl $crate::options::OptionValue for $name {
            const KIND: $crate::options::ValueKind = $crate::options::ValueKind::Choice($name::WORDS);

            fn from_value(value: &$crate::options::Value) -> Option<$name> {
                $crate::options::choice(value, $name::WORDS, &[$($name::$variant),*])
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    choices! {
        /// How fast.
        enum Pace { Slow = "slow", Fast = "fast" }
    }

    options! {
        /// Options of a test.
        struct Given {
            /// the first line
            /// and the second
            path: PathBuf = "--path=PATH",
            /// how fast
            pace: Option<Pace> = "--pace",
            /// how long
            life: Option<Seconds<1, 60>> = "--life",
            /// a tag
            tags: Vec<Pair> = "--tag",
            /// silence
            quiet: bool = "--quiet",
        }
    }

    fn values(words: &[(&str, &str)]) -> Values {
        let mut values = Values::default();
        for (name, value) in words {
            let option = Given::TABLE.iter().find(|option| option.name == *name).unwrap();
            values.add(option, OsString::from(value)).unwrap();
        }
        values
    }

    #[test]
    fn the_type_of_a_field_determines_the_option() {
        let usages: Vec<String> = Given::TABLE.iter().map(|option| option.usage()).collect();
        let expected =
            ["--path=PATH", "--pace=slow|fast", "--life=SECONDS", "--tag=KEY=VALUE", "--quiet"];
        assert_eq!(usages, expected);
        assert_eq!(Given::TABLE[0].help(), "the first line and the second");
        let required: Vec<bool> = Given::TABLE.iter().map(|option| option.required).collect();
        assert_eq!(required, [true, false, false, false, false]);
        assert!(Given::TABLE[3].repeated);
    }

    #[test]
    fn fields_are_read_with_their_types() {
        let words =
            [("path", "/p"), ("pace", "fast"), ("life", "5"), ("tag", "a=1"), ("tag", "b=2")];
        let given = Given::read(&values(&words)).unwrap();
        assert_eq!(given.path, PathBuf::from("/p"));
        assert_eq!(given.pace, Some(Pace::Fast));
        assert_eq!(given.life, Some(Seconds(5)));
        assert_eq!(given.tags, [Pair("a".into(), "1".into()), Pair("b".into(), "2".into())]);
        assert!(!given.quiet);
    }

    #[test]
    fn a_required_option_that_is_missing_is_named() {
        let error = Given::read(&Values::default()).unwrap_err();
        assert!(error.to_string().starts_with("--path is required"), "{error}");
    }
}
