//! The managed identity of App Service, Functions, Container Apps and Automation: an endpoint that
//! the platform puts beside the app, and a header that only the app knows.
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::Error;
use crate::secret::Secret;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
const THUMBPRINT: &str = "IDENTITY_SERVER_THUMBPRINT";

pub(super) fn ask(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let absent = |why: String| Ok(Lookup::Absent(why));
    let Some(address) = cx.env.text(ENDPOINT)? else {
        return absent(format!("{ENDPOINT} is not set"));
    };
    let Some(header) = cx.env.text(HEADER)? else {
        return absent(format!("{HEADER} is not set"));
    };
    if cx.env.get(THUMBPRINT).is_some() {
        return absent(format!("{THUMBPRINT} is set: Service Fabric is not supported"));
    }
    let endpoint = Endpoint {
        address,
        variable: ENDPOINT,
        api_version: "2019-08-01",
        resource_id: "mi_res_id",
        check: "IDENTITY_HEADER: the platform changes it when the app starts",
    };
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.url(&azure.options.resource, identity.as_ref())?;
    let get = endpoint.get(&url).header("X-IDENTITY-HEADER", Secret::new(header));
    let response = cx.send(get)?;
    endpoint.read(response, url, identity.as_ref())
}
