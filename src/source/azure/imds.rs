//! The managed identity of a virtual machine or scale set, from the Azure Instance Metadata
//! Service.
//!
//! A request without the header `Metadata` fails at once, which shows that the service exists.
//! During an update the service responds with status 404 or 410, for at most 70 seconds.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>

use std::time::Duration;

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, retry};

const HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// The timeout of the request without `Metadata`. Outside Azure there is usually no response at
/// all.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn request_token(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let host = cx.env.text(HOST)?.unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let host = host.trim_end_matches('/');
    let endpoint = Endpoint {
        address: format!("{host}/metadata/identity/oauth2/token"),
        variable: HOST,
        api_version: "2018-02-01",
        resource_id: "msi_res_id",
        check: "that requests to the instance metadata do not go through a proxy",
    };
    if let Some(why) = probe(&endpoint, host, cx)? {
        return Ok(Lookup::Absent(why));
    }
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.token_url(&azure.options.resource, identity.as_ref())?;
    let is_updating = |status| matches!(status, 404 | 410);
    let response = retry::ask(
        cx.deadline,
        |response| retry::is_passing(response.status) || is_updating(response.status),
        || cx.send(endpoint.get(&url).once()),
    )?;
    let status = response.status;
    endpoint.read(response, url, identity.as_ref()).map_err(|error| match is_updating(status) {
        true => error.of_kind(Kind::Unreachable).fix(
            "try again in a minute, because the instance metadata service may be updating, and \
             check that this host is an Azure virtual machine",
        ),
        false => error,
    })
}

/// Tests whether there is an instance metadata service of Azure. Returns the reason if there is
/// none.
fn probe(endpoint: &Endpoint, host: &str, cx: &Context) -> Result<Option<String>, Error> {
    let url = endpoint.parse_url(&endpoint.address)?;
    match cx.send(Request::get(&url, HOST).direct().once().limit(PROBE_TIMEOUT)) {
        Ok(response) if matches!(response.status, 401 | 403) => {
            Ok(Some(format!("not Azure at {host}, HTTP status {}", response.status)))
        }
        Err(error) if error.kind() == Kind::Unreachable => {
            Ok(Some(format!("no response from {host}")))
        }
        result => result.map(|_| None),
    }
}
