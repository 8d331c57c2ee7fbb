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
mod oidc;
pub(crate) mod url;
mod vault;

use std::fmt::Debug;
use std::time::Duration;

use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::options::{OptionInfo, Options, Values};
use crate::token::{SubjectToken, TokenType};

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

    /// What a pool provider has to know to trust the tokens of this source.
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

/// What a pool provider has to know, as `gcloud … providers create-KIND` takes it. What only the
/// environment knows stands there in capitals.
#[derive(Debug, PartialEq, Eq)]
pub struct Trust {
    /// `oidc`, `saml` or `aws`.
    pub kind: &'static str,
    /// The options that tell whom to trust.
    pub options: Vec<String>,
    /// What is mapped to `google.subject`.
    pub subject: &'static str,
    /// The subject in the tokens, where the options of the source tell.
    pub principal: Option<String>,
    /// The type of the tokens; `None` where the source passes any on.
    pub token_type: Option<TokenType>,
    /// Whether a person may have to sign in.
    pub interactive: bool,
}

impl Trust {
    /// Trust in JWTs of this issuer.
    pub fn issuer(issuer: &str) -> Trust {
        Trust {
            kind: "oidc",
            options: vec![format!("--issuer-uri={issuer}")],
            subject: "assertion.sub",
            principal: None,
            token_type: Some(TokenType::Jwt),
            interactive: false,
        }
    }

    /// The same where the audience of the tokens is not ours to choose.
    pub fn for_audience(mut self, audience: &str) -> Trust {
        self.options.push(format!("--allowed-audiences={audience}"));
        self
    }
}

/// A row of the table of sources.
#[derive(Debug)]
pub struct SourceInfo {
    /// The first word of the command line.
    pub name: &'static str,
    /// Where the token comes from, in one line.
    pub summary: &'static str,
    /// Its options beside those of every source.
    pub options: &'static [OptionInfo],
    /// What stands after `--`, where it takes that.
    pub rest: Option<&'static str>,
    /// Checks the options and builds the source, without touching the world.
    pub build: fn(&Values) -> Result<Box<dyn Source>, Error>,
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
