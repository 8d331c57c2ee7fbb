//! `access-token`: an access token for Google Cloud APIs.
//!
//! It is the token of the service account that the configuration impersonates, or the federated
//! token if there is none. With `--subject` it is the token of a user, through domain-wide
//! delegation. A federated token that only serves to impersonate has the scope `cloud-platform`, as
//! with Google's libraries. <https://cloud.google.com/iam/docs/workload-identity-federation>

use std::path::PathBuf;

use super::{CommandInfo, Credentials, Delegates, Invocation, Output};
use crate::cache::{self, CachedFile, Fetching, Obtained};
use crate::client;
use crate::configuration::CredentialConfig;
use crate::configuration::GOOGLEAPIS;
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::{AccessToken, is_cache_file};
use crate::google::domain_wide_delegation;
use crate::google::service_account::ServiceAccount;
use crate::http::Url;
use crate::options::{Format, OptionInfo, Seconds};
use crate::show;

options! {
    /// Options of `access-token`.
    struct Options {
        /// OAuth scopes, separated by commas (default: cloud-platform)
        scope: Option<String> = "--scope=SCOPE",
        /// lifetime of the service account's token; overrides the configuration
        lifetime: Option<Seconds<600, 43_200>> = "--lifetime",
        /// get a token of this user through domain-wide delegation to the service account
        subject: Option<String> = "--subject=USER",
        /// token endpoint for --subject (default: https://oauth2.googleapis.com/token)
        oauth_endpoint: Option<Url> = "--oauth-endpoint",
        /// cache the token in this file, and reuse it until it expires
        cache_file: Option<PathBuf> = "--cache-file=PATH",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "access-token",
    also: &["token", "get-token", "print-access-token", "print-token", "exchange"],
    summary: "print an access token, of the service account if the configuration has one",
    options: &[Credentials::TABLE, Options::TABLE, Delegates::TABLE, FORMAT],
    of_source: false,
    example: "wif-token access-token --credentials=credentials.json --format=header",
    run,
};

choices! {
    /// How a token is printed.
    enum Shape {
        /// Only the token.
        Text = "text",
        /// A JSON object.
        Json = "json",
        /// `Authorization: Bearer …`.
        Header = "header",
    }
}

/// `--format` of the commands that print a bearer token. The value is read as a [`Format`].
pub(super) const FORMAT: &[OptionInfo] = &[OptionInfo::of::<Option<Shape>>(
    "--format",
    &["print only the token (default), a JSON object, or an Authorization header"],
)];

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let cache_file = options.cache_file.clone();
    let request = TokenRequest::new(options, Delegates::of(&invocation.values)?)?;
    let config = invocation.configuration(cx)?;
    let digest = request.digest(&config, cx);
    let cache_file = cache_file.filter(|path| !files::is_stdout(path));
    let file = cache_file.map(|path| CachedFile::new(path, "--cache-file", digest, is_cache_file));
    let get = || request.get(&config, cx);
    let fetching = Fetching { fetch: &get, remembers_refusals: false };
    let token = match cache::obtain(file.as_ref(), true, cx, &fetching)? {
        Obtained::Cached(token) => token,
        Obtained::New(token, _lock) => {
            if let Some(file) = &file {
                file.try_write(&token, cx);
            }
            token
        }
    };
    Ok(match invocation.format {
        Format::Json => token.to_json() + "\n",
        Format::Text => token.text.expose().to_owned(),
        Format::Header => format!("Authorization: Bearer {}", token.text.expose()),
    }
    .into())
}

/// The requested token, without the form in which it is printed.
#[derive(Debug)]
struct TokenRequest {
    scopes: Vec<String>,
    lifetime: Option<u64>,
    delegates: Vec<String>,
    subject: Option<String>,
    oauth_endpoint: Option<Url>,
}

impl TokenRequest {
    fn new(options: Options, delegates: Vec<String>) -> Result<TokenRequest, Error> {
        if options.subject.is_some() && options.lifetime.is_some() {
            return Err(Error::new(
                Kind::Usage,
                "--lifetime and --subject cannot be used together",
            )
            .fix("remove --lifetime or --subject"));
        }
        if options.oauth_endpoint.is_some() && options.subject.is_none() {
            return Err(Error::new(Kind::Usage, "--oauth-endpoint requires --subject")
                .fix("add --subject=USER"));
        }
        let scopes = options.scope.as_deref().unwrap_or(CLOUD_PLATFORM).split([',', ' ']);
        Ok(TokenRequest {
            scopes: scopes.filter(|scope| !scope.is_empty()).map(full_scope).collect(),
            lifetime: options.lifetime.map(|Seconds(seconds)| seconds),
            delegates,
            subject: options.subject,
            oauth_endpoint: options.oauth_endpoint,
        })
    }

    /// A digest of this request, of the configuration and of the identity that its source uses, for
    /// the cache file.
    fn digest(&self, config: &CredentialConfig, cx: &Context) -> String {
        let request = format!("{self:?}");
        let identity = client::subject_token::identity(config, cx);
        digest([request.as_bytes(), config.digest.as_bytes(), identity.as_bytes()].into_iter())
    }

    fn get(&self, config: &CredentialConfig, cx: &Context) -> Result<AccessToken, Error> {
        if config.impersonation.is_none() {
            self.require_service_account(config)?;
            let federated = client::federated(config, &self.scopes.join(" "), cx);
            return federated.map(|(token, _)| token);
        }
        if self.subject.is_some() && config.universe != GOOGLEAPIS {
            let what = format!("{} does not support domain-wide delegation", config.universe);
            return Err(Error::new(Kind::Configuration, what)
                .fix("remove --subject, which works only in the universe googleapis.com"));
        }
        let account = ServiceAccount::new(config, self.delegates.clone(), || {
            client::federated(config, CLOUD_PLATFORM, cx)
        })?;
        match &self.subject {
            None => Ok(account.access_token(
                &self.scopes,
                self.lifetime,
                "--scope and --lifetime",
                cx,
            )?),
            Some(user) => {
                let scope = self.scopes.join(" ");
                let endpoint = (self.oauth_endpoint.as_ref(), "--oauth-endpoint");
                domain_wide_delegation::access_token(&account, user, &scope, endpoint, cx)
            }
        }
    }

    fn require_service_account(&self, config: &CredentialConfig) -> Result<(), Error> {
        let option = match self {
            TokenRequest { subject: Some(_), .. } => "subject",
            TokenRequest { lifetime: Some(_), .. } => "lifetime",
            _ if self.delegates.is_empty() => return Ok(()),
            _ => "delegate",
        };
        let what = format!("--{option} requires a service account");
        Err(Error::new(Kind::Configuration, what)
            .cause(format!("{} does not name one", show::path(&config.path)))
            .fix(format!(
                "remove --{option}, or create the configuration with wif-token config SOURCE \
                 --service-account=EMAIL"
            )))
    }
}

/// A scope with its prefix `https://www.googleapis.com/auth/`, which a user may leave out.
fn full_scope(scope: &str) -> String {
    match scope.contains([':', '/']) || ["openid", "email", "profile"].contains(&scope) {
        true => scope.to_owned(),
        false => format!("https://www.googleapis.com/auth/{scope}"),
    }
}
