//! A credential configuration for a source, and the `gcloud` commands that make Google trust it.
//!
//! The file has the members that `gcloud iam workload-identity-pools create-cred-config` writes, in
//! its order. Its command line is split alike by every client; where a value needs more than that,
//! the arguments stand in a file beside it.

mod command_line;
mod document;

use std::io;
use std::path::{Path, PathBuf};

use self::command_line::Command;
pub(super) use self::command_line::is_portable;
use super::{CommandInfo, Invocation, Output};
use crate::configuration::GOOGLEAPIS;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::contract::request;
use crate::error::{Error, Kind};
use crate::files::{self, absolute};
use crate::google::iam_credentials::binding;
use crate::options::Seconds;
use crate::shell::quoted;
use crate::source::trust::{Provider, Trust};
use crate::token::Audience;

options! {
    /// Options of `config`.
    struct Options {
        /// its name, projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/ID
        pool_provider: String = "--pool-provider=NAME",
        /// the service account to impersonate
        service_account: Option<String> = "--service-account=EMAIL",
        /// how long its access tokens live
        service_account_lifetime: Option<Seconds<600, 43_200>> = "--service-account-lifetime",
        /// the project that pays for requests, for a workforce pool
        workforce_pool_user_project: Option<String> = "--workforce-pool-user-project=NUMBER",
        /// another universe than googleapis.com
        universe_domain: Option<String> = "--universe-domain=DOMAIN",
        /// where wif-token is on the hosts that use the configuration; by default where it is here
        program: Option<PathBuf> = "--program=PATH",
        /// write the configuration there and print the gcloud commands
        out: Option<PathBuf> = "--out=FILE",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "config",
    summary: "a credential configuration for a source, with its gcloud commands",
    options: &[Options::TABLE],
    of_source: true,
    run,
};

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&typed.values)?;
    let common = crate::options::Options::new(&typed.values);
    let info = typed.source.ok_or_else(|| Error::new(Kind::Usage, "no source is named"))?;
    let provider = PoolProvider::parse(&full_name(&options.pool_provider))
        .map_err(|error| error.of_kind(Kind::Usage))?;
    let mut trust = (info.build)(&typed.values)?.trust();
    if let Some(audience) = common.audience.as_ref().filter(|name| !provider.is_named(name)) {
        trust = trust.for_audience(audience);
    }
    let command = Command::new(typed, options.program.as_deref(), info)?;
    let out = options.out.as_deref();
    let output_file = match &common.output_file {
        Some(path) => Some(absolute(path)),
        None => private_file(&command, &provider, cx)?,
    };
    let line = match (command.line(), out) {
        (Some(line), _) => line,
        (None, Some(out)) => command.with_args_file(&out.with_extension("args"))?,
        (None, None) => {
            return Err(Error::new(Kind::Usage, "an option holds what clients split differently")
                .cause("blanks, quotes, backslashes or signs of a shell")
                .fix("add --out=FILE: the arguments go into a file beside it"));
        }
    };
    let config = document::of(&options, &common, &line, output_file.as_deref(), &provider, &trust)?;
    let config = format!("{config:#}\n");
    let Some(out) = out else { return Ok(config.into()) };
    publish(out, &config)?;
    Ok(commands(out, &provider, &trust, options.service_account.as_deref()).into())
}

/// A name as gcloud takes it, or as an audience, which is the same in every universe.
fn full_name(name: &str) -> String {
    let audience = Audience::new(name);
    let name = audience.without_scheme();
    match name.starts_with("//") {
        true => name.to_owned(),
        false => format!("//iam.{GOOGLEAPIS}/{}", name.trim_start_matches('/')),
    }
}

/// An output file for this very request in a folder of this user alone, which is made.
fn private_file(
    command: &Command,
    provider: &PoolProvider,
    cx: &Context,
) -> Result<Option<PathBuf>, Error> {
    let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_CACHE_HOME" };
    let folder = match cx.env.text(variable)? {
        Some(folder) => PathBuf::from(folder),
        None => match cx.env.home()? {
            Some(home) => home.join(".cache"),
            None => return Ok(None),
        },
    };
    let folder = absolute(&folder.join("wif-token"));
    files::private_folder(&folder).map_err(|error| not_written(&folder, &error))?;
    let name = provider.name();
    let words = command.words().chain([name.as_str()]).map(str::as_bytes);
    let digest = request::digest(words);
    let digest = digest.get(..16).unwrap_or_default();
    Ok(Some(folder.join(format!("{}-{digest}.json", command.source))))
}

fn publish(path: &Path, text: &str) -> Result<(), Error> {
    files::publish(path, text.as_bytes()).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Configuration, format!("cannot write {}", path.display()))
        .cause(error)
        .fix("choose another --out or --output-file")
}

/// The commands for an administrator of the Google Cloud project.
fn commands(out: &Path, provider: &PoolProvider, trust: &Trust, account: Option<&str>) -> String {
    let (group, pool) = (provider.gcloud_group(), provider.pool_path());
    let owner = if provider.project.is_none() { " --organization=NUMBER" } else { "" };
    let create = provider.gcloud(&format!("create-{}", trust.provider.kind()));
    let options = provider_options(provider, trust);
    let (note, member) = match (&trust.principal, &trust.provider) {
        (Some(subject), _) => ("", provider.principal(subject)),
        (None, Provider::Aws { .. }) => {
            let role = "arn:aws:sts::ACCOUNT:assumed-role/ROLE";
            ("", provider.principal_set("attribute.aws_role", role))
        }
        (None, _) => (" (wif-token check shows the SUBJECT)", provider.principal("SUBJECT")),
    };
    let grant = match account {
        Some(account) => format!(
            "# The right to impersonate{note}:\n{}\n",
            binding(account, "workloadIdentityUser", &member)
        ),
        None => format!(
            "# The roles of the workload itself{note}:\ngcloud projects add-iam-policy-binding \
             PROJECT --role=ROLE {}\n",
            quoted(&format!("--member={member}"))
        ),
    };
    let written = out.display();
    format!(
        "# {written} is written. The pool:\n\
         gcloud iam {group} create {pool}{owner}\n\
         # The provider in it:\n{create} {options}\n{grant}"
    )
}

/// The options of the command that creates the provider. The provider of a workforce pool has a client
/// id in place of allowed audiences.
fn provider_options(provider: &PoolProvider, trust: &Trust) -> String {
    let mut options = Vec::new();
    match &trust.provider {
        Provider::Oidc { issuer, audience, jwks } => {
            options.push(format!("--issuer-uri={issuer}"));
            options.extend(jwks.as_ref().map(|path| format!("--jwk-json-path={}", path.display())));
            if provider.project.is_none() {
                options.push(format!("--client-id={}", audience.as_deref().unwrap_or("AUD")));
                options.push("--web-sso-response-type=id-token".to_owned());
                options.push("--web-sso-assertion-claims-behavior=only-id-token-claims".to_owned());
            } else if let Some(audience) = audience {
                options.push(format!("--allowed-audiences={audience}"));
            }
        }
        Provider::Saml { metadata } => {
            options.push(format!("--idp-metadata-path={}", metadata.display()));
        }
        Provider::Aws { account } => options.push(format!("--account-id={account}")),
    }
    if !matches!(trust.provider, Provider::Aws { .. }) {
        // For AWS gcloud has a default mapping.
        options.push(format!("--attribute-mapping=google.subject={}", trust.subject));
    }
    options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(" ")
}
