//! The sources of subject tokens. Each source is one file or folder and one row of [`SOURCES`].

mod adfs;
pub mod aws;
mod azure;
mod ci;
mod command;
pub mod command_line;
mod env;
pub mod fetch;
pub(crate) mod field;
pub(crate) mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod google;
mod key;
pub(crate) mod kubernetes;
mod oidc;
pub mod slips;
pub mod trust;
pub(crate) mod url;
mod vault;

pub use self::trust::Trust;

use std::fmt::Debug;
use std::time::Duration;

use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::options::{OptionInfo, Options, Values};
use crate::token::SubjectToken;

/// A source whose options have been read and checked.
pub trait Source: Debug {
    /// Gets a subject token for this request. No wait exceeds the deadline of `cx`.
    ///
    /// # Errors
    /// `ABSENT` if this environment does not have what the source reads, such as a variable or a
    /// file. All other kinds are possible; see [`Kind`](crate::error::Kind).
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error>;

    /// The settings with which a pool provider trusts the tokens of this source.
    fn trust(&self) -> Trust {
        Trust { token_type: None, ..Trust::unknown_issuer() }
    }

    /// The default of `--timeout` for this request.
    fn timeout(&self, _request: &SubjectTokenRequest) -> Duration {
        Options::TIMEOUT
    }

    /// Identifies the credentials that the source finds in this context; `None` if its options and
    /// variables already identify them.
    ///
    /// # Errors
    /// `CONFIGURATION` if the credentials cannot be read.
    fn identity(&self, _cx: &Context) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// The text that the source prints instead of a token, if an option requests it.
    ///
    /// # Errors
    /// The errors of [`Source::subject_token`].
    fn instead(&self, _cx: &Context) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// Removes and revokes what the source stores in addition to the output file, such as a refresh
    /// token.
    ///
    /// # Errors
    /// The errors of the removal and of the revocation.
    fn forget(&self, _request: &SubjectTokenRequest, _cx: &Context) -> Result<(), Error> {
        Ok(())
    }
}

/// A row of [`SOURCES`].
#[derive(Debug)]
pub struct SourceInfo {
    /// The first word of the command line.
    pub name: &'static str,
    /// Other words that a user may try first.
    pub also: &'static [&'static str],
    /// Where the token comes from, in one line of the help.
    pub summary: &'static str,
    /// The tables of its own options. The options that all sources share are not included.
    pub options: &'static [&'static [OptionInfo]],
    /// The placeholder for the words after `--`; `None` if the source accepts no such words.
    pub rest: Option<&'static str>,
    /// The environment variables that select the identity, and all other variables that the source
    /// reads. The digest of a request covers their values; a source that reads another variable
    /// panics in a debug build. Variables that an option names (`env:NAME`) are added. `PATH` and
    /// the variables for proxies do not select an identity and are always allowed.
    pub variables: &'static [&'static str],
    /// A command line that shows typical options. Long ones have more than one line.
    pub example: &'static str,
    /// Checks the options and builds the source, without I/O.
    pub build: fn(&Values) -> Result<Box<dyn Source>, Error>,
}

impl SourceInfo {
    /// The options of this source. The options that all sources share are not included.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.options.iter().copied().flatten()
    }
}

/// All sources, in the order of the help.
pub static SOURCES: &[SourceInfo] = &[
    file::INFO,
    url::INFO,
    env::INFO,
    command::INFO,
    ci::INFO,
    ci::github::INFO,
    ci::azure_pipelines::INFO,
    oidc::INFO,
    vault::INFO,
    aws::INFO,
    azure::INFO,
    adfs::INFO,
    kubernetes::INFO,
    google::INFO,
    key::INFO,
];

/// The source with this name.
pub fn find(name: &str) -> Option<&'static SourceInfo> {
    SOURCES.iter().find(|source| source.name == name)
}
