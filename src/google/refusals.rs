//! What a refusal by Google means, and what to change.
//!
//! The Security Token Service responds with an OAuth error whose `error_description` is an English
//! sentence. The IAM Service Account Credentials API responds with an HTTP status and a message. The
//! texts are not documented, so a text that is not known here gets a fix by its code or status.
//! <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>

use super::gcloud::{self, grant_role};
use super::iam_credentials::ServiceAccount;
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Response, Url, wrong_clock};
use crate::token::TokenType;

/// The clock error, in seconds, above which it is named as the likely reason of a refusal.
const TOLERATED_SKEW: i64 = 60;

/// A part of an `error_description` in lower case, the kind of the failure, and the fix.
/// [`complete`] replaces the words in braces.
const MEANINGS: &[(&str, Kind, &str)] = &[
    (
        "invalid value for \"audience\"",
        Kind::Configuration,
        "set audience to the full resource name of the pool provider (wif-token check verifies it)",
    ),
    (
        "target service indicated by the \"audience\"",
        Kind::Configuration,
        "check that the pool and the provider exist and are enabled (new ones take up to 5 \
         minutes): {describe}",
    ),
    (
        "audience in id token",
        Kind::Denied,
        "allow the aud of the token with {update} {audiences}=AUD, or get a token for the audience \
         https:{name}",
    ),
    (
        "`issuer` claim in oidc discovery",
        Kind::Configuration,
        "use the same issuer in the token (iss), in the issuer's metadata and in the pool provider: \
         {update} --issuer-uri=ISS",
    ),
    (
        "issuer in id token",
        Kind::Configuration,
        "set the issuer of the pool provider to the iss of the token: {update} --issuer-uri=ISS",
    ),
    (
        "error connecting to the given credential's issuer",
        Kind::Denied,
        "make the issuer's metadata reachable for Google over public https, or upload the issuer's \
         keys: {keys}",
    ),
    (
        "stale to sign-in",
        Kind::Expired,
        "get a new token, and check the clocks of this host and of the issuer",
    ),
    (
        "expired",
        Kind::Expired,
        "get a new token, and check the clocks of this host and of the issuer",
    ),
    (
        "127 bytes",
        Kind::Configuration,
        "map a shorter value to google.subject: {update} --attribute-mapping=google.subject=…",
    ),
    (
        "attribute condition",
        Kind::Denied,
        "compare the claims of the token (wif-token check lists them) with the attribute condition: \
         {describe}",
    ),
    (
        "invalid format of aws",
        Kind::Configuration,
        "use a source that returns a signed AWS request, or set subject_token_type to \
         urn:ietf:params:oauth:token-type:jwt",
    ),
    (
        "signature",
        Kind::Denied,
        "get a new token, or update the issuer's keys if they were uploaded: {keys}",
    ),
    (
        "mapped attribute",
        Kind::Configuration,
        "compare the claims of the token (wif-token check lists them) with the attribute mapping: \
         {describe}",
    ),
];

/// The kind and the fix of an OAuth `error` whose description is not in [`MEANINGS`].
fn meaning_of_code(code: &str) -> (Kind, &'static str) {
    match code {
        "invalid_target" => (Kind::Configuration, "check the pool provider: {describe}"),
        "unauthorized_client" => (Kind::Denied, "check the pool provider: {describe}"),
        "invalid_grant" => (Kind::Denied, "run wif-token check to see the claims of the token"),
        "invalid_request" => (Kind::Configuration, "run wif-token check to test the configuration"),
        "invalid_scope" => (Kind::Configuration, "check --scope"),
        "invalid_client" => (
            Kind::Configuration,
            "check client_id and client_secret in the configuration, or remove them for a workload \
             identity pool",
        ),
        _ => (Kind::Denied, "run wif-token check to test the configuration"),
    }
}

/// The failure of a token exchange; `None` if the response is not an OAuth error.
pub(super) fn of_exchange(
    response: &Response,
    config: &CredentialConfig,
    cx: &Context,
) -> Option<Error> {
    let code = response.oauth_error()?;
    let text = response.error_text().unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    let known = MEANINGS.iter().find(|(part, ..)| lower.contains(part));
    let (kind, fix) = known.map_or_else(|| meaning_of_code(&code), |(_, kind, fix)| (*kind, *fix));
    let error = response.failure(kind, format!("{} refused the token exchange", config.token_url));
    // A wrong audience is reported first, because no command could name the pool provider.
    let (error, mut fix) = match PoolProvider::parse(&config.audience) {
        Ok(provider) => (error, complete(fix, &provider, config.token_type)),
        Err(wrong) => (error.cause(wrong.what()), wrong.how_to_fix().unwrap_or_default()),
    };
    if let Some(skew) = cx.skew().filter(|skew| skew.abs() > TOLERATED_SKEW) {
        fix = format!("{}, then {fix}", wrong_clock(skew));
    }
    Some(error.fix(fix))
}

/// Replaces the words in braces with commands about the pool provider and with its name.
fn complete(fix: &str, provider: &PoolProvider, token_type: TokenType) -> String {
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

/// The failure of a request to `url`, which calls `method` on a service account.
pub(super) fn of_service_account(
    account: &ServiceAccount,
    method: &str,
    url: &Url,
    response: Response,
) -> Error {
    let text = response.error_text().unwrap_or_default();
    let Some((kind, fix)) = judge(account, method, response.status, &text) else {
        return response.require_success().err().unwrap_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} is empty"))
        });
    };
    let what = format!("{url} responded with status {}", response.status);
    response.failure(kind, what).fix(fix)
}

fn judge(
    account: &ServiceAccount,
    method: &str,
    status: u16,
    text: &str,
) -> Option<(Kind, String)> {
    let is_disabled = text.contains("has not been used in project") || text.contains("disabled");
    Some(match status {
        403 if is_disabled => (
            Kind::Denied,
            "enable the API: gcloud services enable iamcredentials.googleapis.com --project=PROJECT"
                .to_owned(),
        ),
        403 => (Kind::Denied, missing_role(account, method)),
        404 => {
            let describe = gcloud::describe(&account.account.account);
            (Kind::Configuration, format!("check that the service account exists: {describe}"))
        }
        400 => (Kind::Configuration, bad_request(method).to_owned()),
        401 => (
            Kind::Denied,
            "check that token_url and service_account_impersonation_url are in the same universe domain"
                .to_owned(),
        ),
        _ => return None,
    })
}

fn bad_request(method: &str) -> &'static str {
    match method {
        "generateAccessToken" => {
            "check --scope and the lifetime: more than 3600 s requires the account to be in the \
             organization policy iam.allowServiceAccountCredentialLifetimeExtension"
        }
        "generateIdToken" => "check --for and every --delegate",
        "signJwt" => "check --payload and every --delegate",
        _ => "check --file and every --delegate",
    }
}

/// The commands that grant the roles that may be missing. Google sends the same text for a missing
/// role and for a service account that does not exist.
fn missing_role(account: &ServiceAccount, method: &str) -> String {
    let (delegates, member) = (&account.delegates, &account.member);
    let account = &account.account.account;
    let role = match method {
        "generateAccessToken" | "generateIdToken" => "workloadIdentityUser",
        _ => "serviceAccountTokenCreator",
    };
    let Some(first) = delegates.first() else {
        let command = grant_role(account, role, member);
        return format!(
            "if the service account exists, allow the workload to use it (this takes up to 5 \
             minutes): {command}"
        );
    };
    let mut commands = vec![grant_role(first, "serviceAccountTokenCreator", member)];
    let chain = delegates.iter().zip(delegates.iter().skip(1).chain([account]));
    commands.extend(chain.map(|(from, to)| {
        grant_role(to, "serviceAccountTokenCreator", &format!("serviceAccount:{from}"))
    }));
    let commands = commands.join(" && ");
    format!("allow each account of the chain to create tokens for the next one: {commands}")
}
