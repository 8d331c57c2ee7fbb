//! The `gcloud` commands with which an administrator makes Google trust a source.
//!
//! They create the pool and the provider, and grant the workload access to the service account or
//! to a project. What only the administrator knows is a placeholder in capitals.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use std::path::Path;

use crate::configuration::pool_provider::PoolProvider;
use crate::error::one_line;
use crate::google::gcloud::grant_role;
use crate::shell::quoted;
use crate::source::trust::{Provider, Trust};

/// The commands, with a comment above each. `out` is the configuration that was written.
pub(super) fn commands(
    out: &Path,
    provider: &PoolProvider,
    trust: &Trust,
    account: Option<&str>,
) -> String {
    let (group, pool) = (provider.gcloud_group(), provider.pool_path());
    let organization = if provider.project.is_none() { " --organization=NUMBER" } else { "" };
    let create = provider.gcloud(&format!("create-{}", trust.provider.kind()));
    let options = provider_options(provider, trust);
    let grant = grant(provider, trust, account);
    let written = one_line(&out.display().to_string());
    format!(
        "# The configuration was written to {written}.\n\
         # Create the pool:\n\
         gcloud iam {group} create {pool}{organization}\n\
         # Create the provider in the pool:\n{create} {options}\n{grant}"
    )
}

fn grant(provider: &PoolProvider, trust: &Trust, account: Option<&str>) -> String {
    let (note, member) = match (&trust.principal, &trust.provider) {
        (Some(subject), _) => ("", provider.principal(subject)),
        (None, Provider::Aws { .. }) => {
            let role = "arn:aws:sts::ACCOUNT:assumed-role/ROLE";
            ("", provider.principal_set("attribute.aws_role", role))
        }
        (None, _) => (" (wif-token check prints the SUBJECT)", provider.principal("SUBJECT")),
    };
    match account {
        Some(account) => format!(
            "# Allow the workload to impersonate the service account{note}:\n{}\n",
            grant_role(account, "workloadIdentityUser", &member)
        ),
        None => format!(
            "# Grant a role to the workload{note}:\ngcloud projects add-iam-policy-binding PROJECT \
             --role=ROLE {}\n",
            quoted(&format!("--member={member}"))
        ),
    }
}

/// The options of the command that creates the provider. The provider of a workforce pool has a
/// client ID instead of allowed audiences.
fn provider_options(provider: &PoolProvider, trust: &Trust) -> String {
    let mut options = Vec::new();
    match &trust.provider {
        Provider::Oidc { issuer, audience, jwks } => {
            options.push(format!("--issuer-uri={issuer}"));
            options.extend(jwks.as_ref().map(|path| format!("--jwk-json-path={}", path.display())));
            if provider.project.is_none() {
                options.push(format!("--client-id={}", audience.as_deref().unwrap_or("AUD")));
                options.push("--web-sso-response-type=id-token".to_owned());
                options.push("--web-sso-assertion-claims-behavior=only-id-token-claims".to_owned());
            } else if let Some(audience) = audience {
                options.push(format!("--allowed-audiences={audience}"));
            }
        }
        Provider::Saml { metadata } => {
            options.push(format!("--idp-metadata-path={}", metadata.display()));
        }
        Provider::Aws { account } => options.push(format!("--account-id={account}")),
    }
    if !matches!(trust.provider, Provider::Aws { .. }) {
        // gcloud has a default mapping for AWS.
        options.push(format!("--attribute-mapping=google.subject={}", trust.subject));
    }
    options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(" ")
}
