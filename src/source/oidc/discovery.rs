//! The issuer's metadata (OpenID Connect Discovery 1.0, section 4).

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};

/// What the issuer says of itself.
#[derive(Debug)]
pub(in crate::source) struct Metadata {
    /// What the issuer calls itself.
    pub(in crate::source) issuer: String,
    /// The token endpoint.
    pub(in crate::source) token_endpoint: Url,
    /// Where all this was read.
    address: Url,
    members: Map<String, Value>,
}

impl Metadata {
    /// Reads the metadata of `issuer`, whose own name in it has to be the same (section 4.3).
    pub(in crate::source) fn discover(issuer: &Url, cx: &Context) -> Result<Metadata, Error> {
        let typed = issuer.as_typed();
        let address = format!("{}/.well-known/openid-configuration", typed.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|why| {
            Error::new(Kind::Usage, format!("--issuer {why}")).fix("give it without a query")
        })?;
        let response = cx.send(Request::get(&address, "--issuer"))?;
        let metadata = response.require_success()?.json()?;
        let issuer_there = metadata.get("issuer").and_then(Value::as_str).unwrap_or("");
        if issuer_there.trim_end_matches('/') != typed.trim_end_matches('/') {
            let what = format!("{address} is the metadata of another issuer");
            let fix = match Url::parse(issuer_there) {
                Ok(there) => format!("use --issuer={} if you trust it", there.as_typed()),
                Err(_) => "check --issuer".to_owned(),
            };
            return Err(Error::new(Kind::Configuration, what).fix(fix));
        }
        let token_endpoint = endpoint("token_endpoint", &metadata, &address)?.ok_or_else(|| {
            Error::new(Kind::Protocol, format!("{address} names no token_endpoint"))
                .fix("check --issuer")
        })?;
        let issuer = issuer_there.to_owned();
        Ok(Metadata { issuer, token_endpoint, address, members: metadata })
    }

    /// The address of this endpoint, where the issuer has one.
    pub(super) fn endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        endpoint(name, &self.members, &self.address)
    }

    /// The one for clients with a certificate (RFC 8705, section 5), where there is another.
    pub(super) fn mtls_endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        let aliases = self.members.get("mtls_endpoint_aliases").and_then(Value::as_object);
        aliases.map_or(Ok(None), |aliases| endpoint(name, aliases, &self.address))
    }
}

fn endpoint(name: &str, members: &Map<String, Value>, address: &Url) -> Result<Option<Url>, Error> {
    let Some(text) = members.get(name).and_then(Value::as_str) else {
        return Ok(None);
    };
    Url::parse(text).map(Some).map_err(|_| {
        Error::new(Kind::Protocol, format!("the {name} in {address} is no address"))
            .fix("check --issuer")
    })
}
