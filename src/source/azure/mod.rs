//! A token for an Azure workload: a service principal, a workload identity of Kubernetes, or the
//! managed identity of App Service, Azure Arc or a virtual machine.
//!
//! They are looked for in the order of the Azure SDKs. An environment that is not there says so and
//! the next is asked; one that is there but broken ends the search. Each gives an access token, a
//! JWT of Microsoft Entra ID, for the application that stands for the pool provider.
//! <https://learn.microsoft.com/azure/developer/python/sdk/authentication/credential-chains>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>
//!
//! Not asked: Service Fabric, Azure Machine Learning, Cloud Shell, and the sign-ins of people.

mod aadsts;
mod app_service;
mod arc;
mod entra;
mod imds;
mod managed_identity;

use std::path::PathBuf;

use serde_json::{Map, Value};

use self::managed_identity::Identity;
use super::lookup::{self, Search};
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{SecretRef, Values, missing};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

choices! {
    /// The environments that have an identity, in the order in which they are asked.
    enum EnvironmentName {
        /// A service principal with a secret or certificate.
        ServicePrincipal = "service-principal",
        /// A workload identity of AKS.
        WorkloadIdentity = "workload-identity",
        /// A managed identity of App Service, Functions or Container Apps.
        AppService = "app-service",
        /// The managed identity of a machine that Azure Arc connects.
        Arc = "arc",
        /// A managed identity of a virtual machine.
        Imds = "imds",
    }
}

options! {
    /// Options of `azure`.
    struct Options {
        /// the application ID URI that the token is for
        resource: String = "--resource=APP_ID_URI",
        /// take the token here alone; by default from the first of these that there is
        environment: Option<EnvironmentName> = "--environment",
        /// the tenant of a service principal or workload identity; AZURE_TENANT_ID by default
        tenant_id: Option<String> = "--tenant-id=ID",
        /// the application, or the managed identity among several; AZURE_CLIENT_ID by default
        client_id: Option<String> = "--client-id=ID",
        /// the managed identity by its object id
        object_id: Option<String> = "--object-id=ID",
        /// the managed identity by its Azure resource id
        identity_resource_id: Option<String> = "--identity-resource-id=ID",
        /// the secret of a service principal; AZURE_CLIENT_SECRET by default
        client_secret: Option<SecretRef> = "--client-secret",
        /// the certificate of a service principal; AZURE_CLIENT_CERTIFICATE_PATH by default
        client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// its RSA key, where that stands in a file of its own
        client_key: Option<PathBuf> = "--client-key=PEM",
        /// the token of a workload identity; AZURE_FEDERATED_TOKEN_FILE by default
        federated_token_file: Option<PathBuf> = "--federated-token-file=FILE",
        /// Microsoft Entra ID of another cloud; AZURE_AUTHORITY_HOST by default
        authority_host: Option<Url> = "--authority-host",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "azure",
    summary: "Azure: a service principal, workload identity or managed identity",
    options: &[Options::TABLE],
    rest: None,
    example: "wif-token azure --resource=api://my-app --environment=imds",
    build,
};

/// How to ask an environment.
type Ask = fn(&Azure, &Context) -> Result<Lookup, Error>;

const ENVIRONMENTS: [(EnvironmentName, Ask); 5] = [
    (EnvironmentName::ServicePrincipal, entra::service_principal),
    (EnvironmentName::WorkloadIdentity, entra::workload_identity),
    (EnvironmentName::AppService, app_service::ask),
    (EnvironmentName::Arc, arc::ask),
    (EnvironmentName::Imds, imds::ask),
];

const PRINCIPAL: &[EnvironmentName] = &[EnvironmentName::ServicePrincipal];
const WORKLOAD: &[EnvironmentName] = &[EnvironmentName::WorkloadIdentity];
const MANAGED: &[EnvironmentName] =
    &[EnvironmentName::AppService, EnvironmentName::Arc, EnvironmentName::Imds];

impl Options {
    /// The options that have a meaning in these environments only, and whether they were given.
    fn of_environments(&self) -> [(&'static str, bool, &'static [EnvironmentName]); 6] {
        [
            ("client-secret", self.client_secret.is_some(), PRINCIPAL),
            ("client-cert", self.client_cert.is_some(), PRINCIPAL),
            ("client-key", self.client_key.is_some(), PRINCIPAL),
            ("federated-token-file", self.federated_token_file.is_some(), WORKLOAD),
            ("object-id", self.object_id.is_some(), MANAGED),
            ("identity-resource-id", self.identity_resource_id.is_some(), MANAGED),
        ]
    }
}

/// The answer of an environment, and the address that gave it.
type Answer = (Map<String, Value>, Url);

/// What an environment has.
type Lookup = lookup::Lookup<Answer>;

const SEARCH: Search =
    Search { what: "Azure identity", fix: "set up one of these, or choose another --environment" };

#[derive(Debug)]
struct Azure {
    environments: Vec<(EnvironmentName, Ask)>,
    options: Options,
    /// The managed identity that an option names.
    identity: Option<Identity>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    refuse_two(&[
        ("client-secret", options.client_secret.is_some()),
        ("client-cert", options.client_cert.is_some()),
    ])?;
    refuse_two(&[
        ("client-id", options.client_id.is_some()),
        ("object-id", options.object_id.is_some()),
        ("identity-resource-id", options.identity_resource_id.is_some()),
    ])?;
    if options.client_key.is_some() && options.client_cert.is_none() {
        return Err(missing("client-cert"));
    }
    let (environments, identity) = (environments(&options)?, Identity::new(&options));
    Ok(Box::new(Azure { environments, options, identity }))
}

/// Refuses two options that exclude each other.
fn refuse_two(options: &[(&str, bool)]) -> Result<(), Error> {
    let given: Vec<&str> = options.iter().filter(|row| row.1).map(|row| row.0).collect();
    let [first, second, ..] = given[..] else { return Ok(()) };
    Err(Error::new(Kind::Usage, format!("--{first} and --{second} exclude each other"))
        .fix("remove one of the two"))
}

/// The environments that the options leave.
fn environments(options: &Options) -> Result<Vec<(EnvironmentName, Ask)>, Error> {
    let mut left = ENVIRONMENTS.to_vec();
    if let Some(chosen) = options.environment {
        left.retain(|(name, _)| *name == chosen);
    }
    for (option, _, of) in options.of_environments().iter().filter(|(_, given, _)| *given) {
        left.retain(|(name, _)| of.contains(name));
        if left.is_empty() {
            let of: Vec<&str> = of.iter().map(|name| name.word()).collect();
            let what = format!("--{option} has no meaning beside the other options");
            let fix = format!("it is for --environment={}", of.join(" or --environment="));
            return Err(Error::new(Kind::Usage, what).fix(fix));
        }
    }
    Ok(left)
}

impl Source for Azure {
    fn trust(&self) -> Trust {
        // The issuer has the tenant's id, for which a domain can stand in the option.
        let tenant = self.options.tenant_id.as_deref().filter(|tenant| !tenant.contains('.'));
        let tenant = tenant.unwrap_or("TENANT_ID");
        Trust::issuer(&format!("https://sts.windows.net/{tenant}/"))
            .for_audience(&self.options.resource)
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let (answer, url) = self.find(cx)?;
        let what = format!("the access_token of {url}");
        let Some(text) = answer.get("access_token").and_then(Value::as_str) else {
            return Err(Error::new(
                Kind::Protocol,
                format!("the answer of {url} has no access_token"),
            )
            .fix("check that Azure answers there, and no other program"));
        };
        let renew = "the clocks of this host and of Azure may differ".to_owned();
        let origin = Origin { what, option: "--resource", renew };
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&Secret::new(text), request.token_type, now, &origin)?;
        token.expiry = token.expiry.or_else(|| expiry(&answer, now));
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }
}

impl Azure {
    /// Asks one environment after the other.
    ///
    /// # Errors
    /// Those of [`Search::first`].
    fn find(&self, cx: &Context) -> Result<Answer, Error> {
        let places = self.environments.iter().map(|(name, ask)| (name.word(), ask));
        SEARCH.first(places, |ask| ask(self, cx), &cx.log).map(|(_, answer)| answer)
    }
}

/// When the token ends, for one that does not say so itself: managed identities write numbers as
/// text.
fn expiry(answer: &Map<String, Value>, now: i64) -> Option<i64> {
    let seconds = |name: &str| match answer.get(name)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    };
    seconds("expires_on").or_else(|| Some(now.saturating_add(seconds("expires_in")?)))
}
