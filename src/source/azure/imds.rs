//! The managed identity of a virtual machine or scale set, from the Azure Instance Metadata Service.
//!
//! Without the header `Metadata` it refuses at once, which tells whether it is there. While it is
//! being updated it answers 404 or 410, for a minute at most.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>

use std::time::Duration;

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, retry};

const HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// How long it may take to refuse: outside Azure nobody answers.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

pub(super) fn ask(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let host = cx.env.text(HOST)?.unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let host = host.trim_end_matches('/');
    let endpoint = Endpoint {
        address: format!("{host}/metadata/identity/oauth2/token"),
        variable: HOST,
        api_version: "2018-02-01",
        resource_id: "msi_res_id",
        check: "that no proxy stands before the instance metadata",
    };
    let bare = endpoint.at(&endpoint.address)?;
    let probe = Request::get(&bare, HOST).direct().once().limit(PROBE_LIMIT);
    match cx.send(probe) {
        Ok(response) if matches!(response.status, 401 | 403) => {
            let status = response.status;
            return Ok(Lookup::Absent(format!("{host} is not Azure's ({status})")));
        }
        Err(error) if error.kind() == Kind::Unreachable => {
            return Ok(Lookup::Absent(format!("no answer from {host} within a second")));
        }
        answer => answer?,
    };
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.url(&azure.options.resource, identity.as_ref())?;
    let updating = |status| matches!(status, 404 | 410);
    let again = |status| retry::is_passing(status) || updating(status);
    let response = retry::ask(
        cx.deadline,
        |response| again(response.status),
        || cx.send(endpoint.get(&url).once()),
    )?;
    let status = response.status;
    endpoint.read(response, url, identity.as_ref()).map_err(|error| match updating(status) {
        true => error.of_kind(Kind::Unreachable).fix(
            "the instance metadata are being updated, or this is no Azure machine: try again in a \
             minute",
        ),
        false => error,
    })
}
