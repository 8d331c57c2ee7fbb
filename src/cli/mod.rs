//! The command line: a source or a command with its options, or `help`.
//!
//! [`crate::options::reader`] reads the arguments; this module says which of them are known.

mod help;

pub use self::help::SHORT_USAGE;

use std::ffi::OsString;

use crate::command::{self, COMMANDS, CommandInfo};
use crate::error::{Error, Kind};
use crate::options::reader::{self, Grammar, Line, too_many_words};
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo, Options, Values};
use crate::source::command_line::{SourceLine, no_source, unknown};
use crate::source::{self, SourceInfo};

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this text.
    Help(String),
    /// Get a subject token.
    Token(Box<SourceLine>),
    /// Run this command with these options, for this source if the command requires one.
    Run(&'static CommandInfo, Option<&'static SourceInfo>, Values),
}

/// A command line that was read, up to the first mistake if there is one.
#[derive(Debug)]
pub struct Parsed {
    /// The common options. They are known even after a mistake, because they say how to report it.
    pub options: Options,
    /// `--format`, or the default of the source or command.
    pub format: Format,
    /// What to do, or the mistake.
    pub command: Result<Command, Error>,
}

/// Reads the arguments of this program, without its name.
pub fn parse(args: Vec<OsString>) -> Parsed {
    let Line { grammar, values, mistake } = reader::read(args, Words::default());
    let options = Options::new(&values);
    let format = options.format.unwrap_or_else(|| grammar.default_format());
    let command = mistake.map_or_else(|| grammar.command(values), Err);
    Parsed { options, format, command }
}

#[derive(Debug, Default)]
struct Words {
    command: Option<&'static CommandInfo>,
    source: Option<&'static SourceInfo>,
    asks_for_help: bool,
    asks_for_version: bool,
    positionals: usize,
}

impl Grammar for Words {
    fn positional(&mut self, word: &str) -> Result<(), Error> {
        self.positionals += 1;
        let takes_source =
            self.asks_for_help || self.command.is_some_and(|command| command.of_source);
        match self.positionals {
            1 if word == "help" => self.help(),
            1 => self.first(word),
            2 if self.asks_for_help && self.command.is_none() => self.first(word),
            2 if takes_source => {
                self.source = Some(source::find(word).ok_or_else(|| unknown_first(word))?);
                Ok(())
            }
            _ => Err(too_many_words()),
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
        let of_source = self.source.map(|source| source.options).unwrap_or_default();
        let of_command = self.command.map(|command| command.options).unwrap_or_default();
        let takes_source_options = self.command.is_none() || self.source.is_some();
        let of_sources = takes_source_options.then_some(OF_SOURCES);
        let own = of_command.iter().chain(of_source).copied();
        [COMMON].into_iter().chain(own).chain(of_sources).collect()
    }

    fn name(&self) -> Option<&'static str> {
        let command = self.command.map(|command| command.name);
        command.or(self.source.map(|source| source.name))
    }
}

impl Words {
    fn first(&mut self, word: &str) -> Result<(), Error> {
        self.source = source::find(word);
        self.command = command::find(word);
        match self.source.is_some() || self.command.is_some() {
            true => Ok(()),
            false => Err(unknown_first(word)),
        }
    }

    /// The default of `--format`. Scripts use the output of a command as it is.
    fn default_format(&self) -> Format {
        match self.command {
            Some(_) => Format::Text,
            None => Format::Json,
        }
    }

    /// The command that the arguments select.
    fn command(self, values: Values) -> Result<Command, Error> {
        if self.asks_for_version {
            return Ok(Command::Help(
                concat!("wif-token ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
            ));
        }
        match (self.command, self.source) {
            (Some(command), _) if self.asks_for_help => {
                Ok(Command::Help(help::of_command(command)))
            }
            (None, Some(source)) if self.asks_for_help => {
                Ok(Command::Help(help::of_source(source)))
            }
            (None, None) if self.asks_for_help => Ok(Command::Help(help::of_program())),
            (Some(command), source) => run(command, source, values),
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
    values: Values,
) -> Result<Command, Error> {
    if command.of_source && source.is_none() {
        let what = format!("{} requires a source", command.name);
        return Err(Error::new(Kind::Usage, what).fix(format!(
            "run wif-token {} SOURCE; wif-token help lists the sources",
            command.name
        )));
    }
    values.refuse_rest(command.name, source.is_some_and(|source| source.rest.is_some()))?;
    values.require(command.options())?;
    values.require(source.into_iter().flat_map(SourceInfo::options))?;
    Ok(Command::Run(command, source, values))
}

fn unknown_first(word: &str) -> Error {
    let commands = COMMANDS.iter().map(|command| command.name);
    unknown(word, &commands.chain(["help"]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::*;
    use crate::files;
    use crate::options::OptionField;
    use crate::source::SOURCES;

    fn parsed(line: &str) -> Parsed {
        parse(line.split(' ').map(OsString::from).collect())
    }

    /// The value of `--path`.
    fn path(line: &SourceLine) -> PathBuf {
        OptionField::read(&line.values, "path").unwrap()
    }

    fn message(line: &str) -> String {
        let error = parsed(line).command.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{line}: {error}");
        error.to_string()
    }

    #[test]
    fn a_source_and_its_options() {
        let parsed = parsed("file --path=/t --timeout 5 --audience=//a");
        let Ok(Command::Token(line)) = parsed.command else { panic!("{parsed:?}") };
        assert_eq!(line.info.name, "file");
        assert_eq!(path(&line), Path::new("/t"));
        assert_eq!(parsed.options.timeout(), Duration::from_secs(5));
        assert_eq!(parsed.options.audience.as_deref(), Some("//a"));
    }

    #[test]
    fn empty_words_are_skipped() {
        assert!(matches!(parsed("file  --path=/t ").command, Ok(Command::Token(..))));
    }

    #[test]
    fn a_mistake_suggests_the_nearest_name_or_the_help() {
        assert_eq!(message("fiel"), r#"there is no source or command "fiel"; did you mean file?"#);
        assert!(message("acess-token").contains("did you mean access-token?"));
        assert_eq!(message("file --pth=x"), "file has no option --pth; did you mean --path?");
        assert_eq!(
            message("file --nonsense"),
            "file has no option --nonsense; run wif-token help file"
        );
        assert_eq!(
            message("--path=x file"),
            "--path is not an option before a source or command; put the source or command first"
        );
        assert!(message("").starts_with("no source is named; name one of "));
        assert!(message("file --path").contains("--path requires a value"));
        assert!(
            message("file --exit-zero=1 --path=p").contains("--exit-zero does not accept a value")
        );
    }

    #[test]
    fn misplaced_words_are_not_echoed() {
        for line in ["hunter22", "file hunter22", "file --hunter22", "file --timeout=hunter22"] {
            assert!(!message(line).contains("hunter22"), "{}", message(line));
        }
    }

    #[test]
    fn exit_zero_is_honored_even_after_a_mistake() {
        let parsed = parsed("fiel --exit-zero");
        assert!(parsed.command.is_err() && parsed.options.exit_zero);
    }

    #[test]
    fn words_after_two_dashes_are_passed_to_the_program() {
        let parsed = parsed("command --field=a -- prog --path -- x");
        let Ok(Command::Token(line)) = parsed.command else { panic!("{parsed:?}") };
        assert_eq!(line.values.rest, ["prog", "--path", "--", "x"]);
        assert!(message("file --path=p -- x").contains("does not accept arguments after --"));
    }

    #[test]
    fn arguments_files_can_be_nested_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            files::replace(&path, text.as_bytes()).unwrap();
            path.display().to_string()
        };
        let inner = file("inner", "\u{feff}# a comment\r\n\r\n  --path=/a b \"c\"\r\n".to_owned());
        let outer = file("outer", format!("--timeout=7\n--args-file={inner}\n"));
        let parsed_outer = parsed(&format!("file --args-file={outer}"));
        let Ok(Command::Token(line)) = &parsed_outer.command else { panic!("{parsed_outer:?}") };
        assert_eq!(path(line), Path::new("/a b \"c\""));
        assert_eq!(parsed_outer.options.timeout(), Duration::from_secs(7));

        let third = file("third", format!("--args-file={outer}\n"));
        assert!(message(&format!("file --args-file={third}")).contains("nested too deeply"));
        let whole = file("whole", "command\n--\nprog\nwith space\n".to_owned());
        let parsed_whole = parsed(&format!("--args-file={whole}"));
        let Ok(Command::Token(line)) = &parsed_whole.command else { panic!("{parsed_whole:?}") };
        assert_eq!(line.values.rest, ["prog", "with space"]);
    }

    #[test]
    fn a_required_option_is_required_by_the_parser() {
        assert_eq!(message("file --timeout=5"), "--path is required; add --path=PATH");
        assert!(message("id-token").starts_with("--for is required; add --for="));
        assert!(message("config file --pool-provider=x").starts_with("--path is required"));
    }

    #[test]
    fn exit_zero_is_refused_for_bare_tokens() {
        assert!(message("file --path=p --format=text --exit-zero").contains("--exit-zero"));
    }

    #[test]
    fn the_help_lists_every_option_and_has_no_long_lines() {
        let fits = |text: &str| {
            let mut long = text.lines().filter(|line| line.chars().count() > 80);
            assert_eq!(long.next(), None, "{text}");
        };
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let program = help::of_program();
        fits(&program);
        let program = one_line(&program);
        fits(SHORT_USAGE);
        for option in COMMON.iter().chain(OF_SOURCES) {
            assert!(program.contains(&format!("--{}", option.name)), "{}", option.name);
        }
        for command in COMMANDS {
            assert!(program.contains(command.summary), "{}", command.name);
            let text = help::of_command(command);
            fits(&text);
            for option in command.options() {
                assert!(
                    text.contains(&format!("--{}", option.name)),
                    "{} {}",
                    command.name,
                    option.name
                );
                assert!(COMMON.iter().all(|common| common.name != option.name), "{}", option.name);
            }
        }
        for source in SOURCES {
            assert!(program.contains(source.summary), "{}", source.name);
            let text = help::of_source(source);
            fits(&text);
            for option in source.options() {
                assert!(
                    text.contains(&format!("--{}", option.name)),
                    "{} {}",
                    source.name,
                    option.name
                );
                let mut others = COMMON.iter().chain(OF_SOURCES);
                assert!(others.all(|other| other.name != option.name), "{}", option.name);
            }
        }
        let of_config = COMMANDS.iter().filter(|command| command.of_source);
        let of_config: Vec<_> = of_config.flat_map(|command| command.options()).collect();
        for option in SOURCES.iter().flat_map(|source| source.options()) {
            // The options of config and of a source share one command line.
            assert!(of_config.iter().all(|other| other.name != option.name), "{}", option.name);
        }
    }

    #[test]
    fn examples_are_valid_command_lines() {
        let commands = COMMANDS.iter().map(|command| (command.name, command.example));
        for (name, example) in SOURCES.iter().map(|s| (s.name, s.example)).chain(commands) {
            let mut words = shlex::split(example).unwrap().into_iter();
            assert_eq!(words.next().as_deref(), Some("wif-token"), "{name}");
            assert_eq!(words.clone().next().as_deref(), Some(name));
            let parsed = parse(words.map(OsString::from).collect());
            assert!(parsed.command.is_ok(), "{name}: {:?}", parsed.command);
        }
    }
}
