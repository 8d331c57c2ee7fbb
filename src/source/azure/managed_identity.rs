//! What the endpoints of managed identities have in common: a GET with the resource and, of several
//! identities, the one that is meant.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>

use super::{Azure, Lookup, Options, aadsts};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url, form};

/// A user-assigned managed identity, by one of its ids.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: String,
    /// The option or variable that named it.
    pub(super) option: &'static str,
    /// The parameter in which it is sent; `None` for that of a resource id, which differs.
    parameter: Option<&'static str>,
}

impl Identity {
    /// The identity that an option names.
    pub(super) fn new(options: &Options) -> Option<Identity> {
        let named = |id: &Option<String>, option, parameter| {
            Some(Identity { id: id.clone()?, option, parameter })
        };
        named(&options.client_id, "--client-id", Some("client_id"))
            .or_else(|| named(&options.object_id, "--object-id", Some("object_id")))
            .or_else(|| named(&options.identity_resource_id, "--identity-resource-id", None))
    }

    /// The identity that an option or else the environment names; `None` for the machine's own.
    pub(super) fn find(azure: &Azure, cx: &Context) -> Result<Option<Identity>, Error> {
        if let Some(identity) = &azure.identity {
            return Ok(Some(identity.clone()));
        }
        let (option, parameter) = ("AZURE_CLIENT_ID", Some("client_id"));
        Ok(cx.env.text(option)?.map(|id| Identity { id, option, parameter }))
    }
}

/// An endpoint that gives tokens of managed identities.
pub(super) struct Endpoint {
    /// Its address.
    pub(super) address: String,
    /// The variable that names it.
    pub(super) variable: &'static str,
    pub(super) api_version: &'static str,
    /// The parameter in which it takes a resource id.
    pub(super) resource_id: &'static str,
    /// What to check when it does not believe who asks.
    pub(super) check: &'static str,
}

impl Endpoint {
    /// The parameter in which an identity is sent.
    pub(super) fn parameter(&self, identity: &Identity) -> &'static str {
        identity.parameter.unwrap_or(self.resource_id)
    }

    /// The address of a token for this resource and identity.
    pub(super) fn url(&self, resource: &str, identity: Option<&Identity>) -> Result<Url, Error> {
        let mut fields = vec![("api-version", self.api_version), ("resource", resource)];
        fields.extend(identity.map(|identity| (self.parameter(identity), identity.id.as_str())));
        self.at(&format!("{}?{}", self.address, form::encode(fields.into_iter())))
    }

    /// An address at this endpoint.
    pub(super) fn at(&self, address: &str) -> Result<Url, Error> {
        let variable = self.variable;
        Url::parse(address).map_err(|why| {
            Error::new(Kind::Configuration, format!("{variable} {why}"))
                .fix(format!("correct {variable}: the platform sets it"))
        })
    }

    /// A request that no proxy carries: through one it would come from another machine.
    pub(super) fn get<'a>(&self, url: &'a Url) -> Request<'a> {
        Request::get(url, self.variable).header("Metadata", "true").direct()
    }

    /// Takes the answer, or says what to change after a refusal.
    pub(super) fn read(
        &self,
        response: Response,
        url: Url,
        identity: Option<&Identity>,
    ) -> Result<Lookup, Error> {
        let refusal = self.explain(&response, identity);
        let response = response.require_success().map_err(|error| match refusal {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        Ok(Lookup::Found((response.json()?, url)))
    }

    fn explain(&self, response: &Response, identity: Option<&Identity>) -> Option<(Kind, String)> {
        let words = response.error_text().unwrap_or_default();
        if let Some((kind, fix)) = aadsts::explain(&words) {
            return Some((kind, fix.to_owned()));
        }
        let words = words.to_ascii_lowercase();
        let unknown = UNKNOWN.iter().any(|text| words.contains(text));
        Some(match (response.status, identity) {
            (400, _) if words.contains("multiple user assigned identities") => {
                (Kind::Configuration, "name the one that is meant with --client-id=…".to_owned())
            }
            (status, Some(Identity { option, .. })) if unknown || status == 404 => {
                let fix = format!(
                    "assign that identity to this machine or app (az vm identity assign \
                     --identities, az webapp identity assign --identities), or check {option}"
                );
                (Kind::Configuration, fix)
            }
            (_, None) if unknown => (
                Kind::Absent,
                "give this machine or app an identity (az vm identity assign, az webapp identity \
                 assign), or name a user-assigned one with --client-id=…"
                    .to_owned(),
            ),
            (401 | 403, _) => (Kind::Denied, format!("check {}", self.check)),
            (400, _) => (Kind::Configuration, "check --resource".to_owned()),
            (500, _) => (
                Kind::Unreachable,
                "try again later, and check --resource: some answer so to an unknown one"
                    .to_owned(),
            ),
            _ => return None,
        })
    }
}

/// How the endpoints say that they do not know an identity, in lower case.
const UNKNOWN: [&str; 4] = [
    "identity not found",
    "no user assigned or delegated managed identity found",
    "unable to load requested managed identity",
    "no managed identity found",
];
