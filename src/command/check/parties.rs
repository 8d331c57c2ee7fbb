//! The relying parties: one row each, with what it publishes about the tokens that it accepts.
//!
//! A rule that a relying party does not publish is not judged.

use super::rules::{Lifetime, Rules, Settings, Skew, UNPUBLISHED};

/// <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>
pub(super) static GOOGLE: Rules = Rules {
    name: "Google",
    algorithms: &["RS256", "ES256"],
    claims: &["iat"],
    skew: Skew { iat: 0, nbf: 60 },
    lifetime: Some(Lifetime { default: 86_400, highest: 86_400, setting: "" }),
    settings: Settings {
        issuer: "the issuer URL in the pool provider",
        audience: "the allowed audiences of the pool provider",
        keys: "upload the issuer's keys to the pool provider with --jwk-json-path=FILE",
    },
    ..UNPUBLISHED
};

/// Algorithms, whole seconds and the size:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>.
/// Claims, `azp` and the issuer:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>.
static AWS: Rules = Rules {
    name: "AWS",
    algorithms: &["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
    claims: &["iat", "sub"],
    whole_seconds: true,
    longest: &[("token", 20_000), ("iss", 255), ("aud", 255)],
    issuer_port: false,
    prefers_azp: true,
    settings: Settings {
        issuer: "the provider URL of the IAM OIDC provider",
        audience: "the audiences of the IAM OIDC provider",
        keys: "",
    },
    ..UNPUBLISHED
};

/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>. The
/// audiences of the national clouds:
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>.
static AZURE: Rules = Rules {
    name: "Microsoft Entra ID",
    algorithms: &["RS256"],
    may_accept_others: true,
    longest: &[("iss", 600), ("sub", 600), ("aud", 600)],
    audience: Some("api://AzureADTokenExchange"),
    national_clouds: &["api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"],
    settings: Settings {
        issuer: "the issuer of the federated identity credential",
        audience: "the audience of the federated identity credential",
        keys: "",
    },
    ..UNPUBLISHED
};

/// <https://platform.claude.com/docs/en/manage-claude/wif-reference#jwt-verification>; the settings
/// of an issuer: <https://platform.claude.com/docs/en/api/admin/federation_issuers>.
static ANTHROPIC: Rules = Rules {
    name: "Anthropic",
    algorithms: &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
    requires_key_id: true,
    claims: &["iat", "sub"],
    skew: Skew { iat: 30, nbf: 30 },
    lifetime: Some(Lifetime {
        default: 3600,
        highest: 176_400,
        setting: "max_jwt_lifetime_seconds of the federation issuer",
    }),
    single_use: Some("check_jti of the federation issuer"),
    longest: &[("token", 16_384)],
    issuer_port: false,
    settings: Settings {
        issuer: "issuer_url of the federation issuer",
        audience: "the audience of the federation rule",
        keys: "register the issuer's keys with jwks of the type inline",
    },
    ..UNPUBLISHED
};

/// Algorithms: <https://docs.databricks.com/en/dev-tools/auth/oauth-federation-howto.html>. The
/// settings of a policy:
/// <https://docs.databricks.com/en/dev-tools/auth/oauth-federation-policy.html>.
static DATABRICKS: Rules = Rules {
    name: "Databricks",
    algorithms: &["RS256", "ES256"],
    settings: Settings {
        issuer: "the issuer of the federation policy",
        audience: "the audiences of the federation policy",
        keys: "set jwks_json of the federation policy",
    },
    ..UNPUBLISHED
};

/// <https://docs.snowflake.com/en/user-guide/workload-identity-federation>, "Authenticate using a
/// custom OpenID Connect (OIDC) Provider"
static SNOWFLAKE: Rules = Rules {
    name: "Snowflake",
    audience: Some("snowflakecomputing.com"),
    every_audience: true,
    settings: Settings {
        issuer: "ISSUER of the user",
        audience: "OIDC_AUDIENCE_LIST of the user",
        keys: "",
    },
    ..UNPUBLISHED
};

/// <https://openbao.org/api-docs/auth/jwt/>, <https://developer.hashicorp.com/vault/api-docs/auth/jwt>; the
/// algorithms: <https://github.com/hashicorp/cap/blob/main/jwt/algs.go>
static VAULT: Rules = Rules {
    name: "Vault",
    algorithms: &[
        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA",
    ],
    claims: &[],
    requires_issuer: false,
    is_public: false,
    settings: Settings {
        issuer: "bound_issuer of the auth method",
        audience: "bound_audiences of the role",
        keys: "set jwks_url or jwt_validation_pubkeys of the auth method instead of oidc_discovery_url",
    },
    ..UNPUBLISHED
};

/// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens>
static KUBERNETES: Rules = Rules {
    name: "Kubernetes",
    algorithms: &["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"],
    by_default: Some((
        "RS256",
        "configure the API server with --oidc-signing-algs or --authentication-config",
    )),
    claims: &[],
    is_public: false,
    settings: Settings {
        issuer: "the issuer URL of the API server",
        audience: "the audiences of the API server",
        keys: "",
    },
    ..UNPUBLISHED
};

/// <https://developers.openai.com/api/reference/workload-identity-federation>; uploaded keys:
/// <https://developers.openai.com/api/docs/guides/workload-identity-federation/kubernetes>
static OPENAI: Rules = Rules {
    name: "OpenAI",
    claims: &[],
    settings: Settings {
        issuer: "the issuer of the workload identity provider",
        audience: "the audience of the workload identity provider",
        keys: "upload the issuer's keys to the workload identity provider",
    },
    ..UNPUBLISHED
};

choices! {
    /// The relying party whose rules a token must follow.
    pub(super) enum RelyingParty {
        /// AWS: `AssumeRoleWithWebIdentity`.
        Aws = "aws",
        /// Microsoft Entra ID: workload identity federation.
        Azure = "azure",
        /// The Claude API: workload identity federation.
        Anthropic = "anthropic",
        /// Databricks: OAuth token federation.
        Databricks = "databricks",
        /// Snowflake: workload identity federation.
        Snowflake = "snowflake",
        /// HashiCorp Vault and OpenBao: the auth method `jwt`.
        Vault = "vault",
        /// The API server of a Kubernetes cluster.
        Kubernetes = "kubernetes",
        /// The OpenAI API: workload identity federation.
        OpenAi = "openai",
    }
}

impl RelyingParty {
    /// The rules that the relying party publishes.
    pub(super) fn rules(self) -> &'static Rules {
        match self {
            RelyingParty::Aws => &AWS,
            RelyingParty::Azure => &AZURE,
            RelyingParty::Anthropic => &ANTHROPIC,
            RelyingParty::Databricks => &DATABRICKS,
            RelyingParty::Snowflake => &SNOWFLAKE,
            RelyingParty::Vault => &VAULT,
            RelyingParty::Kubernetes => &KUBERNETES,
            RelyingParty::OpenAi => &OPENAI,
        }
    }
}
