//! `completions` and `man`: the shell completions and the manual page that packages install, rendered
//! from the tables of the parser.

mod bash;
mod fish;
mod manual;
mod manual_text;
mod powershell;
mod words;
mod zsh;

use super::{CommandInfo, Invocation};
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};

pub(super) const COMPLETIONS: CommandInfo = CommandInfo {
    name: "completions",
    also: &["completion"],
    summary: "print the completions for a shell",
    options: &[],
    words: "bash|zsh|fish|powershell",
    of_source: false,
    own_source: None,
    rest: None,
    example: "wif-token completions bash >~/.local/share/bash-completion/completions/wif-token",
    run: print_completions,
};

pub(super) const MAN: CommandInfo = CommandInfo {
    name: "man",
    also: &["manual"],
    summary: "print the manual page, as roff",
    options: &[],
    words: "[PAGE]",
    of_source: false,
    own_source: None,
    rest: None,
    example: "wif-token man | man -l -",
    run: print_manual,
};

/// A shell and the file name of its completions.
const SHELLS: [(&str, &str, fn() -> String); 4] = [
    ("bash", "wif-token.bash", bash::text),
    ("zsh", "_wif-token", zsh::text),
    ("fish", "wif-token.fish", fish::text),
    ("powershell", "wif-token.ps1", powershell::text),
];

/// The names under which packages install the page: those of the program.
const PAGES: [&str; 3] = ["wif-token", "docker-credential-wif-token", "git-credential-wif-token"];

/// Every document: the path below `packaging`, and the text.
pub fn documents() -> impl Iterator<Item = (String, String)> {
    let manual = ("manual/wif-token.1".to_owned(), manual::text());
    let completions = SHELLS.map(|(_, file, text)| (format!("completions/{file}"), text()));
    [manual].into_iter().chain(completions)
}

fn print_completions(invocation: &Invocation, _: &Context) -> Result<Output, Error> {
    let shell = match invocation.words.as_slice() {
        [word] => SHELLS.iter().find(|(shell, ..)| shell == word),
        _ => None,
    };
    match shell {
        Some((.., text)) => Ok(text().into()),
        None => Err(Error::new(Kind::Usage, "completions requires the name of one shell")
            .fix(format!("continue with one of: {}", SHELLS.map(|(shell, ..)| shell).join(", ")))),
    }
}

fn print_manual(invocation: &Invocation, _: &Context) -> Result<Output, Error> {
    match invocation.words.as_slice() {
        [] => Ok(manual::text().into()),
        [page] if PAGES.contains(&page.as_str()) => Ok(manual::text().into()),
        _ => Err(Error::new(Kind::Usage, "man does not have this page")
            .fix(format!("use one of: {}", PAGES.join(", ")))),
    }
}
