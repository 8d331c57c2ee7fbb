//! Writes the manual page and the shell completions from the tables of the parser.
//!
//! Run `cargo run --example documents` after a change to a table. Until then, `cargo test` fails. The program contains
//! these files: `build.rs`.

mod bash;
mod fish;
mod manual;
mod manual_text;
mod powershell;
mod zsh;

use std::path::{Path, PathBuf};
use std::{fs, io};

use wif_token::command::{self, After, COMMANDS};
use wif_token::helper::HELPERS;
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo, ValueKind};
use wif_token::source::{SOURCES, SourceInfo};

/// Every document: the path below `packaging`, and the text.
fn documents() -> [(&'static str, String); 5] {
    [
        ("manual/wif-token.1", manual::text()),
        ("completions/wif-token.bash", bash::text()),
        ("completions/_wif-token", zsh::text()),
        ("completions/wif-token.fish", fish::text()),
        ("completions/wif-token.ps1", powershell::text()),
    ]
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn main() -> io::Result<()> {
    for (name, text) in documents() {
        let path = path(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, text)?;
    }
    Ok(())
}

/// The values that a shell suggests for an option.
enum Value {
    /// The option accepts no value.
    None,
    /// One of these words.
    Words(&'static [&'static str]),
    /// The path of a file.
    File,
    /// `env:` and a name, or `file:` and a path.
    Secret,
    /// A value that a shell cannot suggest.
    Unknown,
}

impl Value {
    fn of(option: &OptionInfo) -> Value {
        match option.kind {
            ValueKind::Flag => Value::None,
            ValueKind::Choice(words) => Value::Words(words),
            ValueKind::Path | ValueKind::Key => Value::File,
            ValueKind::Secret => Value::Secret,
            _ => Value::Unknown,
        }
    }
}

/// A word that selects options: a source, a command, or a helper, which follows the word `helper`.
struct Word {
    name: &'static str,
    kind: Kind,
    summary: &'static str,
    /// The options of this word only.
    own: Vec<&'static OptionInfo>,
    /// The options of every source, or of every command and helper.
    shared: Vec<&'static [OptionInfo]>,
    /// Whether the word is followed by a source.
    of_source: bool,
    /// Another word that can follow in place of a source.
    own_source: Option<&'static SourceInfo>,
    /// The placeholder of the arguments after `--`, if they are allowed.
    rest: Option<&'static str>,
    /// The actions of a command or helper, one of which follows.
    actions: Vec<&'static str>,
    /// The command that this word follows, in place of a source.
    of: Option<&'static str>,
}

#[derive(PartialEq)]
enum Kind {
    Source,
    Command,
    Helper,
    /// A word that one command accepts in place of a source.
    OwnSource,
}

impl Word {
    /// The key of the word. The key of a helper begins with `helper-`, because a helper can have
    /// the name of a source. That of a word in place of a source begins with its command.
    fn key(&self) -> String {
        let before = if self.kind == Kind::Helper { Some("helper") } else { self.of };
        before.into_iter().chain([self.name]).collect::<Vec<_>>().join("-")
    }

    /// The words that can follow this word, as a shell suggests them.
    fn offered(&self) -> String {
        let sources = if self.of_source { source_names() + " " } else { String::new() };
        let own = self.own_source.map(|own| own.name.to_owned() + " ").unwrap_or_default();
        let actions: String = self.actions.iter().map(|action| format!("{action} ")).collect();
        sources + &own + &actions + &offered(self.options())
    }

    fn options(&self) -> impl Iterator<Item = &'static OptionInfo> {
        self.own.iter().copied().chain(self.shared.iter().copied().flatten())
    }
}

/// Every source, then every command, then every helper.
fn words() -> Vec<Word> {
    let sources = SOURCES.iter().map(|source| Word {
        name: source.name,
        kind: Kind::Source,
        summary: source.summary,
        own: source.options().collect(),
        shared: vec![OF_SOURCES, COMMON],
        of_source: false,
        own_source: None,
        rest: source.rest,
        actions: Vec::new(),
        of: None,
    });
    let commands = COMMANDS.iter().map(|command| Word {
        name: command.name,
        kind: Kind::Command,
        summary: command.summary,
        own: command.options().collect(),
        shared: vec![COMMON],
        of_source: command.takes_source(),
        own_source: command.own_source,
        rest: command.rest,
        actions: match command.after {
            After::Words("[PAGE]") => command::PAGES.to_vec(),
            After::Words(words) => actions(words),
            _ => Vec::new(),
        },
        of: None,
    });
    let helpers = HELPERS.iter().map(|helper| Word {
        name: helper.name,
        kind: Kind::Helper,
        summary: helper.summary,
        own: helper.options().collect(),
        shared: vec![COMMON],
        of_source: false,
        own_source: None,
        rest: None,
        actions: actions(helper.words),
        of: None,
    });
    let with_own = COMMANDS.iter().filter_map(|command| Some((command, command.own_source?)));
    let own = with_own.map(|(command, own)| Word {
        name: own.name,
        kind: Kind::OwnSource,
        summary: own.summary,
        own: own.options().chain(command.options().filter(is_of_all)).collect(),
        shared: vec![COMMON],
        of_source: false,
        own_source: None,
        rest: None,
        actions: Vec::new(),
        of: Some(command.name),
    });
    sources.chain(own).chain(commands).chain(helpers).collect()
}

/// The actions, one of which follows: the first word that the help shows, such as `get|list`.
fn actions(words: &'static str) -> Vec<&'static str> {
    let first = words.split(' ').next().unwrap_or_default();
    first.split('|').filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

/// Whether an option of a command also applies to the word in place of a source.
fn is_of_all(option: &&OptionInfo) -> bool {
    !["format", "program", "for-os", "file-sourced"].contains(&option.name)
}

/// A command, and the option of every source that this command refuses.
const REFUSED: (&str, &str) = ("keep", "exit-zero");

/// The words that can be first, and those that can follow `help`, except `help` itself.
fn first_words(words: &[Word]) -> String {
    names(words, |word| matches!(word.kind, Kind::Source | Kind::Command)) + " helper"
}

fn helper_names(words: &[Word]) -> String {
    names(words, |word| word.kind == Kind::Helper)
}

/// The options that are allowed before the first word.
fn first_options() -> impl Iterator<Item = &'static OptionInfo> {
    OF_SOURCES.iter().chain(COMMON)
}

fn names(words: &[Word], is_wanted: impl Fn(&Word) -> bool) -> String {
    let wanted = words.iter().filter(|word| is_wanted(word));
    wanted.map(|word| word.name).collect::<Vec<_>>().join(" ")
}

fn source_names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(" ")
}

/// The options as a shell suggests them: `--flag`, or `--name=` if a value follows.
fn offered(options: impl Iterator<Item = &'static OptionInfo>) -> String {
    let words = options.map(|option| match Value::of(option) {
        Value::None => format!("--{}", option.name),
        _ => format!("--{}=", option.name),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_match_the_tables() {
        for (name, text) in documents() {
            let written = fs::read_to_string(path(name)).unwrap_or_default().replace("\r\n", "\n");
            assert!(written == text, "{name} is outdated: run cargo run --example documents");
        }
    }

    #[test]
    fn the_manual_names_every_variable_of_the_sources() {
        let manual = manual::text().replace('\\', "");
        let variables = SOURCES.iter().flat_map(|source| source.variables);
        let missing: Vec<_> = variables.filter(|name| !manual.contains(**name)).collect();
        assert!(missing.is_empty(), "not in VARIABLES of manual_text.rs: {missing:?}");
    }
}
