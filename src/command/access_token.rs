//! An access token of the Security Token Service, or of the service account that the configuration
//! impersonates; with `--subject` that of a person, by domain-wide delegation.
//!
//! The federated token has the scope of the cloud platform where it only serves to impersonate, as
//! with Google's libraries. <https://cloud.google.com/iam/docs/workload-identity-federation>

use serde_json::{Value, json};

use super::{CREDENTIALS, CommandInfo, DELEGATE, Invocation, Output};
use crate::cli::{Format, OptionInfo, Takes};
use crate::context::Context;
use crate::contract::output_file::{self, Obtained, OutputFile};
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::google::credential_config::CredentialConfig;
use crate::google::iam_credentials::ServiceAccount;
use crate::google::{CLOUD_PLATFORM, subject};
use crate::http::{Request, Url};

/// Where a JWT of a service account becomes a token.
const OAUTH: &str = "https://oauth2.googleapis.com/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Seconds that the assertion of `--subject` lives: it is used at once.
const ASSERTION_LIFE: i64 = 300;

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "access-token",
    summary: "an access token, of the service account where there is one",
    options: &[
        CREDENTIALS,
        OptionInfo::new(
            "scope",
            Takes::Text("SCOPE"),
            "what the token is for, cloud-platform by default; commas between several",
        ),
        OptionInfo::new(
            "lifetime",
            Takes::Seconds(600, 43_200),
            "how long the service account's token lives, before the configuration",
        ),
        DELEGATE,
        OptionInfo::new(
            "subject",
            Takes::Text("USER"),
            "a token of this person, by domain-wide delegation to the service account",
        ),
        OptionInfo::new(
            "oauth-endpoint",
            Takes::Url,
            "where --subject gets it, https://oauth2.googleapis.com/token by default",
        ),
        OptionInfo::new(
            "cache-file",
            Takes::Path("PATH"),
            "keep the token there, for its owner alone, and use it while it is fresh",
        ),
        FORMAT,
    ],
    of_source: false,
    run,
};

/// `--format`, for what can stand in a header.
pub(super) const FORMAT: OptionInfo = OptionInfo::new(
    "format",
    Takes::Choice(&["text", "json", "header"]),
    "the bare token (the default), a JSON object, or Authorization: Bearer …",
);

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let values = &typed.values;
    let config = CredentialConfig::read(values, cx)?;
    let file = values
        .path("cache-file")
        .map(|path| OutputFile::new(path.to_owned(), digest(typed, &config)));
    let token =
        match output_file::obtain(file.as_ref(), true, cx, || (), || get(typed, &config, cx))? {
            Obtained::Kept(token) => token,
            Obtained::New(token, _lock) => {
                if let Some(file) = &file {
                    file.keep(&token, cx);
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

/// What makes this request another than the next: every option, and what the file says.
fn digest(typed: &Invocation, config: &CredentialConfig) -> String {
    let mut identity = typed.values.identity(INFO.options);
    identity.push(format!("{config:?}").into_bytes());
    crate::contract::request::digest(identity.iter().map(Vec::as_slice))
}

fn get(typed: &Invocation, config: &CredentialConfig, cx: &Context) -> Result<AccessToken, Error> {
    let values = &typed.values;
    let scopes: Vec<String> =
        values.text("scope").unwrap_or(CLOUD_PLATFORM).split([',', ' ']).map(full_scope).collect();
    let delegates: Vec<String> = values.texts("delegate").map(str::to_owned).collect();
    let for_account = ["delegate", "lifetime", "subject"];
    if let Some(option) = for_account.iter().find(|name| values.flag(name))
        && config.impersonation.is_none()
    {
        let error = config.service_account().err();
        return Err(error.unwrap_or_else(|| Error::new(Kind::Internal, "no account"))
            .hint(format!("--{option} is for a service account: write the configuration with --service-account=EMAIL")));
    }
    if config.impersonation.is_none() {
        return subject::federated(config, &scopes.join(" "), cx).map(|(token, _)| token);
    }
    let (bearer, member) = subject::federated(config, CLOUD_PLATFORM, cx)?;
    let account = ServiceAccount::new(config, delegates, bearer, member)?;
    match values.text("subject") {
        None => account.access_token(&scopes, values.seconds("lifetime"), cx),
        Some(person) => {
            on_behalf(person, &scopes.join(" "), values.url("oauth-endpoint"), &account, cx)
        }
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
    let response = cx.http.send(post, &cx.log)?;
    let hint = match response.oauth_error().as_deref() {
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
        .map_err(|error| hint.into_iter().fold(error, |error, hint| error.hint(hint)))?
        .json()?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the answer of {endpoint} has no access_token"))
            .hint("check --oauth-endpoint")
    })?;
    Ok(AccessToken::new(token, answer.get("expires_in").and_then(Value::as_i64), now))
}
