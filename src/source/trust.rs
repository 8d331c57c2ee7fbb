//! What a pool provider must know to trust the tokens of a source.
//!
//! `config` renders it as the `gcloud` commands that create the provider. What only the environment
//! knows is a placeholder in capitals.
//! <https://cloud.google.com/sdk/gcloud/reference/iam/workload-identity-pools/providers>

use std::path::PathBuf;

use crate::token::TokenType;

/// What a pool provider must know.
#[derive(Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whom it trusts.
    pub provider: Provider,
    /// The expression to map to `google.subject`.
    pub subject: &'static str,
    /// The subject of the tokens, if the options of the source tell it.
    pub principal: Option<String>,
    /// The type of the tokens; `None` if the source passes on tokens of any type.
    pub token_type: Option<TokenType>,
    /// Whether a user may have to sign in.
    pub interactive: bool,
}

/// The kind of a pool provider, and whom it trusts.
#[derive(Debug, PartialEq, Eq)]
pub enum Provider {
    /// Tokens of an OpenID Connect issuer.
    Oidc {
        /// The `iss` of the tokens.
        issuer: String,
        /// The `aud` of the tokens, where it is not the provider's own name.
        audience: Option<String>,
        /// The issuer's public keys, if they must be uploaded.
        jwks: Option<PathBuf>,
    },
    /// Assertions of a SAML identity provider, whose metadata must be uploaded.
    Saml {
        /// The file that contains the metadata.
        metadata: PathBuf,
    },
    /// Signed requests of an AWS account.
    Aws {
        /// The id of the account.
        account: String,
    },
}

impl Provider {
    /// The word for its kind in gcloud's commands: `create-oidc`, `update-saml`.
    pub fn kind(&self) -> &'static str {
        match self {
            Provider::Oidc { .. } => "oidc",
            Provider::Saml { .. } => "saml",
            Provider::Aws { .. } => "aws",
        }
    }
}

impl Trust {
    /// Trust in JWTs of this issuer.
    pub fn issuer(issuer: &str) -> Trust {
        let provider = Provider::Oidc { issuer: issuer.to_owned(), audience: None, jwks: None };
        let (subject, token_type) = ("assertion.sub", Some(TokenType::Jwt));
        Trust { provider, subject, principal: None, token_type, interactive: false }
    }

    /// Trust in assertions of the identity provider with this metadata.
    pub fn saml(metadata: PathBuf) -> Trust {
        let (provider, token_type) = (Provider::Saml { metadata }, Some(TokenType::Saml2));
        Trust { provider, subject: "assertion.subject", token_type, ..Trust::issuer("") }
    }

    /// Trust in signed requests of this account.
    pub fn aws(account: &str) -> Trust {
        let provider = Provider::Aws { account: account.to_owned() };
        let token_type = Some(TokenType::AwsRequest);
        Trust { provider, subject: "assertion.arn", token_type, ..Trust::issuer("") }
    }

    /// The same for tokens whose audience is not the provider's own name.
    pub fn for_audience(mut self, name: &str) -> Trust {
        if let Provider::Oidc { audience, .. } = &mut self.provider {
            *audience = Some(name.to_owned());
        }
        self
    }

    /// The same for an issuer whose public keys must be uploaded.
    pub fn with_jwks(mut self, file: PathBuf) -> Trust {
        if let Provider::Oidc { jwks, .. } = &mut self.provider {
            *jwks = Some(file);
        }
        self
    }
}
