//! The settings with which a workload identity pool provider trusts the tokens of a source.
//!
//! The command `config` renders them as the `gcloud` commands that create the provider. A value
//! that depends on the environment is a placeholder in capitals, such as `ISSUER`, with an
//! explanation.
//! <https://cloud.google.com/sdk/gcloud/reference/iam/workload-identity-pools/providers>

use std::path::PathBuf;

use crate::token::TokenType;
use crate::x509;

/// An issuer that issues tokens for many organizations.
struct SharedIssuer {
    url: &'static str,
    /// The claim with the stable ID of the organization.
    claim: &'static str,
    /// The placeholder for that ID, and what to replace it with.
    placeholder: (&'static str, &'static str),
}

/// For most of these issuers, Google refuses a provider without a condition.
const SHARED_ISSUERS: &[SharedIssuer] = &[
    SharedIssuer {
        url: "https://token.actions.githubusercontent.com",
        claim: "repository_owner_id",
        placeholder: ("OWNER_ID", "the number in the output of: gh api users/OWNER --jq .id"),
    },
    SharedIssuer {
        url: "https://agent.buildkite.com",
        claim: "organization_id",
        placeholder: (
            "ORGANIZATION_ID",
            "the organization_id of the token; wif-token check prints it",
        ),
    },
    SharedIssuer {
        url: "https://gitlab.com",
        claim: "namespace_id",
        placeholder: (
            "NAMESPACE_ID",
            "the ID of the group of the project in GitLab; for your own instance, set --issuer-uri to its \
             URL, and omit the condition if nobody else uses the instance",
        ),
    },
    SharedIssuer {
        url: "https://accounts.google.com",
        claim: "sub",
        placeholder: (
            "UNIQUE_ID",
            "the ID in the output of: gcloud iam service-accounts describe EMAIL \
             --format='value(uniqueId)'",
        ),
    },
    SharedIssuer {
        url: "https://app.terraform.io",
        claim: "terraform_organization_id",
        placeholder: (
            "ORGANIZATION_ID",
            "the ID in the general settings of the organization, which begins with org-",
        ),
    },
    SharedIssuer {
        url: "https://login.app.env0.com",
        claim: "organizationId",
        placeholder: ("ORGANIZATION_ID", "the ID in the URL of the organization settings of env0"),
    },
    SharedIssuer {
        url: "https://oidc.codefresh.io",
        claim: "account_id",
        placeholder: ("ACCOUNT_ID", "the account_id of the token; wif-token check prints it"),
    },
    SharedIssuer {
        url: "https://oidc.modal.com",
        claim: "workspace_id",
        placeholder: ("WORKSPACE_ID", "the workspace_id of the token; wif-token check prints it"),
    },
];

/// The settings of a pool provider that depend on the source.
#[derive(Debug, PartialEq, Eq)]
pub struct Trust {
    /// The type of the provider, and the identity provider that it trusts.
    pub provider: Provider,
    /// The CEL expression to map to `google.subject`.
    pub subject: &'static str,
    /// The CEL condition on the claims, if the issuer also issues tokens for other organizations.
    pub condition: Option<String>,
    /// The subject of the tokens, if the options of the source determine it.
    pub principal: Option<String>,
    /// Each placeholder, and what to replace it with.
    pub placeholders: Vec<(&'static str, &'static str)>,
    /// The type of the tokens; `None` if the source passes on tokens of any type.
    pub token_type: Option<TokenType>,
    /// Whether the source may ask a user to sign in.
    pub interactive: bool,
}

/// The type of a pool provider, and the identity provider that it trusts.
#[derive(Debug, PartialEq, Eq)]
pub enum Provider {
    /// Tokens of an OpenID Connect issuer.
    Oidc {
        /// The `iss` of the tokens.
        issuer: String,
        /// The `aud` of the tokens, if it is not the resource name of the pool provider.
        audience: Option<String>,
        /// The file with the issuer's public keys, if they must be uploaded.
        jwks: Option<PathBuf>,
    },
    /// Assertions of a SAML identity provider, whose metadata must be uploaded.
    Saml {
        /// The file with the metadata.
        metadata: PathBuf,
    },
    /// Certificates from authorities whose own certificates must be uploaded.
    X509 {
        /// The file with the certificates.
        trust_store: PathBuf,
    },
    /// Signed requests of an AWS account.
    Aws {
        /// The account ID.
        account: String,
    },
}

impl Provider {
    /// The suffix of the `gcloud` commands for this type, as in `create-oidc` and `update-saml`.
    pub fn kind(&self) -> &'static str {
        match self {
            Provider::Oidc { .. } => "oidc",
            Provider::Saml { .. } => "saml",
            Provider::Aws { .. } => "aws",
            Provider::X509 { .. } => "x509",
        }
    }
}

impl Trust {
    /// Trusts the JWTs of this issuer. If many organizations share the issuer, trusts only those
    /// for one organization.
    pub fn issuer(issuer: &str) -> Trust {
        let provider = Provider::Oidc { issuer: issuer.to_owned(), audience: None, jwks: None };
        let is_issuer = |shared: &&SharedIssuer| shared.url == issuer.trim_end_matches('/');
        let shared = SHARED_ISSUERS.iter().find(is_issuer);
        Trust {
            provider,
            subject: "assertion.sub",
            condition: shared.map(|shared| {
                format!("assertion.{} == \"{}\"", shared.claim, shared.placeholder.0)
            }),
            principal: None,
            placeholders: shared.iter().map(|shared| shared.placeholder).collect(),
            token_type: Some(TokenType::Jwt),
            interactive: false,
        }
    }

    /// Trusts the JWTs of an issuer that the options of the source do not determine.
    pub fn unknown_issuer() -> Trust {
        Trust::issuer("ISSUER").explain("ISSUER", "the iss of the token; wif-token check prints it")
    }

    /// Adds the meaning of a placeholder.
    pub fn explain(mut self, placeholder: &'static str, meaning: &'static str) -> Trust {
        self.placeholders.push((placeholder, meaning));
        self
    }

    /// Accepts only tokens that meet this condition, because the issuer also issues tokens for
    /// other organizations.
    pub fn only_if(self, condition: &str) -> Trust {
        Trust { condition: Some(condition.to_owned()), ..self }
    }

    /// Trusts the assertions of the identity provider with this metadata.
    pub fn saml(metadata: PathBuf) -> Trust {
        let (provider, token_type) = (Provider::Saml { metadata }, Some(TokenType::Saml2));
        Trust { provider, subject: "assertion.subject", token_type, ..Trust::issuer("") }
    }

    /// Trusts the certificates of the authorities in a trust store.
    pub fn x509() -> Trust {
        let provider = Provider::X509 { trust_store: "TRUST_STORE".into() };
        let token_type = Some(TokenType::Mtls);
        Trust { provider, subject: x509::DEFAULT_SUBJECT, token_type, ..Trust::issuer("") }.explain(
            "TRUST_STORE",
            "a YAML file whose trustStore.trustAnchors contain the pemCertificate of the authority \
             (see docs/x509.md)",
        )
    }

    /// Trusts the signed requests of this AWS account.
    pub fn aws(account: &str) -> Trust {
        let provider = Provider::Aws { account: account.to_owned() };
        let token_type = Some(TokenType::AwsRequest);
        Trust { provider, subject: "assertion.arn", token_type, ..Trust::issuer("") }
    }

    /// Trusts the signed requests of an AWS account that the options of the source do not determine.
    pub fn of_any_aws_account() -> Trust {
        Trust::aws("ACCOUNT")
            .explain(
                "ACCOUNT",
                "the account ID in the output of: aws sts get-caller-identity --query Account",
            )
            .explain("IAM_ROLE", "the name of the IAM role of the workload")
    }

    /// Sets the audience of the tokens, if it is not the resource name of the pool provider.
    pub fn for_audience(mut self, name: &str) -> Trust {
        if let Provider::Oidc { audience, .. } = &mut self.provider {
            *audience = Some(name.to_owned());
        }
        self
    }

    /// Sets the file with the issuer's public keys, which must be uploaded.
    pub fn with_jwks(mut self, file: PathBuf) -> Trust {
        if let Provider::Oidc { jwks, .. } = &mut self.provider {
            *jwks = Some(file);
        }
        self
    }
}
