//! The commands, which use a subject token: one file or folder and one row of [`COMMANDS`] each.
//!
//! A command reads the credential configuration that the Google clients read and does what a client
//! does: it exchanges the subject token at the Security Token Service, impersonates the service
//! account, and gets tokens or signatures.

mod access_token;
pub(crate) mod check;
mod config;
mod grammar;
mod id_token;
mod sign;

use crate::client;
use crate::configuration::CredentialConfig;
use std::path::PathBuf;

use crate::context::Context;
use crate::contract::exit::Exit;
use crate::error::Error;
use crate::google::CLOUD_PLATFORM;
use crate::google::service_account::ServiceAccount;
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
    /// Whether its name is followed by a source and the options of that source.
    pub of_source: bool,
    /// A command line that shows typical options. Long ones have more than one line.
    pub example: &'static str,
    /// Runs it.
    pub run: fn(&Invocation, &Context) -> Result<Output, Error>,
}

impl CommandInfo {
    /// The options, without those of every command.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.options.iter().copied().flatten()
    }
}

/// A command with its options.
#[derive(Debug)]
pub struct Invocation {
    /// The options.
    pub values: Values,
    /// `--format`.
    pub format: Format,
    /// The source, if the command requires one.
    pub source: Option<&'static SourceInfo>,
    /// How the program ends if the command reaches its deadline.
    pub exit: Exit,
}

/// The output of a command and its exit status.
#[derive(Debug)]
pub struct Output {
    /// The text for standard output.
    pub text: String,
    /// 0, or that of a [`Kind`](crate::error::Kind).
    pub status: u8,
}

impl From<String> for Output {
    fn from(text: String) -> Output {
        Output { text, status: 0 }
    }
}

/// Every command.
pub static COMMANDS: &[CommandInfo] =
    &[access_token::INFO, id_token::INFO, sign::JWT, sign::BLOB, config::INFO, check::INFO];

/// The command with this name.
pub fn find(name: &str) -> Option<&'static CommandInfo> {
    COMMANDS.iter().find(|command| command.name == name)
}

options! {
    /// The option of every command that reads a credential configuration.
    pub(super) struct Credentials {
        /// credential configuration to use; overrides GOOGLE_APPLICATION_CREDENTIALS
        credentials: Option<PathBuf> = "--credentials=FILE",
    }
}

options! {
    /// The option of every command that impersonates a service account.
    pub(super) struct Delegates {
        /// service account between the caller and the target service account; in order from the caller
        delegate: Vec<String> = "--delegate=EMAIL",
    }
}

impl Delegates {
    /// The delegates of a command line.
    ///
    /// # Errors
    /// `USAGE` if one is not the name of a service account.
    fn of(values: &Values) -> Result<Vec<String>, Error> {
        let Delegates { delegate } = Delegates::read(values)?;
        delegate
            .iter()
            .try_for_each(|name| grammar::require_service_account(name, "--delegate"))?;
        Ok(delegate)
    }
}

impl Invocation {
    /// Reads the credential configuration.
    fn configuration(&self, cx: &Context) -> Result<CredentialConfig, Error> {
        let Credentials { credentials } = Credentials::read(&self.values)?;
        CredentialConfig::read(credentials, cx)
    }
}

/// Gets the federated token that impersonates the service account of a configuration.
fn service_account<'a>(
    config: &'a CredentialConfig,
    invocation: &Invocation,
    cx: &Context,
) -> Result<ServiceAccount<'a>, Error> {
    let delegates = Delegates::of(&invocation.values)?;
    ServiceAccount::new(config, delegates, || client::federated(config, CLOUD_PLATFORM, cx))
}
