//! The issuer's metadata (OpenID Connect Discovery 1.0, section 4).

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Http, Request, Url};

/// Where the issuer gives tokens.
#[derive(Debug)]
pub(in crate::source) struct Metadata {
    /// What the issuer calls itself.
    pub(in crate::source) issuer: String,
    /// The token endpoint.
    pub(in crate::source) token_endpoint: Url,
    /// The one for clients with a certificate (RFC 8705, section 5), where there is one.
    pub(in crate::source) mtls_token_endpoint: Option<Url>,
}

impl Metadata {
    /// Reads the metadata of `issuer`, whose own name in it has to be the same (section 4.3).
    pub(in crate::source) fn discover(
        issuer: &Url,
        http: &Http,
        cx: &Context,
    ) -> Result<Metadata, Error> {
        let typed = issuer.as_typed();
        let address = format!("{}/.well-known/openid-configuration", typed.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|why| {
            Error::new(Kind::Usage, format!("--issuer {why}")).hint("give it without a query")
        })?;
        let response = http.send(Request::get(&address, "--issuer"), &cx.log)?;
        let metadata = response.require_success()?.json()?;
        let issuer_there = metadata.get("issuer").and_then(Value::as_str).unwrap_or("");
        if issuer_there.trim_end_matches('/') != typed.trim_end_matches('/') {
            let what = format!("{address} is the metadata of another issuer");
            let hint = match Url::parse(issuer_there) {
                Ok(there) => format!("use --issuer={} if you trust it", there.as_typed()),
                Err(_) => "check --issuer".to_owned(),
            };
            return Err(Error::new(Kind::Configuration, what).hint(hint));
        }
        let aliases = metadata.get("mtls_endpoint_aliases").and_then(Value::as_object);
        Ok(Metadata {
            issuer: issuer_there.to_owned(),
            token_endpoint: endpoint(&metadata, &address)?.ok_or_else(|| {
                Error::new(Kind::Protocol, format!("{address} names no token_endpoint"))
                    .hint("check --issuer")
            })?,
            mtls_token_endpoint: aliases.map_or(Ok(None), |aliases| endpoint(aliases, &address))?,
        })
    }
}

fn endpoint(members: &Map<String, Value>, address: &Url) -> Result<Option<Url>, Error> {
    let Some(text) = members.get("token_endpoint").and_then(Value::as_str) else {
        return Ok(None);
    };
    Url::parse(text).map(Some).map_err(|_| {
        Error::new(Kind::Protocol, format!("the token_endpoint in {address} is no address"))
            .hint("check --issuer")
    })
}
