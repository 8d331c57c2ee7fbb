//! The command line: a source, a command or a helper with its options, or `help`.
//!
//! [`crate::options::reader`] reads the arguments; this module says which of them are known.

mod help;
#[cfg(test)]
mod tests;
mod version;

pub use self::help::short_usage;

use std::ffi::OsString;
use std::mem::discriminant;

use crate::client::credentials::CredentialOptions;
use crate::command::{self, After, COMMANDS, CommandInfo};
use crate::error::{Error, Kind};
use crate::helper::{self, HELPERS, HelperInfo};
use crate::options::reader::{self, Grammar, Line};
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo, Options, Values, is_name, nearest};
use crate::source::command_line::SourceLine;
use crate::source::slips::{no_source, unexpected, unknown};
use crate::source::{self, SourceInfo};

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this text.
    Help(String),
    /// Get a subject token.
    Token(Box<SourceLine>),
    /// Run this helper with the words after its name and these options.
    Helper(&'static HelperInfo, Vec<String>, Values),
    /// Run this command with the words after its name and these options, for this source if the command
    /// requires one.
    Run(&'static CommandInfo, Option<&'static SourceInfo>, Vec<String>, Values),
}

/// A command line that was read, up to the first mistake if there is one.
#[derive(Debug)]
pub struct Parsed {
    /// The common options. They are known even after a mistake, because they say how to report it.
    pub options: Options,
    /// `--format`, or the default of the source or command.
    pub format: Format,
    /// The helper, which determines how a mistake is reported.
    pub helper: Option<&'static HelperInfo>,
    /// What to do, or the mistake in the command line.
    pub command: Result<Command, Error>,
}

/// Reads the arguments of this program, without its name.
pub fn parse(args: Vec<OsString>) -> Parsed {
    let Line { grammar, values, mistake, .. } = reader::read(args, Words::default());
    let options = Options::new(&values);
    let format = options.format.unwrap_or_else(|| grammar.default_format());
    let helper = grammar.helper;
    let command = mistake.map_or_else(|| grammar.command(values), Err);
    Parsed { options, format, helper, command }
}

#[derive(Debug, Default)]
struct Words {
    command: Option<&'static CommandInfo>,
    source: Option<&'static SourceInfo>,
    /// Whether the word `helper` came first.
    is_helper: bool,
    helper: Option<&'static HelperInfo>,
    /// The words after the name of the helper or command.
    words: Vec<String>,
    asks_for_help: bool,
    asks_for_version: bool,
    positionals: usize,
}

impl Grammar for Words {
    fn positional(&mut self, word: &str) -> Result<(), Error> {
        let takes_words =
            self.command.is_some_and(|command| matches!(command.after, After::Words(_)));
        if self.helper.is_some() || takes_words && !self.asks_for_help {
            self.words.push(word.to_owned());
            return Ok(());
        }
        if self.is_helper {
            self.helper = Some(helper::find(word).ok_or_else(|| unknown_helper(word))?);
            return Ok(());
        }
        self.positionals += 1;
        let takes_source =
            self.asks_for_help || self.command.is_some_and(CommandInfo::takes_source);
        match self.positionals {
            1 if word == "help" => self.help(),
            1 => self.first(word),
            2 if self.asks_for_help && word == "help" => Ok(()),
            2 if self.asks_for_help && self.command.is_none() => self.first(word),
            2 if takes_source => {
                let own = self.own_source().filter(|own| own.name == word);
                let source = own.or_else(|| source::find(word));
                self.source = Some(source.ok_or_else(|| self.unknown_source(word))?);
                self.same_option().map_or(Ok(()), Err)
            }
            3 if self.asks_for_help && self.own_source().is_some_and(|own| own.name == word) => {
                self.source = self.own_source();
                Ok(())
            }
            _ => Err(self.unexpected(word)),
        }
    }

    fn help(&mut self) -> Result<(), Error> {
        self.asks_for_help = true;
        Ok(())
    }

    fn version(&mut self) -> Result<(), Error> {
        self.asks_for_version = true;
        Ok(())
    }

    fn tables(&self) -> Vec<&'static [OptionInfo]> {
        if self.is_helper {
            let own = self.helper.map(HelperInfo::tables).into_iter().flatten();
            // Before the name of the helper, only these options are known.
            let every = [COMMON, CredentialOptions::TABLE];
            return every.into_iter().chain(own).collect();
        }
        let of_source = self.source.map(|source| source.options).unwrap_or_default();
        let of_command = self.command.map(|command| command.options).unwrap_or_default();
        let takes_source_options =
            (self.command.is_none() || self.source.is_some()) && !self.is_own_source();
        let of_sources = takes_source_options.then_some(OF_SOURCES);
        let own = of_command.iter().chain(of_source).copied();
        [COMMON].into_iter().chain(own).chain(of_sources).collect()
    }

    fn names(&self) -> Vec<String> {
        if self.is_helper {
            return vec![self.helper.map_or("helper".to_owned(), HelperInfo::full_name)];
        }
        if let Some((command, own)) = self.command.zip(self.source).filter(|_| self.is_own_source())
        {
            return vec![format!("{} {}", command.name, own.name)];
        }
        let command = self.command.map(|command| command.name);
        let names = command.into_iter().chain(self.source.map(|source| source.name));
        names.map(str::to_owned).collect()
    }
}

impl Words {
    /// The word that only this command accepts in place of a source.
    fn own_source(&self) -> Option<&'static SourceInfo> {
        self.command.and_then(|command| command.own_source)
    }

    fn is_own_source(&self) -> bool {
        self.own_source().zip(self.source).is_some_and(|(own, source)| own.name == source.name)
    }

    fn unexpected(&self, word: &str) -> Error {
        let names = [self.command.map(|command| command.name), self.source.map(|info| info.name)];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if self.asks_for_help {
            let other = source::find(word).map(|source| source.name);
            let other = other.or_else(|| command::find(word).map(|command| command.name));
            let or = other.map_or_else(String::new, |other| format!(" or wif-token help {other}"));
            return Error::new(Kind::Usage, "help describes one source or command at a time")
                .fix(format!("run wif-token help {name}{or}"));
        }
        let of_command = self.command.and_then(|command| command.rest);
        let rest = self.source.map_or(of_command, |source| source.rest);
        let options: Vec<_> = self.tables().into_iter().flatten().collect();
        unexpected(word, &name, rest, &options)
    }

    fn first(&mut self, word: &str) -> Result<(), Error> {
        self.is_helper = word == "helper";
        self.source = source::find(word);
        self.command = command::find(word);
        match self.source.is_some() || self.command.is_some() || self.is_helper {
            true => Ok(()),
            false => Err(self.unknown_first(word)),
        }
    }

    /// The error for a command and a source that share an option with different meanings.
    fn same_option(&self) -> Option<Error> {
        let (command, source) = self.command.zip(self.source).filter(|_| !self.asks_for_help)?;
        let mut shared = command.options().filter(|option| {
            let is_other = |own: &OptionInfo| discriminant(&own.kind) != discriminant(&option.kind);
            source.options().any(|own| own.name == option.name && is_other(own))
        });
        let (option, [command, source]) = (shared.next()?, [command.name, source.name]);
        let what = format!("{command} cannot be used with {source}");
        Some(
            Error::new(Kind::Usage, what)
                .cause(format!("--{} is an option of both", option.name))
                .fix(format!(
                    "write the token to a file with wif-token {source}, and run wif-token \
                     {command} file --path=FILE"
                )),
        )
    }

    /// The error for an unknown word after the command.
    fn unknown_source(&self, word: &str) -> Error {
        let is_optional = self.command.is_some_and(|info| info.after == After::OptionalSource);
        let mut commands = COMMANDS.iter().map(|command| command.name).chain(["helper", "help"]);
        match () {
            () if is_optional && !is_name(word) => self.unexpected(word),
            () if commands.any(|name| name == word) => {
                Error::new(Kind::Usage, format!("{word:?} is not a source"))
                    .cause("it is a command")
                    .fix("run wif-token help to list the sources")
            }
            () => self.unknown_first(word),
        }
    }

    /// The error for an unknown first word.
    fn unknown_first(&self, word: &str) -> Error {
        if let Some(helper) = helper::find(word) {
            let help = if self.asks_for_help { "help " } else { "" };
            return Error::new(Kind::Usage, format!("{word:?} is not a source or command"))
                .cause("it is a helper")
                .fix(format!("run wif-token {help}{}", helper.full_name()));
        }
        let commands = COMMANDS.iter().map(|command| (command.name, command.also));
        let more: [(&str, &[&str]); 3] =
            [("helper", &[]), ("help", &["usage"]), ("--version", &["version"])];
        unknown(word, &commands.chain(more).collect::<Vec<_>>())
    }

    /// The default of `--format`. Scripts use the output of a command as it is, and no Google
    /// client reads the output of a helper.
    fn default_format(&self) -> Format {
        match self.command.is_some() || self.is_helper {
            true => Format::Text,
            false => Format::Json,
        }
    }

    /// The command that the arguments select.
    fn command(self, values: Values) -> Result<Command, Error> {
        if self.asks_for_version {
            return Ok(Command::Help(version::text()));
        }
        if self.is_helper {
            return match self.helper {
                Some(helper) if self.asks_for_help => {
                    Ok(Command::Help(help::of_helper(helper, help::width())))
                }
                Some(helper) => {
                    values.refuse_rest(&helper.full_name(), false)?;
                    values.require(helper.options())?;
                    Ok(Command::Helper(helper, self.words, values))
                }
                None if self.asks_for_help => Ok(Command::Help(help::of_helpers(help::width()))),
                None => Err(no_helper()),
            };
        }
        match (self.command, self.source) {
            (Some(command), Some(own)) if self.asks_for_help && self.is_own_source() => {
                Ok(Command::Help(help::of_own_source(command, own, help::width())))
            }
            (Some(command), _) if self.asks_for_help => {
                Ok(Command::Help(help::of_command(command, help::width())))
            }
            (None, Some(source)) if self.asks_for_help => {
                Ok(Command::Help(help::of_source(source, help::width())))
            }
            (None, None) if self.asks_for_help => {
                Ok(Command::Help(help::of_program(help::width())))
            }
            (Some(command), source) => run(command, source, self.words, values),
            (None, Some(source)) => {
                SourceLine::new(source, values).map(|line| Command::Token(Box::new(line)))
            }
            (None, None) => Err(no_source()),
        }
    }
}

fn run(
    command: &'static CommandInfo,
    source: Option<&'static SourceInfo>,
    words: Vec<String>,
    values: Values,
) -> Result<Command, Error> {
    if command.after == After::Source && source.is_none() {
        let what = format!("{} requires a source", command.name);
        return Err(Error::new(Kind::Usage, what).fix(format!(
            "run wif-token {} SOURCE (wif-token help lists the sources)",
            command.name
        )));
    }
    let takes_rest = command.rest.or(source.and_then(|source| source.rest)).is_some();
    values.refuse_rest(command.name, takes_rest)?;
    values.require(command.options())?;
    values.require(source.into_iter().flat_map(SourceInfo::options))?;
    Ok(Command::Run(command, source, words, values))
}

/// The names of the helpers, for messages.
fn helper_names() -> String {
    HELPERS.iter().map(|helper| helper.name).collect::<Vec<_>>().join(", ")
}

fn no_helper() -> Error {
    Error::new(Kind::Usage, "helper requires the name of a helper")
        .fix(format!("continue with one of: {}", helper_names()))
}

fn unknown_helper(word: &str) -> Error {
    let of_tool = HELPERS.iter().find(|info| info.also.contains(&word)).map(|info| info.name);
    let what = match of_tool.is_some() || is_name(word) {
        true => format!("{word:?} is not a helper"),
        false => "the word after helper is not a helper".to_owned(),
    };
    let near = of_tool.or_else(|| nearest(word, HELPERS.iter().map(|info| info.name)));
    Error::new(Kind::Usage, what).fix(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("use one of: {}", helper_names()),
    })
}
