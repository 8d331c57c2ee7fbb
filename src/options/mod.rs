//! What an option is, and the typed values of those that were given.
//!
//! One row of a table per option feeds the parser, the help, the manual and the completions. Values
//! are checked while they are parsed; nothing is opened or read for it.

#[macro_use]
mod typed;

mod common;
mod nearest;
pub mod reader;
mod secret_ref;
mod takes;
mod values;

pub use self::common::{COMMON, Format, OF_SOURCES, Options};
pub use self::nearest::{is_name, nearest};
pub use self::secret_ref::SecretRef;
pub use self::takes::Takes;
pub use self::typed::{Header, OptionField, OptionValue, Pair, Seconds, choice};
pub use self::values::{Value, Values};

use crate::error::{Error, Kind};

/// One option of the command line.
#[derive(Debug)]
pub struct OptionInfo {
    /// Its name without the dashes.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The word that stands for its value in the help; empty for the usual word.
    shown: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether each use adds a value; otherwise the last one counts.
    pub repeated: bool,
    /// The help, in lines as they are written in the source.
    help: &'static [&'static str],
}

impl OptionInfo {
    /// The option for a field of this type, which is typed like this: `--name` or `--name=SHOWN`.
    pub const fn of<T: OptionField>(
        typed: &'static str,
        help: &'static [&'static str],
    ) -> OptionInfo {
        let (name, shown) = name_and_shown(typed);
        let (required, repeated) = (T::REQUIRED, T::REPEATED);
        OptionInfo { name, takes: T::TAKES, shown, required, repeated, help }
    }

    /// What it does: one sentence without a full stop.
    pub fn help(&self) -> String {
        self.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// The word that stands for the value in the help; `None` for a flag.
    pub fn placeholder(&self) -> Option<String> {
        let usual = self.takes.placeholder()?;
        Some(if self.shown.is_empty() { usual } else { self.shown.to_owned() })
    }

    /// As it is typed, such as `--path=PATH`.
    pub fn usage(&self) -> String {
        match self.placeholder() {
            None => format!("--{}", self.name),
            Some(value) => format!("--{}={value}", self.name),
        }
    }
}

/// The name of an option that is typed like this: `--name` or `--name=SHOWN`.
pub const fn name_of(typed: &'static str) -> &'static str {
    name_and_shown(typed).0
}

const fn name_and_shown(typed: &'static str) -> (&'static str, &'static str) {
    let (_, option) = typed.split_at(2);
    let bytes = option.as_bytes();
    let mut end = 0;
    #[allow(clippy::indexing_slicing)] // below the length; a constant has no iterators
    while end < bytes.len() && bytes[end] != b'=' {
        end += 1;
    }
    let (name, rest) = option.split_at(end);
    match rest.split_at_checked(1) {
        Some((_, shown)) => (name, shown),
        None => (name, ""),
    }
}

/// The failure of a command line in which an option is missing that others make necessary.
pub fn missing(name: &str) -> Error {
    Error::new(Kind::Usage, format!("--{name} is missing")).fix(format!("add --{name}=…"))
}
