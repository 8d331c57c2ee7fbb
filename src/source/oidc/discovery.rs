//! The metadata of an issuer (OpenID Connect Discovery 1.0, section 4).
//! <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};

/// The metadata of an issuer.
#[derive(Debug)]
pub(in crate::source) struct Metadata {
    /// The member `issuer`.
    pub(in crate::source) issuer: String,
    /// The member `token_endpoint`.
    pub(in crate::source) token_endpoint: Url,
    /// The URL of the metadata.
    url: Url,
    members: Map<String, Value>,
}

impl Metadata {
    /// Reads the metadata of `issuer`.
    ///
    /// # Errors
    /// `CONFIGURATION` if the metadata names a different issuer (section 4.3), `PROTOCOL` if it has
    /// no valid `token_endpoint`; the errors of the request.
    pub(in crate::source) fn discover(issuer: &Url, cx: &Context) -> Result<Metadata, Error> {
        let typed = issuer.as_typed();
        if let Some((issuer, _)) = typed.split_once("/.well-known/") {
            return Err(Error::new(Kind::Usage, "--issuer is the URL of the issuer's metadata")
                .fix(format!("use --issuer={issuer}")));
        }
        let url = format!("{}/.well-known/openid-configuration", typed.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|why| {
            Error::new(Kind::Usage, format!("--issuer {why}")).fix("remove the query from --issuer")
        })?;
        let response = cx.send(Request::get(&url, "--issuer"))?;
        let is_unknown = response.oauth_error().as_deref() == Some("invalid_tenant");
        let response = response.require_success().map_err(|error| match is_unknown {
            true => error.of_kind(Kind::Configuration).fix("check the tenant in --issuer"),
            false => error,
        })?;
        let members = response.json()?;
        let issuer = members.get("issuer").and_then(Value::as_str).unwrap_or("").to_owned();
        if issuer.trim_end_matches('/') != typed.trim_end_matches('/') {
            let what = format!("{url} is the metadata of a different issuer");
            let fix = match Url::parse(&issuer) {
                Ok(issuer) => format!("use --issuer={} if you trust it", issuer.as_typed()),
                Err(_) => "check --issuer".to_owned(),
            };
            return Err(Error::new(Kind::Configuration, what).fix(fix));
        }
        let token_endpoint = endpoint("token_endpoint", &members, &url)?.ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} has no token_endpoint"))
                .fix("check --issuer")
        })?;
        Ok(Metadata { issuer, token_endpoint, url, members })
    }

    /// The URL of an endpoint; `None` if the metadata does not contain it.
    pub(super) fn endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        endpoint(name, &self.members, &self.url)
    }

    /// The methods with which a client can authenticate at the token endpoint; empty if the metadata
    /// does not list them.
    pub(super) fn auth_methods(&self) -> Vec<&str> {
        let listed = self.members.get("token_endpoint_auth_methods_supported");
        listed.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The URL of an endpoint for clients with a certificate (RFC 8705, section 5); `None` if they
    /// use the same URL as other clients.
    pub(super) fn mtls_endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        let aliases = self.members.get("mtls_endpoint_aliases").and_then(Value::as_object);
        aliases.map_or(Ok(None), |aliases| endpoint(name, aliases, &self.url))
    }
}

fn endpoint(name: &str, members: &Map<String, Value>, url: &Url) -> Result<Option<Url>, Error> {
    let Some(text) = members.get(name).and_then(Value::as_str) else {
        return Ok(None);
    };
    Url::parse(text).map(Some).map_err(|_| {
        Error::new(Kind::Protocol, format!("the {name} in the response from {url} is not a URL"))
            .fix("check --issuer")
    })
}
