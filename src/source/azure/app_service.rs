//! The managed identity of App Service, Functions, Container Apps and Automation.
//!
//! The platform sets two variables: `IDENTITY_ENDPOINT`, a URL on the same host, and
//! `IDENTITY_HEADER`, a secret that each request to that URL must contain.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::secret::Secret;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";
const MSI_ENDPOINT: &str = "MSI_ENDPOINT";
const MSI_SECRET: &str = "MSI_SECRET";
const THUMBPRINT: &str = "IDENTITY_SERVER_THUMBPRINT";

pub(super) fn request_token(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let Some(address) = cx.env.text(ENDPOINT)? else {
        refuse_msi(cx)?;
        return Ok(Lookup::absent(format!("{ENDPOINT} is not set")));
    };
    let Some(header) = cx.env.text(HEADER)? else {
        return match cx.env.text(IMDS_ENDPOINT)? {
            Some(_) => Ok(Lookup::absent(format!("{HEADER} is not set"))),
            None => {
                let what = format!("{ENDPOINT} is set, but neither {HEADER} nor {IMDS_ENDPOINT}");
                let fix = format!("set {HEADER} or {IMDS_ENDPOINT}, or unset {ENDPOINT}");
                Err(Error::new(Kind::Configuration, what).fix(fix))
            }
        };
    };
    if cx.env.text(THUMBPRINT)?.is_some() {
        return Err(unsupported("Service Fabric", THUMBPRINT));
    }
    let endpoint = Endpoint {
        address,
        variable: ENDPOINT,
        api_version: "2019-08-01",
        resource_id: "mi_res_id",
        check: "IDENTITY_HEADER, which changes whenever the app starts",
    };
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.token_url(&azure.options.resource, identity.as_ref())?;
    let get = endpoint.get(&url).header("X-IDENTITY-HEADER", Secret::new(header));
    let response = cx.send(get)?;
    endpoint.read(response, url, identity.as_ref())
}

/// Refuses the platforms that set `MSI_ENDPOINT`. App Service sets it too, together with
/// `IDENTITY_ENDPOINT`.
fn refuse_msi(cx: &Context) -> Result<(), Error> {
    match (cx.env.text(MSI_ENDPOINT)?, cx.env.text(MSI_SECRET)?) {
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(unsupported("Azure Machine Learning", MSI_ENDPOINT)),
        (Some(_), None) => Err(unsupported("Azure Cloud Shell", MSI_ENDPOINT)),
    }
}

/// The error for a platform whose own identity would otherwise be replaced by that of the machine.
fn unsupported(platform: &str, variable: &str) -> Error {
    let what = format!("the managed identity of {platform} is not supported");
    Error::new(Kind::Configuration, what).cause(format!("{variable} is set")).fix(format!(
        "set --environment to use the identity of another environment, or unset {variable}"
    ))
}
