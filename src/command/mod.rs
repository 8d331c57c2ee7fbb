//! The commands: one file or folder and one row of [`COMMANDS`] each.
//!
//! Most commands find the credentials that the Google clients find and do what a client does: they
//! exchange a subject token at the Security Token Service, impersonate a service account, and get
//! tokens or signatures.

mod access_token;
pub(crate) mod check;
mod config;
mod documents;
mod exec;
mod id_token;
mod keep;
mod serve;
mod serving;
mod sign;

pub use documents::PAGES;

use crate::client::credentials::Credentials;
use crate::context::Context;
use crate::contract::exit::{Exit, Output};
use crate::error::Error;
use crate::options::{Format, OptionInfo, Values};
use crate::source::SourceInfo;

/// A row of the table of commands.
#[derive(Debug)]
pub struct CommandInfo {
    /// The first word of the command line.
    pub name: &'static str,
    /// Other words for it, which a user may try first.
    pub also: &'static [&'static str],
    /// What it does, in one line.
    pub summary: &'static str,
    /// The tables of its options, without those of every command.
    pub options: &'static [&'static [OptionInfo]],
    /// What follows its name.
    pub after: After,
    /// A word that only this command accepts in place of a source, with its own options.
    pub own_source: Option<&'static SourceInfo>,
    /// The placeholder of the arguments after `--`, if they are allowed.
    pub rest: Option<&'static str>,
    /// A command line that shows typical options. Long ones have more than one line.
    pub example: &'static str,
    /// Runs it.
    pub run: fn(&Invocation, &Context) -> Result<Output, Error>,
}

/// What follows the name of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Only options.
    Options,
    /// These words, as the help shows them.
    Words(&'static str),
    /// A source and its options.
    Source,
    /// A source and its options, or only options.
    OptionalSource,
}

impl CommandInfo {
    /// The name, and what follows it, as the help shows it.
    pub fn usage(&self) -> String {
        let after = match self.after {
            After::Options => "",
            After::Words(words) => words,
            After::Source => "SOURCE",
            After::OptionalSource => "[SOURCE]",
        };
        format!("{} {after}", self.name).trim_end().to_owned()
    }

    /// Whether its name can be followed by a source.
    pub fn takes_source(&self) -> bool {
        matches!(self.after, After::Source | After::OptionalSource)
    }

    /// The options, without those of every command.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.options.iter().copied().flatten()
    }
}

/// A command with its options.
#[derive(Debug)]
pub struct Invocation {
    /// The words after the name of the command.
    pub words: Vec<String>,
    /// The options.
    pub values: Values,
    /// `--format`.
    pub format: Format,
    /// The source, if the command requires one.
    pub source: Option<&'static SourceInfo>,
    /// How the program ends if the command reaches its deadline.
    pub exit: Exit,
}

/// Every command.
pub static COMMANDS: &[CommandInfo] = &[
    access_token::INFO,
    id_token::INFO,
    sign::JWT,
    sign::BLOB,
    exec::INFO,
    serve::INFO,
    keep::INFO,
    config::INFO,
    check::INFO,
    documents::COMPLETIONS,
    documents::MAN,
];

/// The command with this name.
pub fn find(name: &str) -> Option<&'static CommandInfo> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl Invocation {
    /// Finds the credentials. Every command that sends requests does this first.
    fn credentials(&self, cx: &Context) -> Result<Credentials, Error> {
        cx.require_authorities()?;
        Credentials::find(&self.values, cx)
    }
}
