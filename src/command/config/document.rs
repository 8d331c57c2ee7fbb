//! The configuration as JSON, with the members that gcloud writes, in the same order.
//! <https://google.aip.dev/auth/4117>

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Options;
use crate::configuration::GOOGLEAPIS;
use crate::configuration::credential_source::{INTERACTIVE_TIMEOUTS_MS, TIMEOUT_MS, TIMEOUTS_MS};
use crate::configuration::pool_provider::PoolProvider;
use crate::error::{Error, Kind};
use crate::options::{self, Seconds};
use crate::source::trust::{Provider, Trust};
use crate::token::TokenType;

/// The members of a configuration.
pub(super) const MEMBERS: [&str; 10] = [
    "universe_domain",
    "type",
    "audience",
    "subject_token_type",
    "token_url",
    "credential_source",
    "workforce_pool_user_project",
    "service_account_impersonation_url",
    "service_account_impersonation",
    "token_info_url",
];

/// How long a client waits for a user by default, in milliseconds.
const INTERACTIVE_TIMEOUT_MS: u64 = 300_000;

/// How much longer the client waits than this program runs, in milliseconds, so that this program
/// reports its own timeout.
const HEAD_START_MS: u64 = 5_000;

/// Builds the configuration with this `credential_source`.
///
/// # Errors
/// `USAGE` if options cannot be used together.
pub(super) fn of(
    options: &Options,
    common: &options::Options,
    source: Value,
    provider: &PoolProvider,
    trust: &Trust,
) -> Result<Value, Error> {
    let universe = options.universe_domain.as_deref().unwrap_or(GOOGLEAPIS);
    let token_type = token_type(common, provider, trust)?;
    let domain = match token_type {
        TokenType::Mtls => &format!("mtls.{universe}"),
        _ => universe,
    };
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
    set("universe_domain", universe.into());
    set("type", "external_account".into());
    set("audience", provider.name().into());
    set("subject_token_type", token_type.urn().into());
    set("token_url", format!("https://sts.{domain}/v1/token").into());
    set("credential_source", source);
    if let Some(project) = user_project(options, provider, trust)? {
        set("workforce_pool_user_project", project.into());
    }
    impersonation(options, domain, &mut config)?;
    Ok(config.into())
}

fn usage(what: &str, fix: &str) -> Error {
    Error::new(Kind::Usage, what).fix(fix)
}

/// `subject_token_type`: the value of `--token-type`, or the type that the source returns.
///
/// # Errors
/// `USAGE` if `--token-type` is not known.
pub(super) fn token_type(
    common: &options::Options,
    provider: &PoolProvider,
    trust: &Trust,
) -> Result<TokenType, Error> {
    match (&common.token_type, trust.token_type) {
        (Some(name), _) => TokenType::parse(name).ok_or_else(|| {
            usage("--token-type is not a known token type", &TokenType::fix_for_unknown())
        }),
        (None, None | Some(TokenType::Jwt)) if provider.project.is_none() => Ok(TokenType::IdToken),
        (None, token_type) => Ok(token_type.unwrap_or(TokenType::Jwt)),
    }
}

/// The project to bill, for a workforce pool.
fn user_project<'a>(
    options: &'a Options,
    provider: &PoolProvider,
    trust: &Trust,
) -> Result<Option<&'a str>, Error> {
    match (options.workforce_pool_user_project.as_deref(), &provider.project) {
        (_, None) if matches!(trust.provider, Provider::Aws { .. }) => Err(usage(
            "a workforce pool does not accept signed AWS requests",
            "remove --mode=caller-identity",
        )),
        (None, None) => Err(usage(
            "--workforce-pool-user-project is required for a workforce pool",
            "add --workforce-pool-user-project=NUMBER",
        )),
        (Some(_), Some(_)) => Err(usage(
            "--workforce-pool-user-project is only for workforce pools",
            "remove --workforce-pool-user-project",
        )),
        (project, _) => Ok(project),
    }
}

/// Sets the members about the service account, or `token_info_url` if there is none.
fn impersonation(
    options: &Options,
    domain: &str,
    config: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
    match (&options.service_account, options.service_account_lifetime) {
        (Some(account), lifetime) => {
            let accounts = format!("https://iamcredentials.{domain}/v1/projects/-/serviceAccounts");
            let url = format!("{accounts}/{account}:generateAccessToken");
            set("service_account_impersonation_url", url.into());
            if let Some(Seconds(lifetime)) = lifetime {
                let lifetime = json!({ "token_lifetime_seconds": lifetime });
                set("service_account_impersonation", lifetime);
            }
        }
        (None, Some(_)) => {
            return Err(usage(
                "--service-account-lifetime requires --service-account",
                "add --service-account=EMAIL",
            ));
        }
        (None, None) => {
            set("token_info_url", format!("https://sts.{domain}/v1/introspect").into());
        }
    }
    Ok(())
}

/// Builds the `credential_source` that runs a command line. The client waits longer than this
/// program runs.
///
/// # Errors
/// `USAGE` if `--timeout` is longer than any client waits.
pub(super) fn executable(
    line: &str,
    timeout: Option<Duration>,
    output_file: Option<&str>,
    interactive: bool,
) -> Result<Value, Error> {
    let timeout = timeout.map(|timeout| timeout.as_secs());
    let timeout =
        timeout.map_or(0, |seconds| seconds.saturating_mul(1000).saturating_add(HEAD_START_MS));
    let longest = *TIMEOUTS_MS.end();
    if timeout > longest && !interactive {
        let most = (longest - HEAD_START_MS) / 1000;
        let what = "--timeout is longer than any client waits";
        return Err(usage(what, &format!("set --timeout to at most {most}")));
    }
    let mut executable = Map::new();
    executable.insert("command".to_owned(), line.into());
    let wait = timeout.clamp(TIMEOUT_MS, longest);
    executable.insert("timeout_millis".to_owned(), wait.into());
    if let Some(path) = output_file {
        executable.insert("output_file".to_owned(), path.into());
    }
    if interactive {
        let wait = timeout.clamp(INTERACTIVE_TIMEOUT_MS, *INTERACTIVE_TIMEOUTS_MS.end());
        executable.insert("interactive_timeout_millis".to_owned(), wait.into());
    }
    Ok(json!({ "executable": executable }))
}

/// Builds the `credential_source` for clients that only read a file.
pub(super) fn file(path: &str) -> Value {
    json!({ "file": path, "format": { "type": "text" } })
}
