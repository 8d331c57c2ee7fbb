//! The managed identity of a Service Fabric application.
//!
//! The platform sets three variables: `IDENTITY_ENDPOINT`, an https URL, `IDENTITY_HEADER`, a
//! secret that each request must contain, and `IDENTITY_SERVER_THUMBPRINT`, the SHA-1 hash of the
//! server's certificate, which no authority has issued. The application model of the cluster
//! selects the identity, so a request cannot name one.
//! <https://learn.microsoft.com/azure/service-fabric/how-to-managed-identity-service-fabric-app-code>

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Pin, Request};
use crate::options::Thumbprint;
use crate::secret::Secret;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
pub(super) const THUMBPRINT: &str = "IDENTITY_SERVER_THUMBPRINT";

pub(super) fn request_token(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let text = |name| cx.env.text(name);
    let (Some(address), Some(header), Some(thumbprint)) =
        (text(ENDPOINT)?, text(HEADER)?, text(THUMBPRINT)?)
    else {
        return Ok(Lookup::absent(format!(
            "{ENDPOINT}, {HEADER} and {THUMBPRINT} are not all set"
        )));
    };
    Identity::refuse(azure, "Service Fabric", cx)?;
    let wrong = |what: String| {
        Error::new(Kind::Configuration, what)
            .fix(format!("unset {THUMBPRINT} if the platform did not set it"))
    };
    let sha1 = Thumbprint::parse(&thumbprint).ok_or_else(|| {
        wrong(format!("{THUMBPRINT} is not a SHA-1 hash of 40 hexadecimal digits"))
    })?;
    let endpoint = Endpoint {
        address,
        variable: ENDPOINT,
        api_version: "2019-07-01-preview",
        resource_id: "mi_res_id",
        check: "IDENTITY_HEADER, which changes whenever the application starts",
    };
    let url = endpoint.token_url(&azure.options.resource, None)?;
    if !url.is_https() {
        return Err(wrong(format!("{ENDPOINT} must be an https:// URL in Service Fabric")));
    }
    let pin = Pin { sha1: *sha1.as_bytes(), place: THUMBPRINT };
    let cx = cx.narrowed(|_, http| http.tls.pin = Some(pin));
    let get = Request::get(&url, ENDPOINT).direct().header("Secret", Secret::new(header));
    let response = cx.send(get)?;
    endpoint.read(response, url, None).map_err(|error| match error.kind() {
        Kind::Absent => error.fix("declare the managed identity in the application manifest"),
        _ => error,
    })
}
