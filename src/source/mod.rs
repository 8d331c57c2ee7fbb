//! Where subject tokens come from: one file or folder and one row of [`SOURCES`] each.

mod adfs;
mod aws;
mod azure;
mod ci;
mod command;
pub mod command_line;
mod env;
pub mod fetch;
pub(crate) mod field;
pub(crate) mod file;
mod key;
mod kubernetes;
pub mod lookup;
mod oidc;
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

/// A source, built from its options and ready to be asked.
pub trait Source: Debug {
    /// Gets a subject token for this request. Every wait ends before the deadline of `cx`.
    ///
    /// # Errors
    /// `ABSENT` where what the source reads does not exist in this environment; otherwise by kind.
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error>;

    /// What a pool provider must know to trust the tokens of this source.
    fn trust(&self) -> Trust {
        Trust { token_type: None, ..Trust::issuer("ISSUER") }
    }

    /// How long a run for this request may last where `--timeout` does not say.
    fn timeout(&self, _request: &SubjectTokenRequest) -> Duration {
        Options::TIMEOUT
    }

    /// Forgets what the source keeps beside the output file, such as a refresh token.
    ///
    /// # Errors
    /// Those of what has to be removed or revoked.
    fn forget(&self, _request: &SubjectTokenRequest, _cx: &Context) -> Result<(), Error> {
        Ok(())
    }
}

/// A row of the table of sources.
#[derive(Debug)]
pub struct SourceInfo {
    /// The first word of the command line.
    pub name: &'static str,
    /// Where the token comes from, in one line.
    pub summary: &'static str,
    /// The tables of its options, besides those of every source.
    pub options: &'static [&'static [OptionInfo]],
    /// What stands after `--`, where it takes that.
    pub rest: Option<&'static str>,
    /// A command line that shows typical options. Long ones have more than one line.
    pub example: &'static str,
    /// Checks the options and builds the source, without touching the world.
    pub build: fn(&Values) -> Result<Box<dyn Source>, Error>,
}

impl SourceInfo {
    /// Its options, besides those of every source.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionInfo> + use<> {
        self.options.iter().copied().flatten()
    }
}

/// Every source.
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
    key::INFO,
];

/// The source of this name.
pub fn find(name: &str) -> Option<&'static SourceInfo> {
    SOURCES.iter().find(|source| source.name == name)
}
