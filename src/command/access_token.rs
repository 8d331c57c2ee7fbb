//! An access token of the Security Token Service, or of the service account that the configuration
//! impersonates; with `--subject` that of a person, by domain-wide delegation.
//!
//! The federated token has the scope of the cloud platform where it only serves to impersonate, as
//! with Google's libraries. <https://cloud.google.com/iam/docs/workload-identity-federation>

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{CommandInfo, Credentials, Delegates, Invocation, Output};
use crate::cache::{self, CachedFile, Obtained};
use crate::client;
use crate::configuration::CredentialConfig;
use crate::configuration::GOOGLEAPIS;
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::AccessToken;
use crate::google::iam_credentials::ServiceAccount;
use crate::http::{Request, Url};
use crate::options::{Format, OptionInfo, Seconds};

/// Where a JWT of a service account becomes a token.
const OAUTH: &str = "https://oauth2.googleapis.com/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Seconds that the assertion of `--subject` lives: it is used at once.
const ASSERTION_LIFE: i64 = 300;

options! {
    /// Options of `access-token`.
    struct Options {
        /// what the token is for, cloud-platform by default; commas between several
        scope: Option<String> = "--scope=SCOPE",
        /// how long the service account's token lives, before the configuration
        lifetime: Option<Seconds<600, 43_200>> = "--lifetime",
        /// a token of this person, by domain-wide delegation to the service account
        subject: Option<String> = "--subject=USER",
        /// where --subject gets it, https://oauth2.googleapis.com/token by default
        oauth_endpoint: Option<Url> = "--oauth-endpoint",
        /// keep the token there, for its owner alone, and use it while it is fresh
        cache_file: Option<PathBuf> = "--cache-file=PATH",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "access-token",
    summary: "an access token, of the service account where there is one",
    options: &[Credentials::TABLE, Options::TABLE, Delegates::TABLE, FORMAT],
    of_source: false,
    run,
};

choices! {
    /// How a token is printed.
    enum Shape {
        /// The bare token.
        Text = "text",
        /// A JSON object.
        Json = "json",
        /// `Authorization: Bearer …`.
        Header = "header",
    }
}

/// `--format` of the commands that print a token for a header; it is read as a [`Format`].
pub(super) const FORMAT: &[OptionInfo] = &[OptionInfo::of::<Option<Shape>>(
    "--format",
    &["the bare token (the default), a JSON object, or Authorization: Bearer …"],
)];

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&typed.values)?;
    let cache_file = options.cache_file.clone();
    let asked = Asked::new(options, Delegates::read(&typed.values)?)?;
    let config = typed.configuration(cx)?;
    let file = cache_file.map(|path| CachedFile::new(path, "--cache-file", asked.digest(&config)));
    let get = || asked.get(&config, cx);
    let token = match cache::obtain(file.as_ref(), true, cx, || (), get)? {
        Obtained::Cached(token) => token,
        Obtained::New(token, _lock) => {
            if let Some(file) = &file {
                file.try_write(&token, cx);
            }
            token
        }
    };
    Ok(match typed.format {
        Format::Json => token.to_json() + "\n",
        Format::Text => token.text.expose().to_owned(),
        Format::Header => format!("Authorization: Bearer {}", token.text.expose()),
    }
    .into())
}

/// What is asked for, in whatever form it is printed.
#[derive(Debug)]
struct Asked {
    scopes: Vec<String>,
    lifetime: Option<u64>,
    delegates: Vec<String>,
    subject: Option<String>,
    oauth_endpoint: Option<Url>,
}

impl Asked {
    fn new(options: Options, Delegates { delegate }: Delegates) -> Result<Asked, Error> {
        if options.subject.is_some() && options.lifetime.is_some() {
            return Err(Error::new(
                Kind::Usage,
                "--lifetime is for a token of the service account itself",
            )
            .fix("leave it or --subject out"));
        }
        if options.oauth_endpoint.is_some() && options.subject.is_none() {
            return Err(Error::new(Kind::Usage, "--oauth-endpoint is for --subject")
                .fix("leave it out, or add --subject=USER"));
        }
        let scopes = options.scope.as_deref().unwrap_or(CLOUD_PLATFORM).split([',', ' ']);
        Ok(Asked {
            scopes: scopes.filter(|scope| !scope.is_empty()).map(full_scope).collect(),
            lifetime: options.lifetime.map(|Seconds(seconds)| seconds),
            delegates: delegate,
            subject: options.subject,
            oauth_endpoint: options.oauth_endpoint,
        })
    }

    /// What makes this request another than the next, together with what the file says.
    fn digest(&self, config: &CredentialConfig) -> String {
        let asked = format!("{self:?}");
        digest([asked.as_bytes(), config.digest.as_bytes()].into_iter())
    }

    fn get(&self, config: &CredentialConfig, cx: &Context) -> Result<AccessToken, Error> {
        if config.impersonation.is_none() {
            self.refuse_what_needs_an_account(config)?;
            let federated = client::federated(config, &self.scopes.join(" "), cx);
            return federated.map(|(token, _)| token);
        }
        if self.subject.is_some() && config.universe != GOOGLEAPIS {
            let what = format!("{} knows no domain-wide delegation", config.universe);
            return Err(Error::new(Kind::Configuration, what)
                .fix("leave --subject out: only the universe googleapis.com has it"));
        }
        let account = ServiceAccount::new(config, self.delegates.clone(), || {
            client::federated(config, CLOUD_PLATFORM, cx)
        })?;
        match &self.subject {
            None => account.access_token(&self.scopes, self.lifetime, cx),
            Some(person) => on_behalf(
                person,
                &self.scopes.join(" "),
                self.oauth_endpoint.as_ref(),
                &account,
                cx,
            ),
        }
    }

    fn refuse_what_needs_an_account(&self, config: &CredentialConfig) -> Result<(), Error> {
        let option = match self {
            Asked { subject: Some(_), .. } => "subject",
            Asked { lifetime: Some(_), .. } => "lifetime",
            _ if self.delegates.is_empty() => return Ok(()),
            _ => "delegate",
        };
        let what = format!("{} names no service account", config.path.display());
        Err(Error::new(Kind::Configuration, what).fix(format!(
            "--{option} is for one: write the configuration with --service-account=EMAIL"
        )))
    }
}

/// A scope may be given without what all of Google's begin with.
fn full_scope(scope: &str) -> String {
    match scope.contains([':', '/']) || ["openid", "email", "profile"].contains(&scope) {
        true => scope.to_owned(),
        false => format!("https://www.googleapis.com/auth/{scope}"),
    }
}

/// Domain-wide delegation: the account signs that it acts for a person of its domain.
/// <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>
fn on_behalf(
    person: &str,
    scope: &str,
    endpoint: Option<&Url>,
    account: &ServiceAccount,
    cx: &Context,
) -> Result<AccessToken, Error> {
    let public =
        Url::parse(OAUTH).map_err(|why| Error::new(Kind::Internal, format!("{OAUTH} {why}")))?;
    let endpoint = endpoint.unwrap_or(&public);
    let now = cx.clock.now();
    let claims = json!({
        "iss": account.account.account,
        "sub": person,
        "scope": scope,
        "aud": OAUTH,
        "iat": now,
        "exp": now + ASSERTION_LIFE,
    });
    let assertion = account.sign_jwt(&claims.to_string(), cx)?;
    let post = Request::post(endpoint, "--oauth-endpoint")
        .field("grant_type", JWT_BEARER)
        .field("assertion", assertion.text);
    let response = cx.send(post)?;
    let fix = match response.oauth_error().as_deref() {
        Some("unauthorized_client" | "access_denied") => Some(
            "authorise the account's client id for these scopes: Admin console, Security, API \
             controls, domain-wide delegation",
        ),
        Some("invalid_grant") => Some("check --subject: it has to be a person of the domain"),
        Some("invalid_scope") => Some("check --scope"),
        _ => None,
    };
    let answer = response
        .require_success()
        .map_err(|error| fix.into_iter().fold(error, |error, fix| error.fix(fix)))?
        .json()?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the answer of {endpoint} has no access_token"))
            .fix("check --oauth-endpoint")
    })?;
    Ok(AccessToken::new(token, answer.get("expires_in").and_then(Value::as_i64), now))
}
