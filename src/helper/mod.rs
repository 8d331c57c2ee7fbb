//! Credential helpers: `wif-token helper NAME` answers other tools that ask a program for
//! credentials, each in its own protocol.
//!
//! A helper is one file or folder and one row of [`HELPERS`]. Its file contains all that is known
//! of the tool: the protocol, the hosts that a token may go to, and how the tool shows a failure.
//! A token goes only to hosts of Google and to hosts that `--allow-host` names. For any other host,
//! a helper answers that it has no credentials, so that the tool continues without it.

mod docker;
mod host;
mod input;

use std::ffi::{OsStr, OsString};
use std::path::Path;

pub use self::host::Hosts;
use crate::client::credentials::{CredentialOptions, Credentials};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::options::{OptionInfo, Seconds, Values};

/// A row of the table of helpers.
#[derive(Debug)]
pub struct HelperInfo {
    /// The word after `helper`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The words after the name, as in the help; empty if there are none.
    pub words: &'static str,
    /// The options of this helper only.
    pub options: &'static [OptionInfo],
    /// The names under which a tool starts this program for the helper, such as
    /// `docker-credential-`, which another word follows; empty if there are none.
    pub program: &'static str,
    /// What to write into which file, so that the tool uses the helper.
    pub stanza: &'static str,
    /// How the tool is told about a failure.
    pub failure: FailureForm,
    /// Answers one request.
    pub run: fn(&Call, &Context) -> Result<Output, Error>,
}

impl HelperInfo {
    /// The words that select it on the command line: `helper` and its name.
    pub fn full_name(&self) -> String {
        format!("helper {}", self.name)
    }

    /// The options, without those of every source and command.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.tables().into_iter().flatten()
    }

    /// The tables of the options, without those of every source and command.
    pub fn tables(&self) -> [&'static [OptionInfo]; 3] {
        [self.options, CredentialOptions::TABLE, Shared::TABLE]
    }
}

/// Every helper.
pub static HELPERS: &[HelperInfo] = &[docker::INFO];

/// The helper with this name.
pub fn find(name: &str) -> Option<&'static HelperInfo> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// The arguments of a program that was started under this name. A tool that chooses the name of its
/// helper, such as `docker-credential-wif-token`, passes only the words of its protocol.
pub fn arguments(name: &OsStr, args: Vec<OsString>) -> Vec<OsString> {
    let name = Path::new(name).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let is_called =
        |helper: &&HelperInfo| !helper.program.is_empty() && name.starts_with(helper.program);
    match HELPERS.iter().find(is_called) {
        Some(helper) => {
            ["helper", helper.name].map(OsString::from).into_iter().chain(args).collect()
        }
        None => args,
    }
}

options! {
    /// Options of every helper.
    struct Shared {
        /// OAuth scopes, separated by commas (default: cloud-platform)
        scope: Option<String> = "--scope=SCOPE",
        /// give the token to this host too, on every port; a name without a port
        allow_host: Vec<String> = "--allow-host=HOST",
        /// renew a cached token that is valid for less than this (default: 300, or 3300 for docker)
        min_life: Option<Seconds<0, 43_200>> = "--min-life",
    }
}

/// One request of a tool.
#[derive(Debug)]
pub struct Call {
    /// The words after the name of the helper.
    pub words: Vec<String>,
    /// The options.
    pub values: Values,
}

impl Call {
    /// The action, which is the only word.
    ///
    /// # Errors
    /// `USAGE` if it is none of `actions`.
    fn action(&self, helper: &HelperInfo, actions: &[&'static str]) -> Result<&'static str, Error> {
        let found = match self.words.as_slice() {
            [word] => actions.iter().find(|action| *action == word),
            _ => None,
        };
        found.copied().ok_or_else(|| self.wrong_words(helper))
    }

    /// The failure of a command line with wrong words after the name of the helper.
    fn wrong_words(&self, helper: &HelperInfo) -> Error {
        let what = match self.words.is_empty() {
            true => format!("{} requires an action", helper.full_name()),
            false => format!("{} does not know this action", helper.full_name()),
        };
        let usage = format!("{} {}", helper.full_name(), helper.words);
        Error::new(Kind::Usage, what).fix(format!("use wif-token {usage}"))
    }

    /// The hosts that may get a token: those of Google that match one of `patterns`, and those of
    /// `--allow-host`.
    ///
    /// # Errors
    /// `USAGE` if `--allow-host` has a wrong value.
    fn hosts(&self, patterns: &'static [&'static str]) -> Result<Hosts, Error> {
        Hosts::new(patterns, Shared::read(&self.values)?.allow_host)
    }

    /// An access token that is valid for `min_life` seconds if Google issues such tokens;
    /// `--min-life` overrides it.
    ///
    /// # Errors
    /// Those of [`Credentials::find`] and [`Credentials::access_token`].
    fn access_token(&self, min_life: i64, cx: &Context) -> Result<AccessToken, Error> {
        let Shared { scope, min_life: own, .. } = Shared::read(&self.values)?;
        let min_life = own.map_or(min_life, |Seconds(seconds)| seconds as i64);
        let credentials = Credentials::find(&self.values, cx)?;
        credentials.access_token(&credentials.scopes(scope.as_deref()), min_life, cx)
    }
}
