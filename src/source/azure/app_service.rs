//! The managed identity of App Service, Functions, Container Apps and Automation.
//!
//! The platform sets two variables: `IDENTITY_ENDPOINT`, a URL on the same host, and
//! `IDENTITY_HEADER`, a secret that each request to that URL must contain.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use super::managed_identity::{Endpoint, Identity};
use super::service_fabric::THUMBPRINT;
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::secret::Secret;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";

pub(super) fn request_token(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let Some(address) = cx.env.text(ENDPOINT)? else {
        return Ok(Lookup::absent(format!("{ENDPOINT} is not set")));
    };
    let Some(header) = cx.env.text(HEADER)? else {
        return match cx.env.text(IMDS_ENDPOINT)? {
            Some(_) => Ok(Lookup::absent(format!("{HEADER} is not set"))),
            None => {
                let what =
                    format!("{ENDPOINT} is set, but neither {HEADER} nor {IMDS_ENDPOINT} is set");
                let fix = format!("set {HEADER} or {IMDS_ENDPOINT}, or unset {ENDPOINT}");
                Err(Error::new(Kind::Configuration, what).fix(fix))
            }
        };
    };
    if cx.env.text(THUMBPRINT)?.is_some() {
        return Ok(Lookup::absent(format!("{THUMBPRINT} is set, which belongs to Service Fabric")));
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
