//! What `exec` and `serve` have in common: their options, and the tokens of the metadata server.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Invocation;
use crate::client;
use crate::client::credentials::{Credentials, Origin};
use crate::client::executable::Allowed;
use crate::client::subject_token;
use crate::configuration::CredentialConfig;
use crate::configuration::certificate_config::CertificateConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::google::access_token::{AccessToken, MIN_LIFE};
use crate::google::{gcloud, scopes};
use crate::http;
use crate::options::grammar::{is_project, require};
use crate::options::{KeyRef, Options as Common};
use crate::server::{AllowedUsers, Fetch, Identity, Settings, Wanted};
use crate::token::{TokenType, jwt};
use crate::world::{Clock, Deadline, World};

options! {
    /// Options of both commands.
    pub(super) struct Options {
        /// ID of the project (default: the project of the service account)
        project: Option<String> = "--project=ID",
        /// number of the project (default: the project of the workload identity pool)
        project_number: Option<String> = "--project-number=NUMBER",
        /// OAuth scopes for requests that do not specify scopes, separated by commas (default:
        /// cloud-platform)
        scope: Option<String> = "--scope=SCOPE",
    }
}

/// How long the metadata server serves a subject token whose expiry is not known, in seconds.
const UNKNOWN_LIFE: i64 = 60;

/// Creates the settings of the server, which has the address `own` if it is known. The credentials
/// are validated, but no token is fetched.
///
/// # Errors
/// `USAGE` if an option has a wrong value, `CONFIGURATION` if executables are not allowed but required,
/// and those of [`Credentials::find`].
pub(super) fn settings(
    invocation: &Invocation,
    own: Option<SocketAddr>,
    cx: &Context,
) -> Result<Settings, Error> {
    let options = Options::read(&invocation.values)?;
    if let Some(project) = &options.project {
        require(is_project(project), "--project", "is not a project ID", "my-project")?;
    }
    let number = options.project_number.as_ref().map(|text| text.parse::<u64>());
    let is_number = !matches!(number, Some(Err(_)));
    require(is_number, "--project-number", "is not a number", "123456789012")?;
    let credentials = invocation.credentials(cx)?;
    if let Origin::ExternalAccount(config) = &credentials.origin {
        require_opt_in(config, cx)?;
    }
    let email = match (credentials.hops.last(), &credentials.origin) {
        (Some(hop), _) => hop.account.account.clone(),
        (None, Origin::MetadataServer(server)) => server.email(cx)?,
        (None, _) => "default".to_owned(),
    };
    let identity = Identity {
        project: options.project.or_else(|| gcloud::project(&email)),
        project_number: number.and_then(Result::ok).or_else(|| pool_project(&credentials)),
        universe: credentials.universe().to_owned(),
        scopes: scopes(options.scope.as_deref()),
        email,
    };
    let common = Common::new(&invocation.values);
    let timeout = common.timeout();
    let (values, world) = (Arc::new(invocation.values.clone()), World::clone(cx));
    let fetch: Fetch = Arc::new(move |wanted, reuses_cache| {
        files::forget_seen();
        // The credentials are read each time, because their file may have changed.
        let common = Common::new(&values);
        let deadline = Deadline::after(common.timeout());
        let http = http::Settings { own, ..common.http };
        let cx = Context::new(World { deadline, ..world.clone() }, http, client::ID_TOKENS);
        let mut credentials = Credentials::find(&values, &cx)?;
        credentials.reuses_cache = reuses_cache;
        token(&credentials, wanted, &cx)
    });
    Ok(Settings {
        identity,
        fetch,
        secret: None,
        users: AllowedUsers::new(&[])?,
        timeout,
        log: cx.log.clone(),
    })
}

/// Checks that the executable may be run, or the module loaded. Otherwise, the clients of the
/// server would never get a token.
fn require_opt_in(config: &CredentialConfig, cx: &Context) -> Result<(), Error> {
    match &config.source {
        CredentialSource::Executable { .. } => Allowed::by(&cx.env).map(|_| ()),
        CredentialSource::Certificate(source) => {
            let found = CertificateConfig::find(source, cx)?;
            match found.key {
                KeyRef::Token(_) => Allowed::module(&found.path, &cx.env).map(|_| ()),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// The number of the project of the workload identity pool.
fn pool_project(credentials: &Credentials) -> Option<u64> {
    let Origin::ExternalAccount(config) = &credentials.origin else { return None };
    PoolProvider::parse(&config.audience).ok()?.project?.parse().ok()
}

fn token(credentials: &Credentials, wanted: &Wanted, cx: &Context) -> Result<AccessToken, Error> {
    match (wanted, &credentials.origin) {
        (Wanted::Access(scopes), _) => credentials.access_token(scopes, MIN_LIFE, cx),
        (Wanted::Identity(audience, is_full), _) => {
            credentials.id_token(audience, *is_full, "the audience", cx)
        }
        (Wanted::Subject(_), Origin::ExternalAccount(config))
            if config.token_type == TokenType::Mtls =>
        {
            let what = "the subject token is a certificate, which clients must present themselves";
            Err(Error::new(Kind::Configuration, what)
                .fix("use the access tokens and ID tokens of this server"))
        }
        (Wanted::Subject(_), Origin::ExternalAccount(config)) => {
            let text = subject_token::get(config, cx)?;
            let expiry = jwt::expiry(text.expose()).unwrap_or(Clock.now() + UNKNOWN_LIFE);
            // The margin of the output file already spreads the renewal.
            Ok(AccessToken { text, expiry, issued: i64::MIN, member: None })
        }
        (Wanted::Subject(_), _) => {
            let what = "the credentials do not provide a subject token";
            Err(Error::new(Kind::Configuration, what)
                .fix("set --credentials to a file of type external_account"))
        }
    }
}
