//! The exchange of a subject token at the Security Token Service (RFC 8693).
//!
//! A form without any `Authorization`, unless the configuration names a client. The answer is a
//! federated access token. What the service says of a refusal is translated into what to change.
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::access_token::AccessToken;
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, wrong_clock};
use crate::secret::Secret;
use crate::token::TokenType;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Seconds by which a clock may be wrong before the service minds.
const TOLERATED_SKEW: i64 = 60;

/// Exchanges a subject token for an access token with these scopes (blanks between).
///
/// # Errors
/// `DENIED` with what to change where the service refuses, else those of [`crate::http::Http`].
pub fn exchange(
    config: &CredentialConfig,
    subject_token: &Secret,
    scope: &str,
    cx: &Context,
) -> Result<AccessToken, Error> {
    let mut post = Request::post(&config.token_url, "token_url")
        .header("Accept", "application/json")
        .field("grant_type", GRANT)
        .field("audience", config.audience.as_str())
        .field("scope", scope)
        .field("requested_token_type", ACCESS_TOKEN)
        .field("subject_token_type", config.token_type.urn())
        .field("subject_token", subject_token.clone());
    if let Some((id, secret)) = &config.client {
        let pair = Secret::new(format!("{id}:{}", secret.expose()));
        let header = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
        post = post.header("Authorization", header).hiding(secret.clone());
    } else if let Some(project) = &config.user_project {
        // A client has a project of its own, which counts then.
        post = post.field("options", json!({ "userProject": project }).to_string().as_str());
    }
    let response = cx.send(post)?;
    if matches!(response.status, 400 | 401 | 403)
        && let Some(error) = refusal(&response, config, cx)
    {
        return Err(error);
    }
    let response = response.require_success()?;
    let answer = response.json()?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the answer of {} has no token", config.token_url))
            .fix("check token_url")
    })?;
    let life = answer.get("expires_in").and_then(Value::as_i64);
    Ok(AccessToken::new(token, life, cx.clock.now()))
}

/// What the words of the service mean: a part of `error_description`, the kind, and the remedy.
/// Words in braces stand for the commands about the pool provider and for its name.
const MEANINGS: &[(&str, Kind, &str)] = &[
    (
        "invalid value for \"audience\"",
        Kind::Configuration,
        "audience has to be the full name of the pool provider: run wif-token check",
    ),
    (
        "target service indicated by the \"audience\"",
        Kind::Configuration,
        "the pool or provider does not exist, is disabled or deleted: run {describe}; a new one \
         takes up to 5 minutes",
    ),
    (
        "audience in id token",
        Kind::Denied,
        "allow the aud of the token: {update} {audiences}=AUD, or get a token for the \
         audience https:{name}",
    ),
    (
        "`issuer` claim in oidc discovery",
        Kind::Configuration,
        "the issuer's own metadata name another issuer: set the pool provider's to the token's iss, \
         {update} --issuer-uri=ISS",
    ),
    (
        "issuer in id token",
        Kind::Configuration,
        "the token's iss is not the pool provider's issuer: {update} --issuer-uri=ISS",
    ),
    (
        "error connecting to the given credential's issuer",
        Kind::Denied,
        "Google has to reach the issuer's metadata over public https; else upload its keys: {keys}",
    ),
    (
        "stale to sign-in",
        Kind::Expired,
        "the token is too old: check the clock of its issuer and of this host, and renew it",
    ),
    (
        "expired",
        Kind::Expired,
        "renew the token, and check the clock of its issuer and of this host",
    ),
    (
        "127 bytes",
        Kind::Configuration,
        "map something shorter to google.subject: {update} --attribute-mapping=google.subject=…",
    ),
    (
        "attribute condition",
        Kind::Denied,
        "compare the claims (wif-token check shows them) with the condition: {describe}",
    ),
    (
        "invalid format of aws",
        Kind::Configuration,
        "the subject token is no signed AWS request: subject_token_type and the source do not match",
    ),
    ("signature", Kind::Denied, "the issuer's keys have changed, or uploaded ones are old: {keys}"),
    (
        "mapped attribute",
        Kind::Configuration,
        "the attribute mapping does not fit the claims: {describe}",
    ),
];

fn refusal(response: &Response, config: &CredentialConfig, cx: &Context) -> Option<Error> {
    let error = response.oauth_error()?;
    let words = response.error_text().unwrap_or_default();
    let lower = words.to_ascii_lowercase();
    let meaning = MEANINGS.iter().find(|(part, ..)| lower.contains(part));
    let (kind, fix) = match (meaning, error.as_str()) {
        (Some((_, kind, fix)), _) => (*kind, *fix),
        (None, "invalid_target") => (Kind::Configuration, "check the pool provider: {describe}"),
        (None, "unauthorized_client") => (Kind::Denied, "check the pool provider: {describe}"),
        (None, "invalid_grant") => (Kind::Denied, "wif-token check shows what the token holds"),
        (None, "invalid_request") => (Kind::Configuration, "run wif-token check"),
        (None, "invalid_scope") => (Kind::Configuration, "check --scope"),
        (None, "invalid_client") => (
            Kind::Configuration,
            "check client_id and client_secret in the configuration; for a workload pool remove them",
        ),
        (None, _) => (Kind::Denied, "run wif-token check"),
    };
    // What is wrong about the audience comes first: no command fits it.
    let mut fix = match PoolProvider::parse(&config.audience) {
        Ok(provider) => filled(fix, &provider, config.token_type),
        Err(wrong) => wrong.to_string(),
    };
    if let Some(skew) = cx.skew().filter(|skew| skew.abs() > TOLERATED_SKEW) {
        fix = format!("{}; {fix}", wrong_clock(skew));
    }
    let what = format!("{} refused the subject token", config.token_url);
    Some(Error::new(kind, what).cause(words).fix(fix))
}

fn filled(fix: &str, provider: &PoolProvider, token_type: TokenType) -> String {
    let (update, keys) = match token_type {
        TokenType::Jwt | TokenType::IdToken => ("update-oidc", "--jwk-json-path"),
        TokenType::Saml2 => ("update-saml", "--idp-metadata-path"),
        TokenType::AwsRequest => ("update-aws", "--account-id"),
    };
    fix.replace("{describe}", &provider.gcloud("describe"))
        .replace("{keys}", &format!("{{update}} {keys}=FILE"))
        .replace("{update}", &provider.gcloud(update))
        .replace("{audiences}", provider.audience_option())
        .replace("{name}", &provider.name())
}
