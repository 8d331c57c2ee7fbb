//! The options of the command line and their typed values.
//!
//! Each option is one row of a table, from which the parser, the help, the manual and the
//! completions are made. Values are checked when they are parsed, without opening files.

#[macro_use]
mod typed;

mod common;
pub mod grammar;
mod key_ref;
mod nearest;
mod pkcs11_uri;
pub mod reader;
mod secret_ref;
mod thumbprint;
mod value;
mod value_kind;
mod values;

pub use self::common::{COMMON, Format, OF_SOURCES, Options, TextOrJson};
pub use self::key_ref::{KeyRef, not_for_tls, refuse_pin};
pub use self::nearest::{is_name, nearest};
pub use self::pkcs11_uri::{Pin, Pkcs11Uri};
pub use self::secret_ref::{SecretRef, TextOrRef};
pub use self::thumbprint::Thumbprint;
pub use self::typed::{
    Header, Issuer, OptionField, OptionValue, Pair, Seconds, VariableName, choice,
};
pub use self::value::Value;
pub use self::value_kind::ValueKind;
pub use self::values::Values;

use crate::error::{Error, Kind};

/// One option of the command line.
#[derive(Debug)]
pub struct OptionInfo {
    /// The name without the hyphens.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: ValueKind,
    /// The placeholder of the value in the help; empty for the usual placeholder.
    shown: &'static str,
    /// Whether the option is required.
    pub required: bool,
    /// Whether each use adds a value. Otherwise the last value is used.
    pub repeated: bool,
    /// The lines of the doc comment, which are the help.
    help: &'static [&'static str],
}

impl OptionInfo {
    /// Creates the row for a field of type `T`. `typed` is `--name` or `--name=PLACEHOLDER`.
    pub const fn of<T: OptionField>(
        typed: &'static str,
        help: &'static [&'static str],
    ) -> OptionInfo {
        let (name, shown) = name_and_shown(typed);
        let (required, repeated) = (T::REQUIRED, T::REPEATED);
        OptionInfo { name, kind: T::KIND, shown, required, repeated, help }
    }

    /// The help: one phrase without a full stop.
    pub fn help(&self) -> String {
        self.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// The placeholder of the value in the help; `None` for a flag.
    pub fn placeholder(&self) -> Option<String> {
        let usual = self.kind.placeholder()?;
        Some(if self.shown.is_empty() { usual } else { self.shown.to_owned() })
    }

    /// The option with its placeholder, such as `--path=PATH`.
    pub fn usage(&self) -> String {
        match self.placeholder() {
            None => format!("--{}", self.name),
            Some(value) => format!("--{}={value}", self.name),
        }
    }

    /// The forms of the option in words, such as `--format=json or --format=text`.
    pub fn usages(&self) -> String {
        self.usage().replace('|', &format!(" or --{}=", self.name))
    }
}

/// The name in `--name` or `--name=PLACEHOLDER`.
pub const fn name_of(typed: &'static str) -> &'static str {
    name_and_shown(typed).0
}

const fn name_and_shown(typed: &'static str) -> (&'static str, &'static str) {
    let (_, option) = typed.split_at(2);
    let bytes = option.as_bytes();
    let mut end = 0;
    #[allow(clippy::indexing_slicing)]
    // the index is below the length; constants cannot use iterators
    while end < bytes.len() && bytes[end] != b'=' {
        end += 1;
    }
    let (name, rest) = option.split_at(end);
    match rest.split_at_checked(1) {
        Some((_, shown)) => (name, shown),
        None => (name, ""),
    }
}

/// The error for a command line without the required option `name`. The fix contains the
/// placeholder if `table` contains the option.
pub fn missing(table: &[OptionInfo], name: &str) -> Error {
    let option = table.iter().find(|option| option.name == name);
    let usage = option.map_or_else(|| format!("--{name}"), OptionInfo::usages);
    Error::new(Kind::Usage, format!("--{name} is required")).fix(format!("add {usage}"))
}
