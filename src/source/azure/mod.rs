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
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::SecretRef;
use crate::options::{OptionInfo, Takes, Values, missing};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "azure",
    summary: "Azure: a service principal, workload identity or managed identity",
    options: &[
        OptionInfo::new(
            "resource",
            Takes::Text("APP_ID_URI"),
            "the application ID URI that the token is for",
        )
        .required(),
        OptionInfo::new(
            "environment",
            Takes::Choice(&[
                "service-principal",
                "workload-identity",
                "app-service",
                "arc",
                "imds",
            ]),
            "take the token here alone; by default from the first of these that there is",
        ),
        OptionInfo::new(
            "tenant-id",
            Takes::Text("ID"),
            "the tenant of a service principal or workload identity; AZURE_TENANT_ID by default",
        ),
        OptionInfo::new(
            "client-id",
            Takes::Text("ID"),
            "the application, or the managed identity among several; AZURE_CLIENT_ID by default",
        ),
        OptionInfo::new("object-id", Takes::Text("ID"), "the managed identity by its object id"),
        OptionInfo::new(
            "identity-resource-id",
            Takes::Text("ID"),
            "the managed identity by its Azure resource id",
        ),
        OptionInfo::new(
            "client-secret",
            Takes::Secret,
            "the secret of a service principal; AZURE_CLIENT_SECRET by default",
        ),
        OptionInfo::new(
            "client-cert",
            Takes::Path("PEM"),
            "the certificate of a service principal; AZURE_CLIENT_CERTIFICATE_PATH by default",
        ),
        OptionInfo::new(
            "client-key",
            Takes::Path("PEM"),
            "its RSA key, where that stands in a file of its own",
        ),
        OptionInfo::new(
            "federated-token-file",
            Takes::Path("FILE"),
            "the token of a workload identity; AZURE_FEDERATED_TOKEN_FILE by default",
        ),
        OptionInfo::new(
            "authority-host",
            Takes::Url,
            "Microsoft Entra ID of another cloud; AZURE_AUTHORITY_HOST by default",
        ),
    ],
    rest: None,
    build,
};

/// An environment: its name in `--environment`, and how to ask it.
type Environment = (&'static str, fn(&Azure, &Context) -> Result<Lookup, Error>);

const ENVIRONMENTS: [Environment; 5] = [
    ("service-principal", entra::service_principal),
    ("workload-identity", entra::workload_identity),
    ("app-service", app_service::ask),
    ("arc", arc::ask),
    ("imds", imds::ask),
];

const MANAGED: &[&str] = &["app-service", "arc", "imds"];

/// The options that have a meaning in these environments alone.
const BELONGS: [(&str, &[&str]); 6] = [
    ("client-secret", &["service-principal"]),
    ("client-cert", &["service-principal"]),
    ("client-key", &["service-principal"]),
    ("federated-token-file", &["workload-identity"]),
    ("object-id", MANAGED),
    ("identity-resource-id", MANAGED),
];

/// Of these options one at most may be given.
const EXCLUSIVE: [&[&str]; 2] =
    [&["client-secret", "client-cert"], &["client-id", "object-id", "identity-resource-id"]];

/// What an environment has.
enum Lookup {
    /// Its answer, and the address that gave it.
    Found(Map<String, Value>, Url),
    /// Nothing, because of this.
    Absent(String),
}

#[derive(Debug)]
struct Azure {
    environments: Vec<Environment>,
    resource: String,
    tenant_id: Option<String>,
    client_id: Option<String>,
    /// The managed identity that an option names.
    identity: Option<Identity>,
    client_secret: Option<SecretRef>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    federated_token_file: Option<PathBuf>,
    authority_host: Option<Url>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let text = |name: &'static str| values.text(name).map(str::to_owned);
    let path = |name: &'static str| values.path(name).map(PathBuf::from);
    for options in EXCLUSIVE {
        let given: Vec<&str> = options.iter().copied().filter(|name| values.flag(name)).collect();
        if let [first, second, ..] = given[..] {
            return Err(Error::new(
                Kind::Usage,
                format!("--{first} and --{second} exclude each other"),
            )
            .fix("give one of them"));
        }
    }
    if values.flag("client-key") && !values.flag("client-cert") {
        return Err(missing("client-cert"));
    }
    Ok(Box::new(Azure {
        environments: environments(values)?,
        resource: text("resource").ok_or_else(|| missing("resource"))?,
        tenant_id: text("tenant-id"),
        client_id: text("client-id"),
        identity: Identity::new(values),
        client_secret: values.secret("client-secret").cloned(),
        client_cert: path("client-cert"),
        client_key: path("client-key"),
        federated_token_file: path("federated-token-file"),
        authority_host: values.url("authority-host").cloned(),
    }))
}

/// The environments that the options leave.
fn environments(values: &Values) -> Result<Vec<Environment>, Error> {
    let mut left = ENVIRONMENTS.to_vec();
    if let Some(chosen) = values.text("environment") {
        left.retain(|(name, _)| *name == chosen);
    }
    for (option, of) in BELONGS.iter().filter(|(option, _)| values.flag(option)) {
        left.retain(|(name, _)| of.contains(name));
        if left.is_empty() {
            let what = format!("--{option} has no meaning beside the other options");
            let fix = format!("it is for --environment={}", of.join(", "));
            return Err(Error::new(Kind::Usage, what).fix(fix));
        }
    }
    Ok(left)
}

impl Source for Azure {
    fn trust(&self) -> Trust {
        // The issuer has the tenant's id, for which a domain can stand in the option.
        let tenant = self.tenant_id.as_deref().filter(|tenant| !tenant.contains('.'));
        let tenant = tenant.unwrap_or("TENANT_ID");
        Trust::issuer(&format!("https://sts.windows.net/{tenant}/")).for_audience(&self.resource)
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
    /// `ABSENT` with each one and what it lacks; else what is wrong with the one that is there.
    fn find(&self, cx: &Context) -> Result<(Map<String, Value>, Url), Error> {
        let mut absent = Vec::new();
        for (name, ask) in &self.environments {
            match ask(self, cx)? {
                Lookup::Found(answer, url) => {
                    cx.log.line(format!("Azure environment: {name}"));
                    return Ok((answer, url));
                }
                Lookup::Absent(why) => absent.push(format!("{name}: {why}")),
            }
        }
        Err(Error::new(Kind::Absent, "there is no Azure identity here")
            .cause(absent.join(", "))
            .fix("set up one of these, or choose another --environment"))
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
