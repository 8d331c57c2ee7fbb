//! A token from any OpenID Connect issuer, by the client credentials grant.
//!
//! The issuer's metadata tells where its token endpoint is; the client proves who it is there by a
//! secret, a signed assertion or a certificate; the answer's access token, if it is a JWT, is the
//! subject token. <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>,
//! <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>

mod client_auth;
mod discovery;

use serde_json::{Map, Value};

pub(super) use self::client_auth::ClientAuth;
pub(super) use self::discovery::Metadata;
use super::{Source, SourceInfo, Trust};
use crate::cli::{OptionInfo, Takes, Values, missing};
use crate::context::Context;
use crate::contract::request::Request;
use crate::error::{Error, Kind};
use crate::http::{self, Http, Response, Text, Url, retry};
use crate::secret::{Secret, SecretRef};
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "oidc",
    summary: "an OpenID Connect issuer, by the client credentials grant",
    options: &[
        OptionInfo::new("issuer", Takes::Url, "the issuer, whose metadata is read").required(),
        OptionInfo::new("client-id", Takes::Text("ID"), "the client's name at the issuer")
            .required(),
        OptionInfo::new(
            "auth",
            Takes::Choice(&["basic", "post", "private-key-jwt", "mtls", "none"]),
            "how the client proves who it is; by default what the other options allow",
        ),
        OptionInfo::new("client-secret", Takes::Secret, "the secret of --auth=basic or post"),
        OptionInfo::new(
            "client-key",
            Takes::Path("PEM"),
            "the private key of private-key-jwt (PEM or JWK) or mtls (PEM)",
        ),
        OptionInfo::new(
            "client-cert",
            Takes::Path("PEM"),
            "the certificate of mtls, with its chain",
        ),
        OptionInfo::new(
            "assertion-audience",
            Takes::Text("URL"),
            "the aud claim of private-key-jwt, by default the issuer; some issuers want their token endpoint",
        ),
        OptionInfo::new(
            "scope",
            Takes::Text("SCOPE"),
            "the scope to ask for; commas stand for blanks",
        ),
        OptionInfo::new(
            "resource",
            Takes::Text("URI"),
            "the resource to ask a token for (RFC 8707)",
        ),
        OptionInfo::new(
            "param",
            Takes::Pair,
            "one more form field; a value may be env:NAME or file:PATH",
        )
        .repeated(),
        OptionInfo::new(
            "use",
            Takes::Choice(&["access_token", "id_token"]),
            "which token of the answer to take, access_token by default",
        ),
    ],
    rest: None,
    build,
};

#[derive(Debug)]
struct Oidc {
    issuer: Url,
    client_id: String,
    auth: ClientAuth,
    scope: Option<String>,
    resource: Option<String>,
    params: Vec<(String, String)>,
    member: String,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let text = |name: &'static str| values.text(name).map(str::to_owned);
    let params = values.pairs("param").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Box::new(Oidc {
        issuer: values.url("issuer").ok_or_else(|| missing("issuer"))?.clone(),
        client_id: text("client-id").ok_or_else(|| missing("client-id"))?,
        auth: ClientAuth::new(values)?,
        scope: values.text("scope").map(|scope| scope.replace(',', " ")),
        resource: text("resource"),
        params: params.collect(),
        member: text("use").unwrap_or_else(|| "access_token".to_owned()),
    }))
}

impl Source for Oidc {
    fn trust(&self) -> Trust {
        Trust::issuer(self.issuer.as_typed()).for_audience("AUD")
    }

    fn subject_token(&self, request: &Request, cx: &Context) -> Result<SubjectToken, Error> {
        let own_http = self.auth.http(cx)?;
        let http = own_http.as_ref().unwrap_or(&cx.http);
        let metadata = Metadata::discover(&self.issuer, http, cx)?;
        let endpoint = self.auth.endpoint(&metadata);
        let response = self.ask(endpoint, &metadata, http, cx)?;
        let answer = response.json()?;
        let origin = Origin {
            what: format!("the {} of {endpoint}", self.member),
            option: "--use",
            renew: "the clocks of this host and of the issuer may differ".to_owned(),
        };
        let text = self.token_of(&answer, endpoint)?;
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&text, request.token_type, now, &origin)?;
        let expires_in = answer.get("expires_in").and_then(Value::as_i64);
        token.expiry = token.expiry.or(expires_in.map(|seconds| now.saturating_add(seconds)));
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }
}

impl Oidc {
    fn ask(
        &self,
        endpoint: &Url,
        metadata: &Metadata,
        http: &Http,
        cx: &Context,
    ) -> Result<Response, Error> {
        let passes = |response: &Response| retry::is_passing(response.status);
        // Made anew for each try: an assertion counts once.
        let response = retry::ask(cx.deadline, passes, || {
            http.send(self.token_request(endpoint, metadata, cx)?.once(), &cx.log)
        })?;
        let hint = self.hint(&response);
        response.require_success().map_err(|error| match (error.kind(), hint) {
            (Kind::Denied, Some(hint)) => error.hint(hint),
            _ => error,
        })
    }

    fn token_request<'a>(
        &'a self,
        endpoint: &'a Url,
        metadata: &Metadata,
        cx: &Context,
    ) -> Result<http::Request<'a>, Error> {
        let mut post =
            http::Request::post(endpoint, "--issuer").header("Accept", "application/json");
        post = post.field("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("resource", &self.resource)] {
            if let Some(value) = value {
                post = post.field(name, value.as_str());
            }
        }
        for (name, value) in &self.params {
            let value: Text = match SecretRef::parse(value) {
                Some(secret) => secret.read("--param", cx)?.into(),
                None => value.as_str().into(),
            };
            post = post.field(name.as_str(), value);
        }
        self.auth.prove(post, &self.client_id, &metadata.issuer, cx)
    }

    /// What to change after a refusal (RFC 6749 section 5.2, RFC 8707 section 2).
    fn hint(&self, response: &Response) -> Option<String> {
        Some(match response.oauth_error()?.as_str() {
            "invalid_client" => self.auth.hint().to_owned(),
            "unauthorized_client" | "unsupported_grant_type" => {
                "allow this client the client credentials grant at the issuer".to_owned()
            }
            "invalid_scope" => "check --scope".to_owned(),
            "invalid_target" => "check --resource".to_owned(),
            _ => "check --scope, --resource and --param".to_owned(),
        })
    }

    fn token_of(&self, answer: &Map<String, Value>, endpoint: &Url) -> Result<Secret, Error> {
        let member = self.member.as_str();
        answer.get(member).and_then(Value::as_str).map(Secret::new).ok_or_else(|| {
            let hint = match member {
                "id_token" => "add --scope=openid, or leave --use=id_token out",
                _ => "check --issuer: RFC 6749 section 5.1 demands one",
            };
            Error::new(Kind::Protocol, format!("the answer of {endpoint} has no {member}"))
                .hint(hint)
        })
    }
}
