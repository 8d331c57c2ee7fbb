//! What a Google client does: it gets the subject token of a credential configuration, exchanges it
//! for a federated access token at the Security Token Service, and impersonates the service
//! account.
//!
//! Every command uses this path. The requests themselves are in [`crate::google`].
//! <https://google.aip.dev/auth/4117>

pub mod certificate;
pub mod credentials;
pub mod executable;
mod id_token;
pub mod subject_token;
pub mod token_cache;
pub mod user_token;

use self::certificate::Identity;
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::{Context, IdTokens};
use crate::error::Error;
use crate::google::access_token::AccessToken;
use crate::google::token_exchange;
use crate::secret::Secret;
use crate::token::{TokenType, jwt};

/// How the source `google` gets ID tokens of credentials.
pub const ID_TOKENS: IdTokens = IdTokens { get: id_token::get, identity: id_token::identity };

/// Exchanges the subject token of a configuration, or its certificate if `identity` has been
/// loaded, for an access token with this scope.
///
/// # Errors
/// The errors of the source and of [`token_exchange::exchange`].
pub fn federated(
    config: &CredentialConfig,
    identity: Option<&Identity>,
    scope: &str,
    cx: &Context,
) -> Result<AccessToken, Error> {
    let (subject_token, cx) = match identity {
        Some(identity) => (identity.subject_token.clone(), &identity.cx),
        None => (subject_token::get(config, cx)?, cx),
    };
    let mut token = token_exchange::exchange(config, &subject_token, scope, cx)?;
    token.member = Some(member(config, &subject_token));
    Ok(token)
}

/// The name of the caller in an IAM policy. If the token does not state its subject, the name
/// contains the placeholder SUBJECT, so that no command in a message grants access to the whole
/// pool.
pub fn member(config: &CredentialConfig, subject_token: &Secret) -> String {
    let Ok(provider) = PoolProvider::parse(&config.audience) else {
        return "principal:…".to_owned();
    };
    let subject = match config.token_type {
        TokenType::Mtls => certificate::subject(subject_token),
        _ => {
            let claims = subject_token.expose().split('.').nth(1).and_then(jwt::object);
            claims.and_then(|claims| Some(claims.get("sub")?.as_str()?.to_owned()))
        }
    };
    let subject = subject.filter(|subject| subject.bytes().all(|byte| byte.is_ascii_graphic()));
    provider.principal(subject.as_deref().unwrap_or("SUBJECT"))
}
