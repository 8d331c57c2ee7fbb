//! The command line of a source: `SOURCE --option=value… [-- WORD…]`.
//!
//! Clients start the program with such a command line. The `executable.command` of a credential
//! configuration contains one, and the command `config` writes one.

use std::ffi::OsString;

use super::slips::{no_source, unexpected, unknown};
use super::{SourceInfo, find};
use crate::error::{Error, Kind};
use crate::options::reader::{self, Grammar};
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo, Options, Values};

/// A source and its checked options.
#[derive(Debug)]
pub struct SourceLine {
    /// The source.
    pub info: &'static SourceInfo,
    /// The options that all sources share.
    pub common: Options,
    /// All options of the command line.
    pub values: Values,
}

impl SourceLine {
    /// Checks the options of a source.
    ///
    /// # Errors
    /// `USAGE` if a required option is missing, if options cannot be used together, or if there are
    /// words after `--` that the source does not accept.
    pub fn new(info: &'static SourceInfo, values: Values) -> Result<SourceLine, Error> {
        values.refuse_rest(info.name, info.rest.is_some())?;
        values.require(info.options())?;
        let common = Options::new(&values);
        if common.exit_zero && common.format == Some(Format::Text) {
            return Err(Error::new(
                Kind::Usage,
                "--exit-zero and --format=text cannot be used together",
            )
            .cause("neither the exit status nor the output would show a failure")
            .fix("remove --exit-zero or --format=text"));
        }
        Ok(SourceLine { info, common, values })
    }
}

/// Parses the arguments that a credential configuration passes to this program.
///
/// # Errors
/// `USAGE` if the arguments are wrong, or if they run something other than a source.
pub fn parse(args: Vec<OsString>) -> Result<SourceLine, Error> {
    let line = reader::read(args, Words::default());
    match (line.mistake, line.grammar.source) {
        (Some(mistake), _) => Err(mistake),
        (None, Some(source)) => SourceLine::new(source, line.values),
        (None, None) => Err(no_source()),
    }
}

fn only_prints(option: &str) -> Error {
    Error::new(Kind::Usage, format!("a command line with {option} does not print a subject token"))
        .fix(format!("remove {option}"))
}

/// Stores the words that the parser finds between the options.
#[derive(Debug, Default)]
struct Words {
    source: Option<&'static SourceInfo>,
}

impl Grammar for Words {
    fn positional(&mut self, word: &str) -> Result<(), Error> {
        if let Some(source) = self.source {
            let options: Vec<_> = source.options().collect();
            return Err(unexpected(word, source.name, source.rest, &options));
        }
        self.source = Some(find(word).ok_or_else(|| unknown(word, &[]))?);
        Ok(())
    }

    fn help(&mut self) -> Result<(), Error> {
        Err(only_prints("--help"))
    }

    fn version(&mut self) -> Result<(), Error> {
        Err(only_prints("--version"))
    }

    fn tables(&self) -> Vec<&'static [OptionInfo]> {
        let own = self.source.map(|source| source.options).unwrap_or_default();
        [COMMON, OF_SOURCES].into_iter().chain(own.iter().copied()).collect()
    }

    fn names(&self) -> Vec<String> {
        self.source.iter().map(|source| source.name.to_owned()).collect()
    }
}
