//! Reads a command line: positional words and options, including those of arguments files.
//!
//! Clients split a command at spaces and few of them understand quotes, so each setting is one word,
//! `--name=value`. What cannot be written so is put into an arguments file, one argument a line
//! (`--args-file`). A double space becomes an empty word in Java: empty words are skipped. No error
//! repeats a wrong word, which may be a misplaced secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::nearest::{is_name, nearest};
use super::{OptionInfo, OptionValue as _, Takes, Values};
use crate::error::{Error, Kind};
use crate::files;

/// What the positional words of a command line mean.
pub trait Grammar {
    /// Takes a positional word, which is not empty. What is not UTF-8 is given as an empty text.
    ///
    /// # Errors
    /// `USAGE` if the word has no meaning there.
    fn positional(&mut self, word: &str) -> Result<(), Error>;

    /// Takes `--help`, or `-h`.
    ///
    /// # Errors
    /// `USAGE` if there is none.
    fn help(&mut self) -> Result<(), Error>;

    /// Takes `--version`, or `-V`.
    ///
    /// # Errors
    /// `USAGE` if there is none.
    fn version(&mut self) -> Result<(), Error>;

    /// The options that are known after the words so far.
    fn tables(&self) -> Vec<&'static [OptionInfo]>;

    /// The source or command that was named so far.
    fn name(&self) -> Option<&'static str>;
}

/// A command line that was read, up to the first mistake if there is one.
#[derive(Debug)]
pub struct Line<G> {
    /// The positional words.
    pub grammar: G,
    /// The options, known even after a mistake: they say how to report it.
    pub values: Values,
    /// The first mistake; what follows it was still read.
    pub mistake: Option<Error>,
}

/// Reads a command line, without the name of the program.
pub fn read<G: Grammar>(args: Vec<OsString>, grammar: G) -> Line<G> {
    let mut line = Line { grammar, values: Values::default(), mistake: None };
    if let Err(unreadable) = line.read(args, 0) {
        line.mistake.get_or_insert(unreadable);
    }
    line
}

impl<G: Grammar> Line<G> {
    /// Reads words; `depth` is 0 for the command line, 1 for an arguments file, 2 for one in it.
    fn read(&mut self, args: Vec<OsString>, depth: usize) -> Result<(), Error> {
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
                Some(Arg::Value(word)) if word.is_empty() => Ok(()),
                Some(Arg::Value(word)) => self.grammar.positional(word.to_str().unwrap_or("")),
                Some(Arg::Short('h') | Arg::Long("help")) => self.grammar.help(),
                Some(Arg::Short('V') | Arg::Long("version")) => self.grammar.version(),
                Some(Arg::Short(_)) => {
                    Err(Error::new(Kind::Usage, "the only short options are -h and -V")
                        .fix("run wif-token help"))
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

    fn option(&mut self, name: &str, parser: &mut Parser, depth: usize) -> Result<(), Error> {
        let tables = self.grammar.tables();
        let Some(option) = tables.iter().copied().flatten().find(|option| option.name == name)
        else {
            // Its value, if it has one, is skipped with it.
            let _ = parser.optional_value();
            return Err(unknown_option(name, self.grammar.name(), &tables));
        };
        let value = match (option.takes, parser.optional_value()) {
            (Takes::Flag, None) => OsString::new(),
            (Takes::Flag, Some(_)) => {
                return Err(Error::new(Kind::Usage, format!("--{name} takes no value"))
                    .fix(format!("write --{name} alone")));
            }
            (_, Some(value)) => value,
            (_, None) => {
                let next = parser.value().ok();
                let next = next.filter(|word| !word.as_encoded_bytes().starts_with(b"--"));
                next.ok_or_else(|| {
                    Error::new(Kind::Usage, format!("--{name} requires a value"))
                        .fix(format!("write {}", option.usage()))
                })?
            }
        };
        self.values.add(option, value)?;
        let path = self.values.all("args-file").find_map(PathBuf::from_value);
        match path.filter(|_| name == "args-file") {
            Some(path) => self.args_file(&path, depth + 1),
            None => Ok(()),
        }
    }

    fn args_file(&mut self, path: &Path, depth: usize) -> Result<(), Error> {
        if depth > 2 {
            return Err(Error::new(Kind::Usage, "arguments files are nested too deeply")
                .fix("an --args-file may name one other --args-file, which may name none"));
        }
        let text = files::read_regular(path, "--args-file")?;
        let lines = text.expose().lines().map(str::trim);
        let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.read(words.map(OsString::from).collect(), depth)
    }
}

/// The failure of a command line with more positional words than it takes.
pub fn too_many_words() -> Error {
    Error::new(Kind::Usage, "the command line has an extra word after the source or command").fix(
        "write each setting as one word, --name=value; put values with spaces into an --args-file",
    )
}

/// `tables` hold the options that are known after `name_before`, the source or command.
fn unknown_option(
    name: &str,
    name_before: Option<&str>,
    tables: &[&'static [OptionInfo]],
) -> Error {
    let names = tables.iter().copied().flatten().map(|option| option.name);
    let what = match (is_name(name), name_before) {
        (true, Some(before)) => format!("{before} has no option --{name}"),
        (true, None) => format!("there is no option --{name} before a source or command"),
        (false, _) => "an option is unknown".to_owned(),
    };
    Error::new(Kind::Usage, what).fix(match (nearest(name, names), name_before) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(before)) => format!("run wif-token help {before}"),
        (None, None) => "name the source or command first".to_owned(),
    })
}

fn unreadable(_: lexopt::Error) -> Error {
    Error::new(Kind::Usage, "the command line cannot be read")
        .fix("write each setting as one word, --name=value")
}
