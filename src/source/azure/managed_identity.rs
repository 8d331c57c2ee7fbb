//! What the token endpoints of managed identities have in common.
//!
//! A GET request names the resource and the API version. On a machine or app with several
//! user-assigned identities, the request also names the identity, by its client ID, object ID or
//! resource ID. The endpoints differ in how they authenticate the caller.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>

use super::{Azure, Lookup, Options, aadsts};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url, form};

/// A user-assigned managed identity, by one of its IDs.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: String,
    /// The option or variable that names the identity.
    pub(super) option: &'static str,
    /// The query parameter of the ID; `None` for a resource ID, whose parameter differs by
    /// endpoint.
    parameter: Option<&'static str>,
}

impl Identity {
    /// Creates the identity that an option names.
    pub(super) fn new(options: &Options) -> Option<Identity> {
        let identity = |id: &Option<String>, option, parameter| {
            Some(Identity { id: id.clone()?, option, parameter })
        };
        identity(&options.client_id, "--client-id", Some("client_id"))
            .or_else(|| identity(&options.object_id, "--object-id", Some("object_id")))
            .or_else(|| identity(&options.identity_resource_id, "--identity-resource-id", None))
    }

    /// Finds the identity that an option or `AZURE_CLIENT_ID` names; `None` for the system-assigned
    /// identity.
    pub(super) fn find(azure: &Azure, cx: &Context) -> Result<Option<Identity>, Error> {
        if let Some(identity) = &azure.identity {
            return Ok(Some(identity.clone()));
        }
        let (option, parameter) = ("AZURE_CLIENT_ID", Some("client_id"));
        Ok(cx.env.text(option)?.map(|id| Identity { id, option, parameter }))
    }

    /// Refuses an option or variable that names an identity on a platform that selects it.
    ///
    /// # Errors
    /// `CONFIGURATION` with that option or variable.
    pub(super) fn refuse(azure: &Azure, platform: &str, cx: &Context) -> Result<(), Error> {
        let Some(Identity { option, .. }) = Identity::find(azure, cx)? else { return Ok(()) };
        let verb = if option.starts_with("--") { "remove" } else { "unset" };
        Err(Error::new(Kind::Configuration, format!("{option} cannot select an identity"))
            .cause(format!("{platform} selects the identity itself"))
            .fix(format!("{verb} {option}")))
    }

    /// Changes the query parameter to `name` if the ID is a client ID, for an endpoint that uses
    /// this name.
    pub(super) fn client_id_as(self, name: &'static str) -> Identity {
        let renamed = |old| if old == "client_id" { name } else { old };
        Identity { parameter: self.parameter.map(renamed), ..self }
    }
}

/// A token endpoint of managed identities.
pub(super) struct Endpoint {
    /// The URL without a query.
    pub(super) address: String,
    /// The variable that overrides the URL.
    pub(super) variable: &'static str,
    pub(super) api_version: &'static str,
    /// The query parameter of a resource ID.
    pub(super) resource_id: &'static str,
    /// What to check if the endpoint responds with status 401 or 403.
    pub(super) check: &'static str,
}

impl Endpoint {
    /// The query parameter of an identity.
    pub(super) fn parameter(&self, identity: &Identity) -> &'static str {
        identity.parameter.unwrap_or(self.resource_id)
    }

    /// The URL to get a token for this resource and identity.
    ///
    /// # Errors
    /// The errors of [`Endpoint::parse_url`].
    pub(super) fn token_url(
        &self,
        resource: &str,
        identity: Option<&Identity>,
    ) -> Result<Url, Error> {
        let mut fields = vec![("api-version", self.api_version), ("resource", resource)];
        fields.extend(identity.map(|identity| (self.parameter(identity), identity.id.as_str())));
        self.parse_url(&format!("{}?{}", self.address, form::encode(fields.into_iter())))
    }

    /// Parses a URL of this endpoint.
    ///
    /// # Errors
    /// `CONFIGURATION` if it is not a URL.
    pub(super) fn parse_url(&self, address: &str) -> Result<Url, Error> {
        let variable = self.variable;
        Url::parse(address).map_err(|why| {
            Error::new(Kind::Configuration, format!("{variable} {why}"))
                .fix(format!("correct {variable}, or unset it if the platform did not set it"))
        })
    }

    /// Creates a GET request without a proxy, because the endpoint accepts only requests from this
    /// host.
    pub(super) fn get<'a>(&self, url: &'a Url) -> Request<'a> {
        Request::get(url, self.variable).header("Metadata", "true").direct()
    }

    /// Reads the JSON object in a response.
    ///
    /// # Errors
    /// `ABSENT` if there is no identity, `DENIED` or `CONFIGURATION` if the endpoint refuses the
    /// request, `PROTOCOL` if the response is not JSON.
    pub(super) fn read(
        &self,
        response: Response,
        url: Url,
        identity: Option<&Identity>,
    ) -> Result<Lookup, Error> {
        let reason = self.explain(&response, identity);
        let response = response.require_success().map_err(|error| match reason {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        Ok(Lookup::Found((response.json()?, url)))
    }

    /// The kind and the fix for an error response.
    fn explain(&self, response: &Response, identity: Option<&Identity>) -> Option<(Kind, String)> {
        let message = response.error_text().unwrap_or_default();
        if let Some(reason) = aadsts::explain(&message, None) {
            return Some(reason);
        }
        let message = message.to_ascii_lowercase();
        let is_unknown = UNKNOWN.iter().any(|text| message.contains(text));
        Some(match (response.status, identity) {
            (400, _) if message.contains("multiple user assigned identities") => {
                (Kind::Configuration, "set --client-id to one of the identities".to_owned())
            }
            (status, Some(Identity { option, .. })) if is_unknown || status == 404 => {
                let fix = format!(
                    "check {option}, or assign the identity to this machine or app (az vm identity \
                     assign --identities, az webapp identity assign --identities)"
                );
                (Kind::Configuration, fix)
            }
            (_, None) if message.contains(NO_DEFAULT) => (
                Kind::Configuration,
                "enable the system-assigned identity, which the app usually lacks (az webapp identity \
                 assign, az containerapp identity assign --system-assigned), or set --client-id to a \
                 user-assigned identity of this app"
                    .to_owned(),
            ),
            (_, None) if is_unknown => (
                Kind::Absent,
                "enable the system-assigned identity of this machine or app (az vm identity \
                 assign, az webapp identity assign), or set --client-id to a user-assigned identity"
                    .to_owned(),
            ),
            (401 | 403, _) => (Kind::Denied, format!("check {}", self.check)),
            (400, _) => (Kind::Configuration, "check --resource".to_owned()),
            (500, _) => (Kind::Unreachable, "check --resource, or try again later".to_owned()),
            _ => return None,
        })
    }
}

/// The message of App Service and Container Apps if the app does not have the requested identity,
/// or if the request names no identity and the app has no system-assigned one.
const NO_DEFAULT: &str = "unable to load the proper managed identity";

/// Parts of the error messages of the endpoints for an identity that does not exist or is not
/// assigned, in lower case.
const UNKNOWN: [&str; 6] = [
    NO_DEFAULT,
    "identity not found",
    "no user assigned or delegated managed identity found",
    "unable to load requested managed identity",
    "no managed identity found",
    "managedidentitynotfound",
];
