//! Reads words one by one, those of arguments files among them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lexopt::{Arg, Parser};

use super::unknown::{unknown_option, unknown_source};
use super::{Command, help};
use crate::command::{self, CommandInfo};
use crate::error::{Error, Kind};
use crate::files;
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo, Takes, Values};
use crate::source::{self, SOURCES, SourceInfo};

#[derive(Default)]
pub(super) struct Words {
    command: Option<&'static CommandInfo>,
    source: Option<&'static SourceInfo>,
    pub(super) values: Values,
    help: Option<String>,
    /// The first mistake; what follows is still read, for `--exit-zero`.
    mistake: Option<Error>,
    positionals: usize,
}

impl Words {
    /// Reads words; `depth` is 0 for the command line, 1 for an arguments file, 2 for one in it.
    pub(super) fn read(&mut self, args: Vec<OsString>, depth: usize) -> Result<(), Error> {
        let mut parser = Parser::from_args(args);
        loop {
            if let Some(mut raw) = parser.try_raw_args()
                && raw.next_if(|word| word == "--").is_some()
            {
                self.values.rest = raw.collect();
                return Ok(());
            }
            let step = match parser.next().map_err(unreadable)? {
                None => return Ok(()),
                Some(Arg::Value(word)) => self.positional(&word),
                Some(Arg::Short('h') | Arg::Long("help")) => self.ask_for_help(),
                Some(Arg::Short('V') | Arg::Long("version")) => self.ask_for_version(),
                Some(Arg::Short(_)) => {
                    Err(Error::new(Kind::Usage, "there are no short options but -h and -V")
                        .hint("run wif-token help"))
                }
                Some(Arg::Long(name)) => {
                    let name = name.to_owned();
                    self.option(&name, &mut parser, depth)
                }
            };
            if let Err(mistake) = step {
                self.mistake.get_or_insert(mistake);
            }
        }
    }

    fn positional(&mut self, word: &OsStr) -> Result<(), Error> {
        if word.is_empty() {
            return Ok(());
        }
        self.positionals += 1;
        let name = word.to_str().unwrap_or("");
        let asks_for_help = self.help.is_some();
        let takes_source = asks_for_help || self.command.is_some_and(|command| command.of_source);
        match self.positionals {
            1 if name == "help" => self.ask_for_help(),
            1 => self.name(name),
            2 if asks_for_help && self.command.is_none() => self.name(name),
            2 if takes_source => {
                self.source = Some(source::find(name).ok_or_else(|| unknown_source(name))?);
                Ok(())
            }
            _ => Err(Error::new(Kind::Usage, "there is a word too many after the source").hint(
                "write each setting as one word, --name=value; \
                 values with blanks belong in an --args-file",
            )),
        }
    }

    fn name(&mut self, name: &str) -> Result<(), Error> {
        self.source = source::find(name);
        self.command = command::find(name);
        match self.source.is_some() || self.command.is_some() {
            true => Ok(()),
            false => Err(unknown_source(name)),
        }
    }

    /// The name of what was asked for, and the options that it has.
    fn tables(&self) -> (Option<&'static str>, Vec<&'static [OptionInfo]>) {
        let of_source = self.source.map(|source| source.options);
        match self.command {
            Some(command) => {
                let of_sources = of_source.map(|_| OF_SOURCES);
                let tables = [COMMON, command.options].into_iter().chain(of_source);
                (Some(command.name), tables.chain(of_sources).collect())
            }
            None => {
                let name = self.source.map(|source| source.name);
                (name, [COMMON, OF_SOURCES].into_iter().chain(of_source).collect())
            }
        }
    }

    /// What `--format` is where it was not given: scripts take a command's answer as it is.
    pub(super) fn default_format(&self) -> Format {
        match self.command {
            Some(_) => Format::Text,
            None => Format::Json,
        }
    }

    fn option(&mut self, name: &str, parser: &mut Parser, depth: usize) -> Result<(), Error> {
        let (before, tables) = self.tables();
        let Some(option) = tables.iter().copied().flatten().find(|option| option.name == name)
        else {
            // Its value, if it has one, is passed over with it.
            let _ = parser.optional_value();
            return Err(unknown_option(name, before, &tables));
        };
        let value = match (option.takes, parser.optional_value()) {
            (Takes::Flag, None) => OsString::new(),
            (Takes::Flag, Some(_)) => {
                return Err(Error::new(Kind::Usage, format!("--{name} takes no value")));
            }
            (_, Some(value)) => value,
            (_, None) => {
                let next = parser.value().ok();
                let next = next.filter(|word| !word.as_encoded_bytes().starts_with(b"--"));
                next.ok_or_else(|| {
                    Error::new(Kind::Usage, format!("--{name} takes a value"))
                        .hint(format!("write {}", option.usage()))
                })?
            }
        };
        self.values.add(option, value)?;
        match self.values.path("args-file").map(Path::to_owned) {
            Some(path) if name == "args-file" => self.args_file(&path, depth + 1),
            _ => Ok(()),
        }
    }

    fn args_file(&mut self, path: &Path, depth: usize) -> Result<(), Error> {
        if depth > 2 {
            return Err(Error::new(
                Kind::Usage,
                "an --args-file in an --args-file in an --args-file",
            )
            .hint("nest them once at most"));
        }
        let text = files::read_regular(path, "--args-file")?;
        let lines = text.expose().lines().map(str::trim);
        let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.read(words.map(OsString::from).collect(), depth)
    }

    fn ask_for_help(&mut self) -> Result<(), Error> {
        self.help.get_or_insert_default();
        Ok(())
    }

    fn ask_for_version(&mut self) -> Result<(), Error> {
        self.help = Some(concat!("wif-token ", env!("CARGO_PKG_VERSION"), "\n").to_owned());
        Ok(())
    }

    /// What all these words ask for.
    pub(super) fn command(&mut self) -> Result<Command, Error> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        match (self.help.take(), self.command, self.source) {
            (Some(text), ..) if !text.is_empty() => Ok(Command::Help(text)),
            (Some(_), Some(command), _) => Ok(Command::Help(help::of_command(command))),
            (Some(_), None, Some(source)) => Ok(Command::Help(help::of_source(source))),
            (Some(_), None, None) => Ok(Command::Help(help::of_program())),
            (None, Some(command), source) => self.run(command, source),
            (None, None, Some(source)) => self.token(source),
            (None, None, None) => Err(Error::new(Kind::Usage, "there is no source")
                .hint(format!("name one of {}", help::names(SOURCES)))),
        }
    }

    fn run(
        &mut self,
        command: &'static CommandInfo,
        source: Option<&'static SourceInfo>,
    ) -> Result<Command, Error> {
        if command.of_source && source.is_none() {
            let what = format!("there is no source after {}", command.name);
            return Err(
                Error::new(Kind::Usage, what).hint(format!("name one of {}", help::names(SOURCES)))
            );
        }
        self.refuse_rest(command.name, source.is_some_and(|source| source.rest.is_some()))?;
        Ok(Command::Run(command, source, std::mem::take(&mut self.values)))
    }

    fn refuse_rest(&self, name: &str, takes_rest: bool) -> Result<(), Error> {
        match takes_rest || self.values.rest.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Usage, format!("{name} takes no words after --"))
                .hint(format!("run wif-token help {name}"))),
        }
    }

    fn token(&mut self, source: &'static SourceInfo) -> Result<Command, Error> {
        self.refuse_rest(source.name, source.rest.is_some())?;
        if self.values.flag("exit-zero") && self.values.text("format") == Some("text") {
            return Err(Error::new(
                Kind::Usage,
                "--exit-zero would hide the failures of --format=text",
            )
            .hint("leave one of them out"));
        }
        Ok(Command::Token(source, std::mem::take(&mut self.values)))
    }
}

fn unreadable(_: lexopt::Error) -> Error {
    Error::new(Kind::Usage, "the command line cannot be read")
        .hint("write each setting as one word, --name=value")
}
