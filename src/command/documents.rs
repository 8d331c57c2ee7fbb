//! `completions` and `man`: the shell completions and the manual page that packages install.
//!
//! The program contains the files of `packaging/`, because they are smaller than the code that writes
//! them. They are one deflate stream, with a NUL between the files: see `build.rs`.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::{After, CommandInfo, Invocation};
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};

pub(super) const COMPLETIONS: CommandInfo = CommandInfo {
    name: "completions",
    also: &["completion"],
    summary: "print the completions for a shell",
    options: &[],
    after: After::Words("bash|zsh|fish|powershell"),
    own_source: None,
    rest: None,
    example: "wif-token completions bash >wif-token.bash",
    run: print_completions,
};

pub(super) const MAN: CommandInfo = CommandInfo {
    name: "man",
    also: &["manual"],
    summary: "print the manual page, as roff",
    options: &[],
    after: After::Words("[PAGE]"),
    own_source: None,
    rest: None,
    example: "wif-token man >wif-token.1",
    run: print_manual,
};

/// The documents, in the order of `build.rs`.
static DOCUMENTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/documents"));

/// A limit above the total size of the documents, in bytes.
const LIMIT: usize = 1 << 20;

const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

const MANUAL: &str = "manual";

/// What each document is: the manual page, or the completions for one of [`SHELLS`].
const NAMES: [&str; 5] = ["bash", "powershell", "zsh", MANUAL, "fish"];

/// The names under which packages install the page: those of the program.
pub const PAGES: [&str; 3] =
    ["wif-token", "docker-credential-wif-token", "git-credential-wif-token"];

fn print_completions(invocation: &Invocation, _: &Context) -> Result<Output, Error> {
    match invocation.words.as_slice() {
        [shell] if SHELLS.contains(&shell.as_str()) => document(shell),
        _ => Err(Error::new(Kind::Usage, "completions requires the name of one shell")
            .fix(format!("continue with one of: {}", SHELLS.join(", ")))),
    }
}

fn print_manual(invocation: &Invocation, _: &Context) -> Result<Output, Error> {
    match invocation.words.as_slice() {
        [] => document(MANUAL),
        [page] if PAGES.contains(&page.as_str()) => document(MANUAL),
        _ => Err(Error::new(Kind::Usage, "man does not have this page")
            .fix(format!("use one of: {}", PAGES.join(", ")))),
    }
}

fn document(name: &str) -> Result<Output, Error> {
    let index = NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len());
    let bytes = decompress_to_vec_with_limit(DOCUMENTS, LIMIT).unwrap_or_default();
    let text = String::from_utf8(bytes).ok();
    let text = text.as_deref().and_then(|text| text.split('\0').nth(index));
    let damaged = || Error::new(Kind::Internal, "the program is damaged").fix("install it again");
    text.map(|text| text.to_owned().into()).ok_or_else(damaged)
}
