//! The command line: a source and its options, or `help`.
//!
//! Clients split a command on blanks and few of them know quotes, so each setting is one word,
//! `--name=value`. What cannot be written so stands in an arguments file, one argument a line
//! (`--args-file`). A blank too many becomes an empty word in Java: such words are passed over.
//! Nothing else is read here; a wrong word is never repeated, it may be a secret out of place.

mod help;
mod options;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::{Arg, Parser};

pub use options::{OptionInfo, Takes, Values, missing};

use crate::error::{Error, Kind};
use crate::files;
use crate::http;
use crate::source::{self, SOURCES, SourceInfo};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The version-1 document.
    #[default]
    Json,
    /// The bare token.
    Text,
}

/// Options of every source.
pub static COMMON: &[OptionInfo] = &[
    OptionInfo::new(
        "audience",
        Takes::Text("NAME"),
        "the audience, before GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
    ),
    OptionInfo::new(
        "token-type",
        Takes::Text("URN"),
        "the subject token type, before GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
    ),
    OptionInfo::new(
        "output-file",
        Takes::Path("PATH"),
        "where the answer is kept, before GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
    ),
    OptionInfo::new(
        "args-file",
        Takes::Path("PATH"),
        "more arguments, one a line, with # comments",
    ),
    OptionInfo::new(
        "timeout",
        Takes::Seconds(1, 3600),
        "the deadline of the whole run, 25 by default",
    ),
    OptionInfo::new(
        "expiry-margin",
        Takes::Seconds(0, 86_400),
        "report the token's end so much earlier; by default a tenth of its life, at most 300",
    ),
    OptionInfo::new(
        "ca-file",
        Takes::Path("PEM"),
        "trust these certificate authorities instead of the platform's",
    ),
    OptionInfo::new(
        "allow-http",
        Takes::Text("HOST"),
        "let plain http go to this host too",
    ),
    OptionInfo::new(
        "log-file",
        Takes::Path("PATH"),
        "append diagnostics to this file",
    ),
    OptionInfo::new(
        "format",
        Takes::Choice(&["json", "text"]),
        "the contract's document, or the bare token",
    ),
    OptionInfo::new(
        "exit-zero",
        Takes::Flag,
        "end a failure with status 0, so that Go and Java show its message",
    ),
];

/// What the options of every source say.
#[derive(Debug, Default)]
pub struct Options {
    /// `--audience`
    pub audience: Option<String>,
    /// `--token-type`, not yet checked
    pub token_type: Option<String>,
    /// `--output-file`
    pub output_file: Option<PathBuf>,
    /// `--timeout`
    pub timeout: Option<Duration>,
    /// `--expiry-margin`, in seconds
    pub expiry_margin: Option<u64>,
    /// `--ca-file` and `--allow-http`
    pub http: http::Settings,
    /// `--log-file`
    pub log_file: Option<PathBuf>,
    /// `--format`
    pub format: Format,
    /// `--exit-zero`
    pub exit_zero: bool,
}

impl Options {
    /// The deadline of a run without `--timeout`: clients give up after 30 s by default.
    const TIMEOUT: Duration = Duration::from_secs(25);

    /// How long the run may last.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Self::TIMEOUT)
    }

    fn new(values: &Values) -> Options {
        let text = |name| values.text(name).map(str::to_owned);
        let path = |name| values.path(name).map(Path::to_owned);
        Options {
            audience: text("audience"),
            token_type: text("token-type"),
            output_file: path("output-file"),
            timeout: values.seconds("timeout").map(Duration::from_secs),
            expiry_margin: values.seconds("expiry-margin"),
            http: http::Settings {
                ca_file: path("ca-file"),
                allow_http: text("allow-http"),
            },
            log_file: path("log-file"),
            format: match values.text("format") {
                Some("text") => Format::Text,
                _ => Format::Json,
            },
            exit_zero: values.flag("exit-zero"),
        }
    }
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print this text.
    Help(String),
    /// Get a subject token from this source.
    Token(&'static SourceInfo, Values),
}

/// What was read of a command line, up to a mistake if there is one.
#[derive(Debug)]
pub struct Parsed {
    /// The options of every source, known even after a mistake: they say how to report it.
    pub options: Options,
    /// What to do.
    pub command: Result<Command, Error>,
}

/// Reads a command line, without the name of the program.
pub fn parse(args: Vec<OsString>) -> Parsed {
    let mut words = Words::default();
    let read = words.read(args, 0);
    let options = Options::new(&words.values);
    Parsed {
        options,
        command: read.and_then(|()| words.command()),
    }
}

#[derive(Default)]
struct Words {
    source: Option<&'static SourceInfo>,
    values: Values,
    help: Option<String>,
    /// The first mistake; what follows is still read, for `--exit-zero`.
    mistake: Option<Error>,
    positionals: usize,
}

impl Words {
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
                Some(Arg::Value(word)) => self.positional(&word),
                Some(Arg::Short('h') | Arg::Long("help")) => self.ask_for_help(),
                Some(Arg::Short('V') | Arg::Long("version")) => self.ask_for_version(),
                Some(Arg::Short(_)) => Err(Error::new(
                    Kind::Usage,
                    "there are no short options but -h and -V",
                )
                .hint("run wif-token help")),
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
            _ => Err(
                Error::new(Kind::Usage, "there is a word too many after the source").hint(
                    "write each setting as one word, --name=value; \
                 values with blanks belong in an --args-file",
                ),
            ),
        }
    }

    fn option(&mut self, name: &str, parser: &mut Parser, depth: usize) -> Result<(), Error> {
        let of_source = self.source.map_or(&[][..], |source| source.options);
        let Some(option) = COMMON
            .iter()
            .chain(of_source)
            .find(|option| option.name == name)
        else {
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
        let text = files::read_text(path, "--args-file", Kind::Configuration)?;
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

    fn command(&mut self) -> Result<Command, Error> {
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

fn unknown_source(name: &str) -> Error {
    let names = SOURCES.iter().map(|source| source.name).chain(["help"]);
    let what = match is_word(name) {
        true => format!("there is no source {name:?}"),
        false => "the first word is no source".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("name one of {}", help::names(SOURCES)),
    })
}

fn unknown_option(name: &str, source: Option<&SourceInfo>) -> Error {
    let of_source = source.map_or(&[][..], |source| source.options);
    let names = COMMON.iter().chain(of_source).map(|option| option.name);
    let what = match (is_word(name), source) {
        (true, Some(source)) => format!("{} has no option --{name}", source.name),
        (true, None) => format!("there is no option --{name} before a source"),
        (false, _) => "there is an unknown option".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match (nearest(name, names), source) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(source)) => format!("run wif-token help {}", source.name),
        (None, None) => "name the source first".to_owned(),
    })
}

/// Whether a word looks like a name and not like a secret in the wrong place.
fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    !word.is_empty() && word.len() <= 24 && word.chars().all(fits)
}

fn nearest(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |name| strsim::damerau_levenshtein(word, name);
    names
        .min_by_key(|name| distance(name))
        .filter(|name| distance(name) <= 1 + name.len() / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Parsed {
        parse(line.split(' ').map(OsString::from).collect())
    }

    fn message(line: &str) -> String {
        let error = parsed(line).command.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{line}: {error}");
        error.to_string()
    }

    #[test]
    fn a_source_and_its_options() {
        let parsed = parsed("file --path=/t --timeout 5 --audience=//a");
        let Ok(Command::Token(source, values)) = parsed.command else {
            panic!("{parsed:?}")
        };
        assert_eq!(source.name, "file");
        assert_eq!(values.path("path"), Some(Path::new("/t")));
        assert_eq!(parsed.options.timeout(), Duration::from_secs(5));
        assert_eq!(parsed.options.audience.as_deref(), Some("//a"));
    }

    #[test]
    fn empty_words_are_passed_over() {
        assert!(matches!(
            parsed("file  --path=/t ").command,
            Ok(Command::Token(..))
        ));
    }

    #[test]
    fn a_mistake_names_the_nearest_or_the_help() {
        assert_eq!(
            message("fiel"),
            r#"there is no source "fiel"; did you mean file?"#
        );
        assert_eq!(
            message("file --pth=x"),
            "file has no option --pth; did you mean --path?"
        );
        assert_eq!(
            message("file --nonsense"),
            "file has no option --nonsense; run wif-token help file"
        );
        assert_eq!(
            message("--path=x file"),
            "there is no option --path before a source; name the source first"
        );
        assert!(message("").starts_with("there is no source; name one of "));
        assert!(message("file --path").contains("--path takes a value"));
        assert!(message("file --exit-zero=1 --path=p").contains("--exit-zero takes no value"));
    }

    #[test]
    fn words_out_of_place_are_not_repeated() {
        for line in [
            "hunter22",
            "file hunter22",
            "file --hunter22",
            "file --timeout=hunter22",
        ] {
            assert!(!message(line).contains("hunter22"), "{}", message(line));
        }
    }

    #[test]
    fn exit_zero_counts_even_after_a_mistake() {
        let parsed = parsed("fiel --exit-zero");
        assert!(parsed.command.is_err() && parsed.options.exit_zero);
    }

    #[test]
    fn words_after_two_dashes_are_for_the_program() {
        let parsed = parsed("command --field=a -- prog --path -- x");
        let Ok(Command::Token(_, values)) = parsed.command else {
            panic!("{parsed:?}")
        };
        assert_eq!(values.rest, ["prog", "--path", "--", "x"]);
        assert!(message("file --path=p -- x").contains("takes no words after --"));
    }

    #[test]
    fn arguments_files_are_read_and_nested_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            files::replace(&path, text.as_bytes()).unwrap();
            path.display().to_string()
        };
        let inner = file(
            "inner",
            "\u{feff}# a comment\r\n\r\n  --path=/a b \"c\"\r\n".to_owned(),
        );
        let outer = file("outer", format!("--timeout=7\n--args-file={inner}\n"));
        let parsed_outer = parsed(&format!("file --args-file={outer}"));
        let Ok(Command::Token(_, values)) = &parsed_outer.command else {
            panic!("{parsed_outer:?}")
        };
        assert_eq!(values.path("path"), Some(Path::new("/a b \"c\"")));
        assert_eq!(parsed_outer.options.timeout(), Duration::from_secs(7));

        let third = file("third", format!("--args-file={outer}\n"));
        assert!(message(&format!("file --args-file={third}")).contains("nest them once"));
        let whole = file("whole", "command\n--\nprog\nwith blank\n".to_owned());
        let parsed_whole = parsed(&format!("--args-file={whole}"));
        let Ok(Command::Token(_, values)) = &parsed_whole.command else {
            panic!("{parsed_whole:?}")
        };
        assert_eq!(values.rest, ["prog", "with blank"]);
    }

    #[test]
    fn silence_about_failures_is_refused() {
        assert!(message("file --path=p --format=text --exit-zero").contains("--exit-zero"));
    }

    #[test]
    fn every_option_and_source_is_in_the_help() {
        let program = help::of_program();
        for option in COMMON {
            assert!(program.contains(&option.usage()), "{}", option.name);
        }
        for source in SOURCES {
            assert!(program.contains(source.summary), "{}", source.name);
            let text = help::of_source(source);
            for option in source.options {
                assert!(
                    text.contains(&option.usage()),
                    "{} {}",
                    source.name,
                    option.name
                );
                assert!(
                    COMMON.iter().all(|common| common.name != option.name),
                    "{}",
                    option.name
                );
            }
        }
        assert!(
            program.lines().all(|line| line.chars().count() <= 100),
            "{program}"
        );
    }
}
