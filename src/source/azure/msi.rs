//! The managed identity of Azure Machine Learning, and the user of an Azure Cloud Shell.
//!
//! Both platforms set `MSI_ENDPOINT`, and only Machine Learning sets `MSI_SECRET`. App Service sets
//! both too, for earlier versions of its API, together with `IDENTITY_ENDPOINT`. Microsoft
//! documents the API of Machine Learning only by its client library:
//! <https://github.com/Azure/azure-sdk-for-python/tree/main/sdk/identity/azure-identity>,
//! <https://learn.microsoft.com/azure/cloud-shell/msi-authorization>

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::Error;
use crate::http::Request;
use crate::secret::Secret;

const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
const ENDPOINT: &str = "MSI_ENDPOINT";
const SECRET: &str = "MSI_SECRET";

fn endpoint(address: String, check: &'static str) -> Endpoint {
    let (variable, api_version, resource_id) = (ENDPOINT, "2017-09-01", "msi_res_id");
    Endpoint { address, variable, api_version, resource_id, check }
}

/// The URL in `MSI_ENDPOINT`, unless App Service has set it.
fn address(cx: &Context) -> Result<Option<String>, Error> {
    let is_app_service = cx.env.text(IDENTITY_ENDPOINT)?.is_some();
    Ok(cx.env.text(ENDPOINT)?.filter(|_| !is_app_service))
}

pub(super) fn machine_learning(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let (Some(address), Some(secret)) = (address(cx)?, cx.env.text(SECRET)?) else {
        return Ok(Lookup::absent(format!("{ENDPOINT} and {SECRET} are not both set")));
    };
    let endpoint = endpoint(address, SECRET);
    let identity = Identity::find(azure, cx)?.map(|identity| identity.client_id_as("clientid"));
    let url = endpoint.token_url(&azure.options.resource, identity.as_ref())?;
    let get = Request::get(&url, ENDPOINT).direct().header("secret", Secret::new(secret));
    let response = cx.send(get)?;
    endpoint.read(response, url, identity.as_ref())
}

pub(super) fn cloud_shell(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let (Some(address), None) = (address(cx)?, cx.env.text(SECRET)?) else {
        return Ok(Lookup::absent(format!("{ENDPOINT} is not set")));
    };
    Identity::refuse(azure, "Azure Cloud Shell", cx)?;
    let endpoint = endpoint(address, "that the session of the Cloud Shell has not ended");
    let url = endpoint.parse_url(&endpoint.address)?;
    let post = Request::post(&url, ENDPOINT)
        .direct()
        .header("Metadata", "true")
        .field("resource", azure.options.resource.as_str());
    let response = cx.send(post)?;
    endpoint.read(response, url, None)
}
