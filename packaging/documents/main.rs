//! Writes the manual page and the shell completions, which the program prints too.
//!
//! Run `cargo run --example documents` after a change to a table. Until then, `cargo test` fails.

use std::path::{Path, PathBuf};
use std::{fs, io};

use wif_token::command::documents;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn main() -> io::Result<()> {
    for (name, text) in documents() {
        let path = path(&name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_match_the_tables() {
        for (name, text) in documents() {
            let written = fs::read_to_string(path(&name)).unwrap_or_default().replace("\r\n", "\n");
            assert!(written == text, "{name} is outdated: run cargo run --example documents");
        }
    }
}
