//! Azure: an access token from Microsoft Entra ID for a workload.
//!
//! The identity is one of these, in the order of the Azure SDKs: a service principal, a workload
//! identity of AKS, or the managed identity of Service Fabric, App Service, Machine Learning, the
//! Cloud Shell, a server with Azure Arc, or a virtual machine. If an environment is not configured, the
//! search continues with the next one. If an environment is configured but fails, the search ends with
//! that failure.
//!
//! The token is a JWT. Its audience is the application that `--resource` names, which must be an
//! allowed audience of the pool provider.
//! <https://learn.microsoft.com/azure/developer/python/sdk/authentication/credential-chains>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>
//!
//! Not supported: users who sign in. Their variables are errors, because another identity would be
//! used otherwise.

mod aadsts;
mod app_service;
mod arc;
mod client_credential;
mod entra;
mod environment;
mod imds;
mod managed_identity;
mod msi;
mod options;
mod service_fabric;

use serde_json::{Map, Value};

use self::environment::Environment;
use self::managed_identity::Identity;
use self::options::Options;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::lookup::{self, Search};
use crate::options::Values;
use crate::secret::Secret;
use crate::time;
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "azure",
    also: &["entra", "aad", "msi", "managed-identity", "azure-ad"],
    summary: "an Azure service principal, workload identity or managed identity",
    options: &[Options::TABLE],
    rest: None,
    variables: environment::VARIABLES,
    example: "wif-token azure --resource=api://my-app --environment=imds",
    build,
};

const SEARCH: Search = Search {
    what: "Azure identity",
    fix: "assign a managed identity, or set --environment and the options of that environment",
};

/// The JSON object in the response of a token endpoint, and the URL of that endpoint.
type TokenResponse = (Map<String, Value>, Url);

/// The result of the search in one environment.
type Lookup = lookup::Lookup<TokenResponse>;

/// The source `azure`.
#[derive(Debug)]
struct Azure {
    environments: Vec<Environment>,
    options: Options,
    /// The managed identity that an option selects.
    identity: Option<Identity>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let mut options = Options::read(values)?;
    options.refuse_contradictions()?;
    let key = options.client_key.take();
    options.client_key =
        key.map(|key| key.with_pin(options.pin.clone(), "--client-key")).transpose()?;
    let (environments, identity) = (environment::select(&options)?, Identity::new(&options));
    Ok(Box::new(Azure { environments, options, identity }))
}

impl Source for Azure {
    fn trust(&self) -> Trust {
        // The issuer contains the tenant ID; the option may instead contain a domain of the tenant.
        let tenant = self.options.tenant_id.as_deref().filter(|tenant| !tenant.contains('.'));
        let tenant = tenant.unwrap_or("TENANT_ID");
        Trust::issuer(&format!("https://sts.windows.net/{tenant}/"))
            .for_audience(&self.options.resource)
            .explain(
                "TENANT_ID",
                "the tenant ID in the output of: az account show --query tenantId",
            )
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let (response, url) = self.find(cx)?;
        let what = format!("the response from {url}");
        let Some(text) = response.get("access_token").and_then(Value::as_str) else {
            return Err(Error::new(Kind::Protocol, format!("{what} has no access_token"))
                .fix("check that this URL is a token endpoint of Azure"));
        };
        let renew = "check the clocks of this host and of Azure".to_owned();
        let origin = Origin::new(what, "--resource", renew);
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&Secret::new(text), request.token_type, now, &origin)?;
        token.expiry = token.expiry.or_else(|| expiry(&response, now));
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }
}

impl Azure {
    /// Requests a token in the first environment that is configured.
    ///
    /// # Errors
    /// The errors of [`Search::first`].
    fn find(&self, cx: &Context) -> Result<TokenResponse, Error> {
        let environments = environment::allowed(&self.environments, cx)?;
        let places = environments.iter().map(|row| (row.name.word(), row.request_token));
        SEARCH.first(places, |request| request(self, cx), &cx.log).map(|(_, response)| response)
    }
}

/// The expiry that the response states, in seconds since 1970-01-01 UTC, for a token that does not
/// contain its expiry. Managed identity endpoints write numbers as strings.
fn expiry(response: &Map<String, Value>, now: i64) -> Option<i64> {
    let lifetime = || Some(now + time::lifetime(response.get("expires_in")?)?);
    let stated = response.get("expires_on").and_then(time::instant);
    stated.map(|expiry| time::limited(expiry, now)).or_else(lifetime)
}
