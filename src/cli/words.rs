//! Reads words one by one, those of arguments files among them.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lexopt::{Arg, Parser};

use super::unknown::{unknown_option, unknown_source};
use super::{COMMON, Command, Takes, Values, help};
use crate::error::{Error, Kind};
use crate::files;
use crate::source::{self, SOURCES, SourceInfo};

#[derive(Default)]
pub(super) struct Words {
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
        match (self.positionals, word.to_str()) {
            (1, Some("help")) => self.ask_for_help(),
            (1, Some(name)) if source::find(name).is_some() => {
                self.source = source::find(name);
                Ok(())
            }
            (1, name) => Err(unknown_source(name.unwrap_or(""))),
            (2, Some(name)) if self.help.is_some() && source::find(name).is_some() => {
                self.source = source::find(name);
                Ok(())
            }
            (2, name) if self.help.is_some() => Err(unknown_source(name.unwrap_or(""))),
            _ => Err(Error::new(Kind::Usage, "there is a word too many after the source").hint(
                "write each setting as one word, --name=value; \
                 values with blanks belong in an --args-file",
            )),
        }
    }

    fn option(&mut self, name: &str, parser: &mut Parser, depth: usize) -> Result<(), Error> {
        let of_source = self.source.map_or(&[][..], |source| source.options);
        let Some(option) = COMMON.iter().chain(of_source).find(|option| option.name == name) else {
            // Its value, if it has one, is passed over with it.
            let _ = parser.optional_value();
            return Err(unknown_option(name, self.source));
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
        match (self.help.take(), self.source) {
            (Some(text), _) if !text.is_empty() => Ok(Command::Help(text)),
            (Some(_), Some(source)) => Ok(Command::Help(help::of_source(source))),
            (Some(_), None) => Ok(Command::Help(help::of_program())),
            (None, Some(source)) => self.token(source),
            (None, None) => Err(Error::new(Kind::Usage, "there is no source")
                .hint(format!("name one of {}", help::names(SOURCES)))),
        }
    }

    fn token(&mut self, source: &'static SourceInfo) -> Result<Command, Error> {
        if source.rest.is_none() && !self.values.rest.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("{} takes no words after --", source.name),
            )
            .hint(format!("run wif-token help {}", source.name)));
        }
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
