//! The command line of a source: `SOURCE --option=value… [-- WORD…]`.
//!
//! The program is started with one; a credential configuration contains one; `config` writes one.

use std::ffi::OsString;

use super::{SOURCES, SourceInfo, find};
use crate::error::{Error, Kind};
use crate::options::reader::{self, Grammar, too_many_words};
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo, Options, Values, is_name, nearest};

/// A source with the options that were given for it, checked.
#[derive(Debug)]
pub struct SourceLine {
    /// The source.
    pub info: &'static SourceInfo,
    /// The options of every source.
    pub common: Options,
    /// All options that were given.
    pub values: Values,
}

impl SourceLine {
    /// A source with these options.
    ///
    /// # Errors
    /// `USAGE` if a required option is missing, or options or words do not go together.
    pub fn new(info: &'static SourceInfo, values: Values) -> Result<SourceLine, Error> {
        values.refuse_rest(info.name, info.rest.is_some())?;
        values.require(info.options())?;
        let common = Options::new(&values);
        if common.exit_zero && common.format == Some(Format::Text) {
            return Err(Error::new(
                Kind::Usage,
                "--exit-zero would hide failures of --format=text",
            )
            .fix("remove one of the two"));
        }
        Ok(SourceLine { info, common, values })
    }
}

/// Reads the arguments of this program in the command line of a credential configuration.
///
/// # Errors
/// `USAGE` if they are wrong, or do not ask for a subject token.
pub fn parse(args: Vec<OsString>) -> Result<SourceLine, Error> {
    let line = reader::read(args, Words::default());
    match (line.mistake, line.grammar.source) {
        (Some(mistake), _) => Err(mistake),
        (None, Some(source)) => SourceLine::new(source, line.values),
        (None, None) => Err(no_source()),
    }
}

/// The failure of a command line that names no source.
pub fn no_source() -> Error {
    Error::new(Kind::Usage, "no source is named").fix(format!("name one of {}", names()))
}

/// The failure of a command line whose first word is neither a source nor one of `others`.
pub fn unknown(name: &str, others: &[&'static str]) -> Error {
    let known = SOURCES.iter().map(|source| source.name).chain(others.iter().copied());
    let kinds = if others.is_empty() { "source" } else { "source or command" };
    let what = match is_name(name) {
        true => format!("there is no {kinds} {name:?}"),
        false => format!("the first word is not a {kinds}"),
    };
    Error::new(Kind::Usage, what).fix(match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("name one of {}", names()),
    })
}

fn names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Default)]
struct Words {
    source: Option<&'static SourceInfo>,
}

impl Grammar for Words {
    fn positional(&mut self, word: &str) -> Result<(), Error> {
        if self.source.is_some() {
            return Err(too_many_words());
        }
        self.source = Some(find(word).ok_or_else(|| unknown(word, &[]))?);
        Ok(())
    }

    fn help(&mut self) -> Result<(), Error> {
        Err(Error::new(Kind::Usage, "--help gives no subject token").fix("remove --help"))
    }

    fn version(&mut self) -> Result<(), Error> {
        Err(Error::new(Kind::Usage, "--version gives no subject token").fix("remove --version"))
    }

    fn tables(&self) -> Vec<&'static [OptionInfo]> {
        let own = self.source.map(|source| source.options).unwrap_or_default();
        [COMMON, OF_SOURCES].into_iter().chain(own.iter().copied()).collect()
    }

    fn name(&self) -> Option<&'static str> {
        self.source.map(|source| source.name)
    }
}
