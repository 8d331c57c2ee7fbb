//! `config`: creates a credential configuration for a source, and the `gcloud` commands that make
//! Google trust that source.
//!
//! The file has the members that `gcloud iam workload-identity-pools create-cred-config` writes, in
//! the same order. Its command line is one that all clients split in the same way. If an argument
//! does not allow that, all arguments are written to a file next to the configuration.

mod certificate;
mod document;
mod executable_command;
mod gcloud;
mod host;
mod output_file;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::executable_command::ExecutableCommand;
pub(super) use self::executable_command::is_portable;
use self::host::HostSystem;
use super::{After, CommandInfo, Invocation};
use crate::configuration::GOOGLEAPIS;
use crate::configuration::pool_provider::{LONGEST_SUBJECT, PoolProvider};
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind, one_line};
use crate::files;
use crate::files::ownership::{Existing, Refusal};
use crate::http::Url;
use crate::options::grammar::{self, is_domain, is_label, is_project};
use crate::options::{self, Format, Seconds};
use crate::show;
use crate::source::Trust;
use crate::source::trust::Provider;
use crate::token::{Audience, TokenType};

options! {
    /// Options of `config`.
    struct Options {
        /// resource name of the pool provider, such as
        /// projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER
        pool_provider: String = "--pool-provider=NAME",
        /// service account to impersonate
        service_account: Option<String> = "--service-account=EMAIL",
        /// lifetime of the access tokens of the service account
        service_account_lifetime: Option<Seconds<600, 43_200>> = "--service-account-lifetime",
        /// project to bill for API requests; required for a workforce pool
        workforce_pool_user_project: Option<String> = "--workforce-pool-user-project=NUMBER",
        /// universe domain (default: googleapis.com)
        universe_domain: Option<String> = "--universe-domain=DOMAIN",
        /// path of wif-token on the hosts that use the configuration (default: the path of this
        /// program; required with --for-os)
        program: Option<PathBuf> = "--program=PATH",
        /// operating system of the hosts that use the configuration, if it differs from that of this
        /// host; paths are then written unchanged
        for_os: Option<HostSystem> = "--for-os",
        /// write a configuration for clients that do not run executables; they read --output-file,
        /// which another process must renew
        file_sourced: bool = "--file-sourced",
        /// write the configuration to this file and print the gcloud commands
        out: Option<PathBuf> = "--out=FILE",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "config",
    also: &["configure", "configuration", "create-cred-config", "init", "setup"],
    summary: "create a credential configuration and the gcloud commands for a source",
    options: &[Options::TABLE],
    after: After::Source,
    own_source: Some(&certificate::INFO),
    rest: None,
    example: "wif-token config file --path=/run/secrets/token \\\n  --pool-provider=\"$POOL_PROVIDER\" --out=credentials.json",
    run,
};

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let common = options::Options::new(&invocation.values);
    let info = invocation.source.ok_or_else(|| {
        Error::new(Kind::Usage, "config requires a source").fix("run wif-token config SOURCE")
    })?;
    let provider = PoolProvider::parse_value(&full_name(&options.pool_provider), "--pool-provider")
        .map_err(|error| error.of_kind(Kind::Usage))?;
    check_grammar(&options, &provider)?;
    if info.name == certificate::INFO.name {
        return certificate::run(&options, &provider, invocation, cx);
    }
    let mut trust = of_type(&common, (info.build)(&invocation.values)?.trust());
    check_trust(&trust)?;
    if let Some(audience) = common.audience.as_ref().filter(|name| !provider.is_named(name)) {
        trust = trust.for_audience(audience);
    }
    let os = options.for_os;
    let command =
        ExecutableCommand::new(invocation, options.program.as_deref(), info, os, &cx.env)?;
    let out = options.out.as_deref().filter(|path| !files::is_stdout(path));
    let output_file = match &common.output_file {
        Some(path) => Some(host::path(path, "--output-file", os)?),
        None if os.is_some() => None,
        None => output_file::of_user(&command, &provider, cx)?,
    };
    if os.is_none() {
        output_file::refuse_shared(invocation, info, output_file.as_deref(), out)?;
    }
    let (source, command_for_shell) = if options.file_sourced || common.format == Some(Format::Text)
    {
        let token_type = document::token_type(&common, &provider, &trust)?;
        let (file, more) = file_sourced(&common, output_file, &trust, &provider, token_type)?;
        (document::file(&file), Some(command.for_shell(&more)))
    } else {
        let line = command_line(&command, out)?;
        let (timeout, output_file) = (common.timeout, output_file.as_deref());
        (document::executable(&line, timeout, output_file, trust.interactive)?, None)
    };
    let config = document::of(&options, &common, source, &provider, &trust)?;
    let config = layout(&config);
    let Some(out) = out else { return Ok(config.into()) };
    publish(out, &config, "--out", is_configuration)?;
    let mut text = written("configuration", out);
    if let Some(command) = command_for_shell {
        text += &format!(
            "# Run this command as a service. It renews the token in the file until it is stopped:\n{command}\n"
        );
    }
    text += &gcloud::commands(&provider, &trust, options.service_account.as_deref());
    Ok(text.into())
}

fn written(what: &str, path: &Path) -> String {
    format!("# The {what} was written to {}.\n", one_line(&path.display().to_string()))
}

/// Refuses tokens that no pool provider can trust.
fn check_trust(trust: &Trust) -> Result<(), Error> {
    // An issuer on this host is for tests with a stand-in for Google.
    if let Provider::Oidc { issuer, .. } = &trust.provider
        && Url::parse(issuer).is_ok_and(|url| !url.is_https() && !url.is_local())
    {
        let what = "--issuer uses plain http, but pool providers accept only issuers with https";
        return Err(Error::new(Kind::Usage, what)
            .fix("set --issuer to the https:// URL in the iss of the tokens"));
    }
    let length = trust.principal.as_ref().map_or(0, String::len);
    if length > LONGEST_SUBJECT {
        let what = format!(
            "the subject of the tokens has {length} bytes, but google.subject is limited to \
             {LONGEST_SUBJECT}"
        );
        return Err(
            Error::new(Kind::Usage, what).fix("use a shorter name, for example in --subject")
        );
    }
    Ok(())
}

/// Adapts the trust to the type in `--token-type`, if the source passes on tokens of any type.
fn of_type(common: &options::Options, trust: Trust) -> Trust {
    match common.token_type.as_deref().and_then(TokenType::parse) {
        Some(TokenType::Saml2) if trust.token_type.is_none() => Trust::saml("METADATA".into())
            .explain("METADATA", "the file with the metadata of the identity provider"),
        Some(TokenType::AwsRequest) if trust.token_type.is_none() => Trust::of_any_aws_account(),
        _ => trust,
    }
}

/// Builds the command line that a client runs. Writes the arguments to a file next to `out` if
/// clients would split them in different ways.
fn command_line(command: &ExecutableCommand, out: Option<&Path>) -> Result<String, Error> {
    match (command.line()?, out) {
        (Some(line), _) => Ok(line),
        (None, Some(out)) => command.with_args_file(&out.with_extension("args")),
        (None, None) => {
            Err(Error::new(Kind::Usage, "Google clients would split the command in different ways")
                .cause(
                    "an argument contains a space, a quotation mark, a backslash or a shell \
                     metacharacter",
                )
                .fix(
                    "add --out=FILE, which also writes the arguments to an arguments file in that \
                     directory",
                ))
        }
    }
}

/// The file that clients read, and the options with which this program writes the token to it.
fn file_sourced(
    common: &options::Options,
    output_file: Option<String>,
    trust: &Trust,
    provider: &PoolProvider,
    token_type: TokenType,
) -> Result<(String, Vec<String>), Error> {
    if trust.interactive {
        return Err(Error::new(
            Kind::Usage,
            "a user can sign in only through an executable source",
        )
        .fix("remove --file-sourced and --format=text"));
    }
    let Some(file) = output_file.filter(|_| common.output_file.is_some()) else {
        return Err(Error::new(Kind::Usage, "a file-sourced configuration requires --output-file")
            .fix("add --output-file=PATH, the file that clients read"));
    };
    let mut more = vec![format!("--output-file={file}")];
    if common.audience.is_none() {
        more.push(format!("--audience={}", provider.name()));
    }
    if token_type != TokenType::Jwt {
        more.push(format!("--token-type={}", token_type.urn()));
    }
    Ok((file, more))
}

/// Completes a name in the form of gcloud (`projects/…`) or of an audience to the full resource
/// name, which begins with the host of googleapis.com in every universe.
fn full_name(name: &str) -> String {
    let audience = Audience::new(name);
    let name = audience.without_scheme();
    match name.starts_with("//") {
        true => name.to_owned(),
        false => format!("//iam.{GOOGLEAPIS}/{}", name.trim_start_matches('/')),
    }
}

/// Whether a file is a configuration as this command writes it. Only such a file is replaced.
fn is_configuration(existing: &Existing<'_>) -> bool {
    let value = as_written(existing).unwrap_or_default();
    let members = value.as_object();
    let source = value.pointer("/credential_source");
    let member = |name: &str| source.and_then(|source| source.get(name));
    let command = member("executable").and_then(|executable| executable.get("command"));
    let file = member("file").and_then(Value::as_str).map(document::file);
    let is_source = match command {
        Some(command) => command.as_str().is_some_and(executable_command::runs_source),
        None => member("certificate").is_some() || (file.is_some() && source == file.as_ref()),
    };
    let is_member = |name: &String| document::MEMBERS.contains(&name.as_str());
    is_source && members.is_some_and(|members| members.keys().all(is_member))
}

/// The JSON object in a file that has the layout of this command. gcloud writes no line break at the
/// end, and most other programs have another layout.
fn as_written(existing: &Existing<'_>) -> Option<Value> {
    let value: Value = serde_json::from_slice(existing.content).ok()?;
    (layout(&value).as_bytes() == existing.whole).then_some(value)
}

/// The text of a file.
fn layout(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Writes a file that `option` names.
fn publish(
    path: &Path,
    text: &str,
    option: &'static str,
    is_ours: fn(&Existing<'_>) -> bool,
) -> Result<(), Error> {
    files::publish(path, text.as_bytes(), is_ours).map_err(|refusal| {
        let fix = match &refusal {
            Refusal::Io(_) => format!("set {option} to a path in a writable directory"),
            refusal => refusal.fix(path, option),
        };
        Error::new(Kind::Configuration, format!("cannot write {}", show::path(path)))
            .cause(refusal)
            .fix(fix)
    })
}

/// Checks the values of the options.
fn check_grammar(options: &Options, provider: &PoolProvider) -> Result<(), Error> {
    let ids = [&provider.pool, &provider.provider];
    grammar::require(
        ids.iter().all(|id| is_label(id)) && is_domain(&provider.universe),
        "--pool-provider",
        "has an ID with characters other than a-z, 0-9 and -",
        "projects/123456789012/locations/global/workloadIdentityPools/my-pool/providers/my-provider",
    )?;
    if let Some(account) = &options.service_account {
        grammar::require_service_account(account, "--service-account")?;
        let is_user = options.universe_domain.is_none()
            && account.contains('@')
            && !grammar::is_in_domain_of_google(account);
        if is_user {
            return Err(grammar::not_a_service_account("--service-account"));
        }
    }
    grammar::require(
        options.universe_domain.as_deref().is_none_or(is_domain),
        "--universe-domain",
        "is not a domain name in lower case",
        "googleapis.com",
    )?;
    grammar::require(
        options.workforce_pool_user_project.as_deref().is_none_or(is_project),
        "--workforce-pool-user-project",
        "is not a project number or project ID",
        "123456789012",
    )
}
