//! The `gcloud` commands with which an administrator makes Google trust a source.
//!
//! They create the pool, the provider and the service account, and grant the workload access to the service account or
//! to a project. What only the administrator knows is a placeholder in capitals.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use crate::configuration::pool_provider::PoolProvider;
use crate::google::gcloud::{self, UNCONDITIONAL, grant_role};
use crate::shell::quoted;
use crate::source::trust::{Provider, Trust};

/// The placeholders that do not depend on the source.
const PLACEHOLDERS: [(&str, &str); 5] = [
    ("AUD", "the aud of the token; wif-token check prints it"),
    ("NUMBER", "the ID of the organization (gcloud organizations list)"),
    ("PROJECT", "the ID of the project with the resources that the workload uses"),
    ("ROLE", "a role on that project, such as roles/storage.objectViewer"),
    ("SUBJECT", "the subject of the token; wif-token check prints it"),
];

/// Lists the commands, with a comment above each, and explains every placeholder in them.
pub(super) fn commands(provider: &PoolProvider, trust: &Trust, account: Option<&str>) -> String {
    let (group, pool) = (provider.gcloud_group(), provider.pool_path());
    let organization = if provider.project.is_none() { " --organization=NUMBER" } else { "" };
    let create = provider.gcloud(&format!("create-{}", trust.provider.kind()));
    let options = provider_options(provider, trust);
    let grant = grant(provider, trust, account);
    let commands = format!(
        "# Create the pool:\n\
         gcloud iam {group} create {pool}{organization}\n\
         # Create the pool provider:\n{create} {options}\n{grant}"
    );
    explanation(&commands, trust) + &commands
}

/// Explains each placeholder in the commands.
fn explanation(commands: &str, trust: &Trust) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_used = |name: &str| commands.split(|c| !is_part(c)).any(|word| word == name);
    let known = trust.placeholders.iter().chain(&PLACEHOLDERS);
    let lines = known
        .filter(|(name, _)| is_used(name))
        .map(|(name, meaning)| format!("#   {name}: {meaning}\n"))
        .collect::<String>();
    match lines.is_empty() {
        true => lines,
        false => format!("# Replace the placeholders in capitals:\n{lines}"),
    }
}

fn grant(provider: &PoolProvider, trust: &Trust, account: Option<&str>) -> String {
    let member = match (&trust.principal, &trust.provider) {
        (role, Provider::Aws { .. }) => {
            let any = "arn:aws:sts::ACCOUNT:assumed-role/IAM_ROLE";
            provider.principal_set("attribute.aws_role", role.as_deref().unwrap_or(any))
        }
        (subject, _) => provider.principal(subject.as_deref().unwrap_or("SUBJECT")),
    };
    match account {
        Some(account) => {
            let create = gcloud::create(account).map_or_else(String::new, |command| {
                format!("# Create the service account, if it does not exist:\n{command}\n")
            });
            let grant = grant_role(account, "workloadIdentityUser", &member);
            format!("{create}# Allow the workload to impersonate the service account:\n{grant}\n")
        }
        None => format!(
            "# Grant a role to the workload:\ngcloud projects add-iam-policy-binding PROJECT \
             --role=ROLE {} {UNCONDITIONAL}\n",
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
        Provider::X509 { trust_store } => {
            options.push(format!("--trust-store-config-path={}", trust_store.display()));
        }
        Provider::Aws { account } => options.push(format!("--account-id={account}")),
    }
    if !matches!(trust.provider, Provider::Aws { .. }) {
        // gcloud has a default mapping for AWS.
        options.push(format!("--attribute-mapping=google.subject={}", trust.subject));
    }
    options.extend(
        trust.condition.iter().map(|condition| format!("--attribute-condition={condition}")),
    );
    options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(" ")
}
