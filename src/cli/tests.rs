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
fn a_source_and_its_options_are_parsed() {
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
    assert!(message("fiel").ends_with("did you mean file?"));
    assert!(message("acess-token").contains("did you mean access-token?"));
    assert_eq!(message("file --pth=x"), "--pth is not an option of file; did you mean --path?");
    assert_eq!(
        message("file --nonsense"),
        "--nonsense is not an option of file; run wif-token help file"
    );
    assert_eq!(
        message("--path=x file"),
        "--path is not an option of wif-token itself; put the source, command or helper first"
    );
    assert!(message("").contains("file, url, env, "));
    assert!(message("help config vault").ends_with("help config or wif-token help vault"));
    assert!(message("help vault x").ends_with("run wif-token help vault"));
    assert!(message("file --path").contains("--path requires a value"));
    assert!(message("file --exit-zero=1 --path=p").contains("--exit-zero does not accept a value"));
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
        files::replace(&path, text.as_bytes(), |_| true).unwrap();
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

/// A line that is longer than the terminal is one long word, or a part of a command line to paste.
#[test]
fn the_help_fits_narrow_terminals() {
    for width in [40, 59, 60, 72] {
        let mut pages = vec![help::of_program(width)];
        pages.extend(COMMANDS.iter().map(|command| help::of_command(command, width)));
        pages.extend(SOURCES.iter().map(|source| help::of_source(source, width)));
        for page in pages {
            let (page, _example) = page.split_once("\nexample:").unwrap_or((&page, ""));
            for line in page.lines().filter(|line| line.chars().count() > width) {
                assert!(!line.trim().contains(' '), "{width}: {line:?}");
            }
        }
    }
}

#[test]
fn the_help_lists_every_option_and_has_no_long_lines() {
    let fits = |text: &str| {
        let mut long = text.lines().filter(|line| line.chars().count() > 80);
        assert_eq!(long.next(), None, "{text}");
    };
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let program = help::of_program(help::WIDTH);
    fits(&program);
    let program = one_line(&program);
    fits(&short_usage());
    for option in COMMON.iter().chain(OF_SOURCES) {
        assert!(program.contains(&format!("--{}", option.name)), "{}", option.name);
    }
    for command in COMMANDS {
        assert!(program.contains(command.summary), "{}", command.name);
        let text = help::of_command(command, help::WIDTH);
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
        let text = help::of_source(source, help::WIDTH);
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
    let of_commands = COMMANDS.iter().filter(|command| command.takes_source());
    for command in of_commands {
        for option in SOURCES.iter().flat_map(|source| source.options()) {
            // The options of the command and of a source share one command line. Only `check`
            // passes its options to the source; if the source expects other values for such an
            // option, the command line is refused.
            let is_shared = command.after == After::OptionalSource;
            let mut others = command.options().map(|other| other.name);
            assert!(
                is_shared || others.all(|other| other != option.name),
                "{} {}",
                command.name,
                option.name
            );
        }
    }
}

#[test]
fn the_help_of_a_helper_lists_every_option_and_has_no_long_lines() {
    for helper in HELPERS {
        let text = help::of_helper(helper, help::WIDTH);
        let mut long = text.lines().filter(|line| line.chars().count() > 80);
        assert_eq!(long.next(), None, "{text}");
        assert!(
            help::of_program(help::WIDTH).contains(helper.name) && text.contains(helper.summary)
        );
        for option in helper.options() {
            assert!(text.contains(&format!("  --{}", option.name)), "{}", option.name);
            assert!(COMMON.iter().all(|common| common.name != option.name), "{}", option.name);
        }
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
