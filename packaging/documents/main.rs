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

use wif_token::cli::{OptionInfo, Takes};
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
            Takes::Path(_) => Value::File,
            Takes::Secret => Value::Secret,
            _ => Value::Unknown,
        }
    }
}

fn source_names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(" ")
}

/// The options as a shell offers them: `--flag`, and `--name=` where a value follows.
fn offered(options: &[OptionInfo]) -> String {
    let words = options.iter().map(|option| match Value::of(option) {
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
