//! Writes the manual page and the shell completions from the tables of the parser.
//!
//! `cargo run --example documents` after a change of a table; `cargo test` fails until then.

mod bash;
mod fish;
mod manual;
mod powershell;
mod zsh;

use std::path::{Path, PathBuf};
use std::{fs, io};

use wif_token::command::COMMANDS;
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo, Takes};
use wif_token::source::SOURCES;

/// Every document: its path below `packaging` and its text.
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

/// What a shell offers as the value of an option.
enum Value {
    /// The option takes none.
    None,
    /// One of these words.
    Words(&'static [&'static str]),
    /// The path of a file.
    File,
    /// `env:` with a name, or `file:` with a path.
    Secret,
    /// Something that no shell can know.
    Unknown,
}

impl Value {
    fn of(option: &OptionInfo) -> Value {
        match option.takes {
            Takes::Flag => Value::None,
            Takes::Choice(words) => Value::Words(words),
            Takes::Path => Value::File,
            Takes::Secret => Value::Secret,
            _ => Value::Unknown,
        }
    }
}

/// What may stand first on a command line.
struct Word {
    name: &'static str,
    summary: &'static str,
    /// Its own options.
    own: Vec<&'static OptionInfo>,
    /// Those of every word of its kind.
    shared: Vec<&'static [OptionInfo]>,
    /// Whether a source follows.
    of_source: bool,
    /// What stands after `--`, where it takes that.
    rest: Option<&'static str>,
}

impl Word {
    fn options(&self) -> impl Iterator<Item = &'static OptionInfo> {
        self.own.iter().copied().chain(self.shared.iter().copied().flatten())
    }
}

/// Every source, then every command.
fn words() -> Vec<Word> {
    let sources = SOURCES.iter().map(|source| Word {
        name: source.name,
        summary: source.summary,
        own: source.options().collect(),
        shared: vec![OF_SOURCES, COMMON],
        of_source: false,
        rest: source.rest,
    });
    let commands = COMMANDS.iter().map(|command| Word {
        name: command.name,
        summary: command.summary,
        own: command.options().collect(),
        shared: vec![COMMON],
        of_source: command.of_source,
        rest: None,
    });
    sources.chain(commands).collect()
}

/// The options that may stand before any word.
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

/// The options as a shell offers them: `--flag`, and `--name=` where a value follows.
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
    fn the_files_are_what_the_tables_say() {
        for (name, text) in documents() {
            let kept = fs::read_to_string(path(name)).unwrap_or_default().replace("\r\n", "\n");
            assert!(kept == text, "{name} is old: run cargo run --example documents");
        }
    }
}
