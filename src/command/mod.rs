//! What follows the subject token: one file or folder and one row of [`COMMANDS`] each.
//!
//! A command reads the credential configuration that the Google clients read, and goes their way
//! without one: exchange at the Security Token Service, impersonation, signatures.

mod access_token;
mod check;
mod config;
mod id_token;
mod sign;

use crate::client;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Error;
use crate::google::CLOUD_PLATFORM;
use crate::google::iam_credentials::ServiceAccount;
use crate::options::{Format, OptionInfo, Takes, Values};
use crate::source::SourceInfo;

/// A row of the table of commands.
#[derive(Debug)]
pub struct CommandInfo {
    /// The first word of the command line.
    pub name: &'static str,
    /// What it gives, in one line.
    pub summary: &'static str,
    /// Its options beside those of every command.
    pub options: &'static [OptionInfo],
    /// Whether a source and its options follow its name.
    pub of_source: bool,
    /// Runs it.
    pub run: fn(&Invocation, &Context) -> Result<Output, Error>,
}

/// What was typed.
#[derive(Debug)]
pub struct Invocation {
    /// The options.
    pub values: Values,
    /// `--format`.
    pub format: Format,
    /// The source, where the command takes one.
    pub source: Option<&'static SourceInfo>,
}

/// What a command says, and its exit status.
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

/// The command of this name.
pub fn find(name: &str) -> Option<&'static CommandInfo> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Where the credential configuration is.
const CREDENTIALS: OptionInfo = OptionInfo::new(
    "credentials",
    Takes::Path("FILE"),
    "the credential configuration, before GOOGLE_APPLICATION_CREDENTIALS",
);

/// The accounts between this workload and the last one.
const DELEGATE: OptionInfo = OptionInfo::new(
    "delegate",
    Takes::Text("EMAIL"),
    "impersonate through this service account first, in this order",
)
.repeated();

/// Goes up to the service account of a configuration.
fn service_account<'a>(
    config: &'a CredentialConfig,
    typed: &Invocation,
    cx: &Context,
) -> Result<ServiceAccount<'a>, Error> {
    let delegates = typed.values.texts("delegate").map(str::to_owned).collect();
    ServiceAccount::new(config, delegates, || client::federated(config, CLOUD_PLATFORM, cx))
}
