//! Credential helpers: `wif-token helper NAME` provides credentials to other tools, each in the
//! protocol of the tool.
//!
//! A helper is one file or folder and one row of [`HELPERS`]. The file contains everything that is
//! specific to the tool: the protocol, the hosts that a token may go to, and how the tool shows a
//! failure. A token goes only to hosts of Google and to hosts that `--allow-host` names. For any
//! other host, the helper reports that there are no credentials, so that the tool continues without
//! credentials.

mod aws;
mod bazel;
mod cargo;
mod docker;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod git;
mod host;
mod input;
mod keyring;
pub mod kubernetes;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use self::host::Hosts;
use crate::client::credentials::{CredentialOptions, Credentials};
use crate::context::Context;
use crate::contract::exit::{Exit, FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::google::{CLOUD_PLATFORM, scopes};
use crate::options::{OptionInfo, Seconds, ValueKind, Values};

/// A row of the table of helpers.
#[derive(Debug)]
pub struct HelperInfo {
    /// The word after `helper`.
    pub name: &'static str,
    /// Other names of tools that use the helper, for the suggestion to a user who writes such a
    /// name.
    pub also: &'static [&'static str],
    /// A summary in one line.
    pub summary: &'static str,
    /// The arguments after the name, as the help shows them; empty if there are none.
    pub words: &'static str,
    /// The tables of the options that only this helper has.
    pub options: &'static [&'static [OptionInfo]],
    /// The name under which a tool starts this program for the helper; empty if there is none. A
    /// name that ends with a hyphen, such as `docker-credential-`, is a prefix.
    pub program: &'static str,
    /// The settings that make the tool use the helper.
    pub stanza: &'static str,
    /// How the tool is told about a failure.
    pub failure: FailureForm,
    /// Answers one request.
    pub run: fn(&Call, &Context) -> Result<Output, Error>,
}

impl HelperInfo {
    /// The words that select the helper on the command line: `helper` and the name.
    pub fn full_name(&self) -> String {
        format!("helper {}", self.name)
    }

    /// The whole command line without options, such as `helper docker get|list|store|erase`.
    pub fn usage(&self) -> String {
        format!("{} {}", self.full_name(), self.words).trim_end().to_owned()
    }

    /// The fix for wrong words after the name.
    fn how_to_use(&self) -> String {
        format!("use wif-token {}", self.usage())
    }

    /// The error for a command line with a word that the helper does not expect.
    fn unexpected_word(&self) -> Error {
        Error::new(Kind::Usage, format!("unexpected argument after {}", self.full_name()))
            .fix("write options as --name=value, and put values with spaces in an --args-file")
    }

    /// The options, without those that every source and command has.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.tables().flatten()
    }

    /// The tables of the options, without those that every source and command has.
    pub fn tables(&self) -> impl Iterator<Item = &'static [OptionInfo]> + use<> {
        OF_HELPERS.into_iter().chain(self.options.iter().copied())
    }
}

/// The tables of the options of every helper.
pub const OF_HELPERS: [&[OptionInfo]; 2] = [CredentialOptions::TABLE, MinLife::TABLE];

/// Every helper.
pub static HELPERS: &[HelperInfo] = &[
    aws::INFO,
    bazel::INFO,
    cargo::INFO,
    docker::INFO,
    git::INFO,
    keyring::INFO,
    kubernetes::INFO,
];

/// The helper with this name.
pub fn find(name: &str) -> Option<&'static HelperInfo> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// Adds `helper NAME` to `args` if a tool started this program as its helper. A tool that chooses
/// the name of its helper, such as `docker-credential-wif-token`, passes only the words of its
/// protocol. So does a tool whose first argument is a flag of its helper, such as `--cargo-plugin`.
pub fn arguments(name: &OsStr, args: Vec<OsString>) -> Vec<OsString> {
    let name = Path::new(name).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let flag = args.first().and_then(|word| word.to_str()?.strip_prefix("--"));
    let is_meant = |helper: &&HelperInfo| {
        let is_called = match helper.program.ends_with('-') {
            true => name.starts_with(helper.program),
            false => name == helper.program && !name.is_empty(),
        };
        let has_flag = |option: &OptionInfo| {
            matches!(option.kind, ValueKind::Flag) && flag == Some(option.name)
        };
        is_called || helper.options().any(has_flag)
    };
    match HELPERS.iter().find(is_meant) {
        Some(helper) => {
            ["helper", helper.name].map(OsString::from).into_iter().chain(args).collect()
        }
        None => args,
    }
}

options! {
    /// Options of every helper.
    struct MinLife {
        /// renew cached credentials that expire within this time (default: 300, for aws 900, for
        /// docker 3300)
        min_life: Option<Seconds<0, 43_200>> = "--min-life",
    }
}

options! {
    /// Options of a helper that prints an access token.
    struct Scope {
        /// OAuth scopes, separated by commas (default: the scopes that the tool requires)
        scope: Option<String> = "--scope=SCOPE",
    }
}

options! {
    /// Options of a helper that prints a token only for some hosts.
    struct AllowHost {
        /// also allow tokens for this host, on any port; HOST must not include a port
        allow_host: Vec<String> = "--allow-host=HOST",
    }
}

/// One request of a tool.
#[derive(Debug)]
pub struct Call {
    /// The words after the name of the helper.
    pub words: Vec<String>,
    /// The options.
    pub values: Values,
    /// How the program ends, for a protocol with more than one message.
    pub exit: Exit,
}

impl Call {
    /// The action, which is the only word.
    ///
    /// # Errors
    /// `USAGE` if it is not one of `actions`.
    fn action(&self, helper: &HelperInfo, actions: &[&'static str]) -> Result<&'static str, Error> {
        let found = match self.words.as_slice() {
            [word] => actions.iter().find(|action| *action == word),
            _ => None,
        };
        found.copied().ok_or_else(|| self.wrong_words(helper))
    }

    /// The error for a command line with wrong words after the name of the helper.
    fn wrong_words(&self, helper: &HelperInfo) -> Error {
        let what = match self.words.is_empty() {
            _ if helper.words.is_empty() => return helper.unexpected_word(),
            true => format!("{} requires an argument", helper.full_name()),
            false => format!("{} does not support these arguments", helper.full_name()),
        };
        Error::new(Kind::Usage, what).fix(helper.how_to_use())
    }

    /// The hosts that may get a token: Google's hosts that match one of `patterns`, and the hosts
    /// in `--allow-host`.
    ///
    /// # Errors
    /// `USAGE` if `--allow-host` has a wrong value.
    fn hosts(&self, patterns: &'static [&'static str]) -> Result<Hosts, Error> {
        Hosts::new(patterns, AllowHost::read(&self.values)?.allow_host)
    }

    /// Gets an access token that is valid for `min_life` seconds, if Google issues such tokens.
    /// `--min-life` overrides `min_life`.
    ///
    /// # Errors
    /// The errors of [`Credentials::find`] and [`Credentials::access_token`].
    fn access_token(&self, min_life: i64, cx: &Context) -> Result<AccessToken, Error> {
        self.access_token_with(CLOUD_PLATFORM, min_life, cx)
    }

    /// Gets an access token like [`Call::access_token`], with `default_scope` unless `--scope` is
    /// set.
    ///
    /// # Errors
    /// The errors of [`Call::access_token`].
    fn access_token_with(
        &self,
        default_scope: &str,
        min_life: i64,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        let (credentials, scopes) = self.credentials(default_scope, cx)?;
        credentials.access_token(&scopes, self.min_life(min_life)?, cx)
    }

    /// Removes the access token from the cache. If `refused` is set, only this token is removed. A
    /// failure is only logged, because the tool cannot fix it.
    fn forget(&self, refused: Option<&str>, cx: &Context) {
        let forgotten = self
            .credentials(CLOUD_PLATFORM, cx)
            .and_then(|(credentials, scopes)| credentials.forget(refused, &scopes, cx));
        if let Err(error) = forgotten {
            cx.log.failure(&error);
        }
    }

    /// Finds the credentials and the scopes: those of `--scope`, of the credentials, or
    /// `default_scope`.
    fn credentials(
        &self,
        default_scope: &str,
        cx: &Context,
    ) -> Result<(Credentials, Vec<String>), Error> {
        let Scope { scope } = Scope::read(&self.values)?;
        let credentials = Credentials::find(&self.values, cx)?;
        let known = credentials.scopes(scope.as_deref());
        let is_default = scope.is_none() && known == [CLOUD_PLATFORM];
        let scopes = if is_default { scopes(Some(default_scope)) } else { known };
        Ok((credentials, scopes))
    }

    /// The value of `--min-life` in seconds, or `default`.
    fn min_life(&self, default: i64) -> Result<i64, Error> {
        let MinLife { min_life } = MinLife::read(&self.values)?;
        Ok(min_life.map_or(default, |Seconds(seconds)| seconds as i64))
    }
}

/// The expiry of a token to report to a tool, in seconds since 1970. It is a little earlier than the
/// expiry for clients, because a tool uses a token until the reported expiry and the request itself
/// takes time.
fn ask_again_at(token: &AccessToken, cx: &Context) -> i64 {
    let now = cx.clock.now();
    let expiry = token.expiry_for_clients(now);
    expiry - (expiry.saturating_sub(now) / 10).clamp(0, 60)
}
