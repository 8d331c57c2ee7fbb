//! Reads a command line: positional words and options, including those of arguments files.
//!
//! Clients split a command at spaces and few of them interpret quotes. Therefore each option is one
//! word, `--name=value`, and a value with spaces is written to an arguments file (`--args-file`),
//! one argument per line. Empty words are skipped, because Java turns a double space into an empty
//! word. No error contains a wrong word, which may be a misplaced secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::nearest::{is_name, nearest};
use super::{OptionInfo, OptionValue as _, ValueKind, Values};
use crate::error::{Error, Kind};
use crate::files;
use crate::program;
use crate::show;

/// The maximum number of arguments files. Without a limit, files that name each other would be read
/// many times.
const MOST_FILES: usize = 16;

/// The number of mistakes after which reading stops. Only the first one is reported.
const MOST_MISTAKES: usize = 100;

/// The meaning of the positional words of a command line.
pub trait Grammar {
    /// Reads a positional word. `word` is empty if the word is not UTF-8.
    ///
    /// # Errors
    /// `USAGE` if the word is not allowed at this place.
    fn positional(&mut self, word: &str) -> Result<(), Error>;

    /// Reads `--help` or `-h`.
    ///
    /// # Errors
    /// `USAGE` if it is not allowed.
    fn help(&mut self) -> Result<(), Error>;

    /// Reads `--version` or `-V`.
    ///
    /// # Errors
    /// `USAGE` if it is not allowed.
    fn version(&mut self) -> Result<(), Error>;

    /// The options that are allowed after the words so far.
    fn tables(&self) -> Vec<&'static [OptionInfo]>;

    /// The command and the source among the words so far, or the word `helper` with the name of a
    /// helper.
    fn names(&self) -> Vec<String>;
}

/// A command line that was read.
#[derive(Debug)]
pub struct Line<G> {
    /// The positional words.
    pub grammar: G,
    /// The options. They are known even after a mistake, because they say how to report it.
    pub values: Values,
    /// The first mistake. The words after it were read too.
    pub mistake: Option<Error>,
    /// The number of arguments files so far.
    files: usize,
    /// The number of mistakes so far.
    mistakes: usize,
}

/// Reads the arguments of this program, without its name.
pub fn read<G: Grammar>(args: Vec<OsString>, grammar: G) -> Line<G> {
    read_after(Values::default(), args, grammar)
}

/// Reads more arguments, and adds their options to `values`.
pub fn read_after<G: Grammar>(values: Values, args: Vec<OsString>, grammar: G) -> Line<G> {
    let mut line = Line { grammar, values, mistake: None, files: 0, mistakes: 0 };
    if let Err(unreadable) = line.read(args, 0) {
        line.mistake.get_or_insert(unreadable);
    }
    line
}

impl<G: Grammar> Line<G> {
    /// Reads words. `depth` is 0 for the command line, 1 for an arguments file, and 2 for a file
    /// that is named in an arguments file.
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
                Some(Arg::Short(letter)) => {
                    let fix = match letter {
                        'v' => LOG,
                        _ => "begin each option with two hyphens, such as --timeout=30",
                    };
                    Err(Error::new(Kind::Usage, "the only short options are -h and -V").fix(fix))
                }
                Some(Arg::Long(name)) => {
                    let name = name.to_owned();
                    self.option(&name, &mut parser, depth)
                }
            };
            if let Err(mistake) = step {
                self.mistake.get_or_insert(mistake);
                self.mistakes += 1;
            }
            if self.mistakes > MOST_MISTAKES {
                return Ok(());
            }
        }
    }

    fn option(&mut self, name: &str, parser: &mut Parser, depth: usize) -> Result<(), Error> {
        let tables = self.grammar.tables();
        let Some(option) = tables.iter().copied().flatten().find(|option| option.name == name)
        else {
            // Also skips the value of the option.
            let _ = parser.optional_value();
            return Err(unknown_option(name, &self.grammar.names(), &tables));
        };
        let value = match (option.kind, parser.optional_value()) {
            (ValueKind::Flag, None) => OsString::new(),
            (ValueKind::Flag, Some(_)) => {
                return Err(Error::new(Kind::Usage, format!("--{name} does not accept a value"))
                    .fix(format!("use --{name} without a value")));
            }
            (_, Some(value)) => value,
            (_, None) => {
                let next = parser.value().ok();
                let next = next.filter(|word| !word.as_encoded_bytes().starts_with(b"--"));
                next.ok_or_else(|| {
                    Error::new(Kind::Usage, format!("--{name} requires a value"))
                        .fix(format!("use {}", option.usages()))
                })?
            }
        };
        self.values.add(option, value)?;
        if name != "args-file" {
            return Ok(());
        }
        let path = self.values.all(name).find_map(PathBuf::from_value);
        path.map_or(Ok(()), |path| self.args_file(&path, depth + 1))
    }

    fn args_file(&mut self, path: &Path, depth: usize) -> Result<(), Error> {
        if depth > 2 {
            return Err(Error::new(Kind::Usage, "arguments files are nested too deeply")
                .fix("use at most one --args-file inside another one"));
        }
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(Error::new(Kind::Usage, "the command line names too many arguments files")
                .fix("put the options in one --args-file"));
        }
        let text = files::read_regular(path, "--args-file")?;
        let lines = text.expose().lines().map(str::trim);
        let words = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        if words.clone().take_while(|line| *line != "--").any(is_quoted) {
            return Err(Error::new(Kind::Usage, format!("{} contains quotes", show::path(path)))
                .cause("arguments files are not read by a shell")
                .fix("write each argument on a separate line, without quotes"));
        }
        let options = words.clone().take_while(|line| *line != "--");
        if let Some(fix) = options.filter_map(|line| self.several_arguments(line)).next() {
            let what = format!("a line of {} has more than one argument", show::path(path));
            return Err(Error::new(Kind::Usage, what).fix(fix));
        }
        self.read(words.map(OsString::from).collect(), depth)
    }

    /// The fix for a line of an arguments file with more than one argument; `None` for a line with
    /// one. The value of an option may contain spaces.
    fn several_arguments(&self, line: &str) -> Option<&'static str> {
        let (first, rest) = line.split_once(char::is_whitespace)?;
        let is_known = |word: &str| {
            let name = word.strip_prefix("--").map(|word| word.split('=').next().unwrap_or(word));
            let mut known = self.grammar.tables().into_iter().flatten();
            name.is_some_and(|name| known.any(|option| option.name == name))
        };
        match first.strip_prefix("--") {
            Some(option) if !option.contains('=') => {
                Some("write --name=value, with an equals sign, on a separate line for each option")
            }
            Some(_) if !rest.split_whitespace().any(is_known) => None,
            None if program::is_named_like_this(first) => Some(
                "remove the path of the program, and write the source and each option on a \
                 separate line",
            ),
            None if !rest.split_whitespace().any(|word| word.starts_with("--")) => None,
            _ => Some("write the source and each option on a separate line"),
        }
    }
}

/// The fix for an option that would print more, such as `--verbose`.
const LOG: &str = "to see each step of the run, use --log-file=PATH";

/// Whether a line of an arguments file, or the value in it, is in quotes.
fn is_quoted(line: &str) -> bool {
    let value = line.split_once('=').map_or(line, |(_, value)| value);
    [line, value].iter().any(|text| {
        ['"', '\'']
            .iter()
            .any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
    })
}

/// Names of options in other tools, with the corresponding options of wif-token. The first of these
/// that the source or command has is suggested.
const SYNONYMS: [(&str, &[&str]); 6] = [
    ("aud", &["audience"]),
    ("file", &["path", "output-file", "credentials"]),
    ("out", &["output-file"]),
    ("password-file", &["password"]),
    ("resource", &["relying-party", "audience"]),
    ("username", &["user"]),
];

/// The error for an unknown option. `tables` contain the options that are allowed after the words
/// in `before`, which name the command and the source, or the helper.
fn unknown_option(name: &str, before: &[String], tables: &[&'static [OptionInfo]]) -> Error {
    let names = || tables.iter().copied().flatten().map(|option| option.name);
    let what = match (is_name(name), before) {
        (false, _) => "unknown option".to_owned(),
        (true, []) => format!("--{name} is not an option of wif-token itself"),
        (true, before) => format!("--{name} is not an option of {}", before.join(" or ")),
    };
    if ["verbose", "debug", "trace"].contains(&name) {
        return Error::new(Kind::Usage, what).fix(LOG);
    }
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let also =
        SYNONYMS.iter().find(|(other, _)| *other == lower).map_or(&[] as &[&str], |row| row.1);
    let near = also.iter().find_map(|also| names().find(|name| name == also));
    let near = near.or_else(|| nearest(&lower, names()));
    Error::new(Kind::Usage, what).fix(match (near, before.last()) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(last)) => format!("run wif-token help {last}"),
        (None, None) => "put the source, command or helper first".to_owned(),
    })
}

fn unreadable(_: lexopt::Error) -> Error {
    Error::new(Kind::Usage, "the command line cannot be read").fix("write options as --name=value")
}
