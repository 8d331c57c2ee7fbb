//! The configuration as JSON, with the members that gcloud writes, in its order.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Options;
use super::command_line::forward;
use crate::configuration::GOOGLEAPIS;
use crate::configuration::credential_source::TIMEOUT_MS;
use crate::configuration::pool_provider::PoolProvider;
use crate::error::{Error, Kind};
use crate::options::{self, Seconds};
use crate::source::trust::{Provider, Trust};
use crate::token::TokenType;

/// How long a client waits for a person, and may wait, in milliseconds.
const INTERACTIVE_TIMEOUT_MS: u64 = 300_000;
const LONGEST_INTERACTIVE_TIMEOUT_MS: u64 = 1_800_000;

/// How long a client waits for a program at most, in milliseconds.
const LONGEST_TIMEOUT_MS: u64 = 120_000;

/// How much longer a client waits than this program tries, in milliseconds.
const HEAD_START_MS: u64 = 5_000;

/// The configuration that runs this command line.
///
/// # Errors
/// `USAGE` for options that do not go together, or a longer wait than any client's.
pub(super) fn of(
    options: &Options,
    common: &options::Options,
    line: &str,
    output_file: Option<&Path>,
    provider: &PoolProvider,
    trust: &Trust,
) -> Result<Value, Error> {
    let usage = |what: &str, fix: &str| Err(Error::new(Kind::Usage, what).fix(fix));
    let universe = options.universe_domain.as_deref().unwrap_or(GOOGLEAPIS);
    let token_type = match (common.token_type.as_deref().map(TokenType::parse), trust.token_type) {
        (Some(Some(token_type)), _) => token_type,
        (Some(None), _) => return usage("--token-type is unknown", "it is a URN, such as …:jwt"),
        (None, None | Some(TokenType::Jwt)) if provider.project.is_none() => TokenType::IdToken,
        (None, token_type) => token_type.unwrap_or(TokenType::Jwt),
    };
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
    set("universe_domain", universe.into());
    set("type", "external_account".into());
    set("audience", provider.name().into());
    set("subject_token_type", token_type.urn().into());
    set("token_url", format!("https://sts.{universe}/v1/token").into());
    let executable = executable(
        line,
        common.timeout.map(|timeout| timeout.as_secs()),
        output_file,
        trust.interactive,
    )?;
    set("credential_source", json!({ "executable": executable }));
    match (options.workforce_pool_user_project.as_deref(), &provider.project) {
        (_, None) if matches!(trust.provider, Provider::Aws { .. }) => {
            let what = "a workforce pool takes no signed AWS requests";
            return usage(what, "leave out --mode=caller-identity");
        }
        (Some(project), None) => {
            set("workforce_pool_user_project", project.into());
        }
        (None, None) => {
            let fix = "add --workforce-pool-user-project=NUMBER";
            return usage("a workforce pool needs a project that pays for requests", fix);
        }
        (Some(_), Some(_)) => {
            let what = "--workforce-pool-user-project is for workforce pools";
            return usage(what, "leave it out");
        }
        (None, Some(_)) => {}
    }
    match (&options.service_account, options.service_account_lifetime) {
        (Some(account), lifetime) => {
            let accounts =
                format!("https://iamcredentials.{universe}/v1/projects/-/serviceAccounts");
            let url = format!("{accounts}/{account}:generateAccessToken");
            set("service_account_impersonation_url", url.into());
            if let Some(Seconds(lifetime)) = lifetime {
                let lifetime = json!({ "token_lifetime_seconds": lifetime });
                set("service_account_impersonation", lifetime);
            }
        }
        (None, Some(_)) => {
            let what = "--service-account-lifetime is for --service-account";
            return usage(what, "add --service-account=EMAIL");
        }
        (None, None) => {
            set("token_info_url", format!("https://sts.{universe}/v1/introspect").into());
        }
    }
    Ok(config.into())
}

/// The executable, with a client that waits longer than this program tries.
fn executable(
    line: &str,
    timeout: Option<u64>,
    output_file: Option<&Path>,
    interactive: bool,
) -> Result<Map<String, Value>, Error> {
    let timeout = timeout.map_or(0, |seconds| seconds.saturating_mul(1000) + HEAD_START_MS);
    if timeout > LONGEST_TIMEOUT_MS && !interactive {
        return Err(Error::new(Kind::Usage, "no client waits for so long a --timeout")
            .fix("lower it to 115 at most"));
    }
    let mut executable = Map::new();
    executable.insert("command".to_owned(), line.into());
    let wait = timeout.clamp(TIMEOUT_MS, LONGEST_TIMEOUT_MS);
    executable.insert("timeout_millis".to_owned(), wait.into());
    if let Some(path) = output_file {
        let path = forward(&path.display().to_string());
        executable.insert("output_file".to_owned(), path.into());
    }
    if interactive {
        let wait = timeout.clamp(INTERACTIVE_TIMEOUT_MS, LONGEST_INTERACTIVE_TIMEOUT_MS);
        executable.insert("interactive_timeout_millis".to_owned(), wait.into());
    }
    Ok(executable)
}
