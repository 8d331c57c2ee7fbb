//! The command line: a source or a command and its options, or `help`.
//!
//! Clients split a command on blanks and few of them know quotes, so each setting is one word,
//! `--name=value`. What cannot be written so stands in an arguments file, one argument a line
//! (`--args-file`). A blank too many becomes an empty word in Java: such words are passed over.
//! Nothing else is read here; a wrong word is never repeated, it may be a secret out of place.

mod help;
mod unknown;
mod words;

use std::ffi::OsString;

use self::words::Words;
use crate::command::CommandInfo;
use crate::error::{Error, Kind};
use crate::options::{Format, Options, Values};
use crate::source::SourceInfo;

/// What a command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print this text.
    Help(String),
    /// Get a subject token from this source.
    Token(&'static SourceInfo, Values),
    /// Run this command, for this source where it takes one.
    Run(&'static CommandInfo, Option<&'static SourceInfo>, Values),
}

/// What was read of a command line, up to a mistake if there is one.
#[derive(Debug)]
pub struct Parsed {
    /// The common options, known even after a mistake: they say how to report it.
    pub options: Options,
    /// `--format`, or what the source or command has in its place.
    pub format: Format,
    /// What to do.
    pub command: Result<Command, Error>,
}

/// Reads a command line, without the name of the program.
pub fn parse(args: Vec<OsString>) -> Parsed {
    let mut words = Words::default();
    let read = words.read(args, 0);
    let options = Options::new(&words.values);
    let format = options.format.unwrap_or_else(|| words.default_format());
    Parsed { options, format, command: read.and_then(|()| words.command()) }
}

/// Reads the command line of a configuration: a source and its options.
///
/// # Errors
/// `USAGE` where it is wrong or asks for something else.
pub fn parse_source(args: Vec<OsString>) -> Result<(Options, &'static SourceInfo, Values), Error> {
    let parsed = parse(args);
    match parsed.command? {
        Command::Token(source, values) => Ok((parsed.options, source, values)),
        _ => Err(Error::new(Kind::Usage, "the configuration's command gives no subject token")
            .hint("name a source in it: wif-token help")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::command::COMMANDS;
    use crate::files;
    use crate::options::{COMMON, OF_SOURCES};
    use crate::source::SOURCES;

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
        let Ok(Command::Token(source, values)) = parsed.command else { panic!("{parsed:?}") };
        assert_eq!(source.name, "file");
        assert_eq!(values.path("path"), Some(Path::new("/t")));
        assert_eq!(parsed.options.timeout(), Duration::from_secs(5));
        assert_eq!(parsed.options.audience.as_deref(), Some("//a"));
    }

    #[test]
    fn empty_words_are_passed_over() {
        assert!(matches!(parsed("file  --path=/t ").command, Ok(Command::Token(..))));
    }

    #[test]
    fn a_mistake_names_the_nearest_or_the_help() {
        assert_eq!(message("fiel"), r#"there is no source or command "fiel"; did you mean file?"#);
        assert!(message("acess-token").contains("did you mean access-token?"));
        assert_eq!(message("file --pth=x"), "file has no option --pth; did you mean --path?");
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
        for line in ["hunter22", "file hunter22", "file --hunter22", "file --timeout=hunter22"] {
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
        let Ok(Command::Token(_, values)) = parsed.command else { panic!("{parsed:?}") };
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
        let inner = file("inner", "\u{feff}# a comment\r\n\r\n  --path=/a b \"c\"\r\n".to_owned());
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
        for option in COMMON.iter().chain(OF_SOURCES) {
            assert!(program.contains(&option.usage()), "{}", option.name);
        }
        for command in COMMANDS {
            assert!(program.contains(command.summary), "{}", command.name);
            let text = help::of_command(command);
            for option in command.options {
                assert!(text.contains(&option.usage()), "{} {}", command.name, option.name);
                assert!(COMMON.iter().all(|common| common.name != option.name), "{}", option.name);
            }
        }
        for source in SOURCES {
            assert!(program.contains(source.summary), "{}", source.name);
            let text = help::of_source(source);
            for option in source.options {
                assert!(text.contains(&option.usage()), "{} {}", source.name, option.name);
                let mut others = COMMON.iter().chain(OF_SOURCES);
                assert!(others.all(|other| other.name != option.name), "{}", option.name);
            }
        }
        let of_config = COMMANDS.iter().filter(|command| command.of_source);
        let of_config: Vec<_> = of_config.flat_map(|command| command.options).collect();
        for option in SOURCES.iter().flat_map(|source| source.options) {
            // Both stand in one command line.
            assert!(of_config.iter().all(|other| other.name != option.name), "{}", option.name);
        }
        assert!(program.lines().all(|line| line.chars().count() <= 100), "{program}");
    }
}
