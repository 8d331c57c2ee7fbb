//! Refusals by the Security Token Service.
//! <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>

use super::reason::Reason;
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::{PoolProvider, pool_of_fleet};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Response, Url};
use crate::secret::Secret;
use crate::shell::quoted;
use crate::token::{TokenType, jwt};

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
    ("audience in id token", Kind::Denied, "{audience}"),
    (
        "`issuer` claim in oidc discovery",
        Kind::Configuration,
        "use the same issuer in the token (iss), in the issuer's metadata and in the pool provider: \
         {describe}",
    ),
    (
        "issuer in id token",
        Kind::Configuration,
        "use a pool provider for the issuer of the token (iss), or change the issuer for all \
         workloads of this pool provider: {update} --issuer-uri={issuer}",
    ),
    (
        "error connecting to the given credential's issuer",
        Kind::Denied,
        "make the issuer's metadata and keys reachable by Google over public HTTPS, or upload the \
         issuer's current keys, again if they were uploaded before: {keys}",
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
        "map a shorter value to google.subject, and repeat the rest of the mapping, which {describe} \
         prints: {update} --attribute-mapping=google.subject=VALUE,REST",
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

/// The fix if Google refuses the token itself, and the token is a certificate.
const CERTIFICATE: &str = "compare the certificate and its chain, which wif-token check examines, with \
                           the pool provider: {describe}";

/// The fix for a workload in a fleet, which has no separate pool provider.
const FLEET: &str = "compare the audience with the membership of the cluster, which gcloud container \
                     fleet memberships describe prints";

/// The kind and the fix of an OAuth `error` whose description is not in [`MEANINGS`].
fn meaning_of_code(code: &str) -> (Kind, &'static str) {
    match code {
        "invalid_target" => (Kind::Configuration, "check the pool provider: {describe}"),
        "unauthorized_client" => (Kind::Denied, "check the pool provider: {describe}"),
        "invalid_grant" => (
            Kind::Denied,
            "compare the claims of the token, which wif-token check lists, with the pool provider: {describe}",
        ),
        "invalid_request" => {
            (Kind::Configuration, "check the configuration and the pool provider: {describe}")
        }
        "invalid_scope" => (Kind::Configuration, "check the requested scopes"),
        "invalid_client" => (
            Kind::Configuration,
            "check client_id and client_secret in the configuration, or remove them for a workload \
             identity pool",
        ),
        // Google documents this code for status 429.
        "quota_exceeded" => (
            Kind::Unreachable,
            "try again later, cache tokens with an output file, or request a higher quota for the metric \
             in the message: https://console.cloud.google.com/iam-admin/quotas",
        ),
        _ => (Kind::Denied, "check the configuration and the pool provider: {describe}"),
    }
}

/// Explains a refused token exchange; `None` if the response contains no reason.
pub(in crate::google) fn of_exchange(
    response: &Response,
    config: &CredentialConfig,
    subject_token: &Secret,
    cx: &Context,
) -> Option<Error> {
    let what = format!("{} refused the token exchange", config.token_url);
    let reason = Reason::read(response);
    if let Some((kind, fix)) = reason.explain(&member(config)) {
        return Some(response.failure(kind, format!("{what} ({})", reason.code)).fix(fix));
    }
    let code = response.oauth_error()?;
    let text = response.error_text().unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    let known = MEANINGS.iter().find(|(part, ..)| lower.contains(part));
    let (kind, fix) = known.map_or_else(|| meaning_of_code(&code), |(_, kind, fix)| (*kind, *fix));
    let is_of_token = kind == Kind::Expired || known.is_none() && kind == Kind::Denied;
    let fix = match config.token_type {
        TokenType::Mtls if is_of_token => CERTIFICATE,
        _ => fix,
    };
    let error = response.failure(kind, what);
    // A wrong audience is reported first, because no command could name the pool provider.
    let (error, mut fix) = match PoolProvider::parse(&config.audience) {
        Ok(provider) => (error, complete(fix, &provider, config.token_type, subject_token)),
        Err(_) if pool_of_fleet(&config.audience).is_some() => (error, FLEET.to_owned()),
        Err(wrong) => (error.cause(wrong.what()), wrong.how_to_fix().unwrap_or_default()),
    };
    let is_of_aws = lower.contains("signature")
        || known.is_none() && lower.contains("received invalid aws response");
    if config.token_type == TokenType::AwsRequest && is_of_aws {
        fix = "create the request again with wif-token aws --mode=caller-identity, because AWS did not \
               accept it"
            .to_owned();
    }
    let may_be_of_clock = kind == Kind::Expired
        || known.is_none() && code == "invalid_grant"
        || config.token_type == TokenType::AwsRequest && kind == Kind::Denied;
    if let Some(clock) = cx.wrong_clock().filter(|_| may_be_of_clock) {
        fix = match kind {
            Kind::Expired => format!("{clock}, then get a new token"),
            _ => format!("{clock}, then {fix}"),
        };
    }
    Some(error.fix(fix))
}

/// The form of the caller's name in an IAM policy.
fn member(config: &CredentialConfig) -> String {
    PoolProvider::parse(&config.audience)
        .map_or_else(|_| "PRINCIPAL".to_owned(), |provider| provider.principal("SUBJECT"))
}

/// The `iss` of a JWT, if a pool provider can have it as its issuer.
fn issuer(subject_token: &Secret) -> Option<String> {
    let iss = jwt::claims(subject_token.expose())?.remove("iss")?;
    let url = Url::parse_issuer(iss.as_str()?).ok().filter(Url::is_https)?;
    Some(quoted(url.as_typed()).into_owned())
}

/// The first `aud` of a JWT.
fn audience(subject_token: &Secret) -> Option<String> {
    let aud = jwt::claims(subject_token.expose())?.remove("aud")?;
    aud.as_str().or_else(|| aud.get(0)?.as_str()).map(str::to_owned)
}

/// Replaces the words in braces with commands about the pool provider and with its name.
fn complete(
    fix: &str,
    provider: &PoolProvider,
    token_type: TokenType,
    subject_token: &Secret,
) -> String {
    let (update, keys) = match token_type {
        TokenType::Jwt | TokenType::IdToken => ("update-oidc", "--jwk-json-path"),
        TokenType::Saml2 => ("update-saml", "--idp-metadata-path"),
        TokenType::AwsRequest => ("update-aws", "--account-id"),
        TokenType::Mtls => ("update-x509", "--trust-store-config-path"),
    };
    fix.replace("{describe}", &provider.gcloud("describe"))
        .replace("{keys}", &format!("{{update}} {keys}=FILE"))
        .replace("{update}", &provider.gcloud(update))
        .replace("{issuer}", issuer(subject_token).as_deref().unwrap_or("ISS"))
        .replace("{audience}", &provider.fix_audience(audience(subject_token).as_deref()))
}
