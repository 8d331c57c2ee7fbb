//! The environments in which an Azure workload has an identity, and which of them the options
//! select.

use super::options::{EnvironmentName, Options};
use super::{Azure, Lookup, app_service, arc, entra, imds, msi, service_fabric};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::signing_key;

/// The variables that the source reads.
pub(super) const VARIABLES: &[&str] = &[
    signing_key::VARIABLES[0],
    signing_key::VARIABLES[1],
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_TOKEN_CREDENTIALS",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "ProgramFiles",
    "ProgramData",
];

/// Requests a token in an environment.
type RequestToken = fn(&Azure, &Context) -> Result<Lookup, Error>;

/// An environment, and how to get a token there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Environment {
    pub(super) name: EnvironmentName,
    pub(super) request_token: RequestToken,
}

impl Environment {
    const fn new(name: EnvironmentName, request_token: RequestToken) -> Environment {
        Environment { name, request_token }
    }
}

const ENVIRONMENTS: [Environment; 8] = [
    Environment::new(EnvironmentName::ServicePrincipal, entra::service_principal),
    Environment::new(EnvironmentName::WorkloadIdentity, entra::workload_identity),
    Environment::new(EnvironmentName::ServiceFabric, service_fabric::request_token),
    Environment::new(EnvironmentName::AppService, app_service::request_token),
    Environment::new(EnvironmentName::MachineLearning, msi::machine_learning),
    Environment::new(EnvironmentName::CloudShell, msi::cloud_shell),
    Environment::new(EnvironmentName::Arc, arc::request_token),
    Environment::new(EnvironmentName::Imds, imds::request_token),
];

const SERVICE_PRINCIPAL: &[EnvironmentName] = &[EnvironmentName::ServicePrincipal];
const WORKLOAD_IDENTITY: &[EnvironmentName] = &[EnvironmentName::WorkloadIdentity];
const MANAGED_IDENTITY: &[EnvironmentName] = &[
    EnvironmentName::ServiceFabric,
    EnvironmentName::AppService,
    EnvironmentName::MachineLearning,
    EnvironmentName::CloudShell,
    EnvironmentName::Arc,
    EnvironmentName::Imds,
];

/// The environments that select the identity themselves. They refuse an option that names an
/// identity, because they might use a different one.
const SELECTS_ITSELF: [EnvironmentName; 2] =
    [EnvironmentName::ServiceFabric, EnvironmentName::CloudShell];

/// The variable that selects environments, by the names of credentials of the Azure SDKs.
const CREDENTIALS: &str = "AZURE_TOKEN_CREDENTIALS";

/// The names of credentials for users, which are not supported. All other unknown names are
/// mistakes.
const OF_USERS: [&str; 6] = [
    "dev",
    "azureclicredential",
    "azuredeveloperclicredential",
    "azurepowershellcredential",
    "interactivebrowsercredential",
    "visualstudiocodecredential",
];

impl Options {
    /// The options that apply only to some environments: the name, whether the option is set, and
    /// the environments.
    fn of_environments(&self) -> [(&'static str, bool, &'static [EnvironmentName]); 6] {
        [
            ("--client-secret", self.client_secret.is_some(), SERVICE_PRINCIPAL),
            ("--client-cert", self.client_cert.is_some(), SERVICE_PRINCIPAL),
            ("--client-key", self.client_key.is_some(), SERVICE_PRINCIPAL),
            ("--federated-token-file", self.federated_token_file.is_some(), WORKLOAD_IDENTITY),
            ("--object-id", self.object_id.is_some(), MANAGED_IDENTITY),
            ("--identity-resource-id", self.identity_resource_id.is_some(), MANAGED_IDENTITY),
        ]
    }
}

/// The environments to which all options apply, in the order of the search.
///
/// # Errors
/// `USAGE` if there is no such environment.
pub(super) fn select(options: &Options) -> Result<Vec<Environment>, Error> {
    let mut selected = ENVIRONMENTS.to_vec();
    if let Some(name) = options.environment {
        selected.retain(|environment| environment.name == name);
    }
    for (option, _, names) in options.of_environments().iter().filter(|(_, is_set, _)| *is_set) {
        selected.retain(|environment| names.contains(&environment.name));
        if selected.is_empty() {
            let names = names.iter().filter(|name| !SELECTS_ITSELF.contains(name));
            let words: Vec<&str> = names.map(|name| name.word()).collect();
            let what = match words[..] {
                [word] => format!("{option} requires --environment={word}"),
                _ => format!("{option} requires --environment to be one of {}", words.join(", ")),
            };
            return Err(Error::new(Kind::Usage, what)
                .fix(format!("remove {option}, or the options of other environments")));
        }
    }
    Ok(selected)
}

/// The selected environments that `AZURE_TOKEN_CREDENTIALS` allows. Options that select
/// environments override the variable, as in the Azure SDKs.
///
/// # Errors
/// `CONFIGURATION` if the variable selects nothing that is supported.
pub(super) fn allowed(selected: &[Environment], cx: &Context) -> Result<Vec<Environment>, Error> {
    let mut allowed = selected.to_vec();
    if selected.len() < ENVIRONMENTS.len() {
        return Ok(allowed);
    }
    let value = cx.env.text(CREDENTIALS)?.unwrap_or_default().trim().to_ascii_lowercase();
    let names = match value.as_str() {
        "" | "prod" => return Ok(allowed),
        "environmentcredential" => SERVICE_PRINCIPAL,
        "workloadidentitycredential" => WORKLOAD_IDENTITY,
        "managedidentitycredential" => MANAGED_IDENTITY,
        name => {
            let what = match OF_USERS.contains(&name) {
                true => format!("{CREDENTIALS} selects {name}, which is not supported"),
                false => format!("{CREDENTIALS} is not the name of an Azure credential"),
            };
            return Err(Error::new(Kind::Configuration, what).fix(format!(
                "set {CREDENTIALS} to prod, EnvironmentCredential, WorkloadIdentityCredential or \
                 ManagedIdentityCredential, or set --environment"
            )));
        }
    };
    allowed.retain(|environment| names.contains(&environment.name));
    Ok(allowed)
}
