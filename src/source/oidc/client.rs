//! A client of an issuer, and what every grant asks and reads alike.
//!
//! The issuer's metadata tells where its endpoints are. Each request to one of them carries
//! `--resource`, `--param` and the client's proof; one token of the answer is the subject token.

use serde_json::{Map, Value};

use super::client_auth::ClientAuth;
use super::discovery::Metadata;
use super::{Options, TokenMember};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Text, Url, retry};
use crate::options::{Pair, SecretRef};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

/// A client, as the options describe it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) issuer: Url,
    pub(super) id: String,
    auth: ClientAuth,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    params: Vec<Pair>,
    /// Which token of an answer to take.
    pub(super) member: TokenMember,
}

impl Client {
    /// The client with these options; `member` is the token to take if `--use` does not say.
    ///
    /// # Errors
    /// Those of [`ClientAuth::new`].
    pub(super) fn new(options: Options, member: TokenMember) -> Result<Client, Error> {
        Ok(Client {
            auth: ClientAuth::new(&options)?,
            issuer: options.issuer,
            id: options.client_id,
            scope: options.scope.map(|scope| scope.replace(',', " ")),
            resource: options.resource,
            params: options.param,
            member: options.member.unwrap_or(member),
        })
    }

    /// Reads the issuer's metadata.
    pub(super) fn meet<'a>(&'a self, cx: &'a Context) -> Result<Issuer<'a>, Error> {
        let narrowed = self.auth.narrowed(cx)?;
        let metadata = Metadata::discover(&self.issuer, narrowed.as_ref().unwrap_or(cx))?;
        Ok(Issuer { client: self, metadata, narrowed, cx })
    }
}

/// The issuer, as one client deals with it.
#[derive(Debug)]
pub(super) struct Issuer<'a> {
    client: &'a Client,
    metadata: Metadata,
    /// The context with the client's certificate, if it has one.
    narrowed: Option<Context>,
    pub(super) cx: &'a Context,
}

impl Issuer<'_> {
    /// The address of this endpoint, where the issuer has one.
    pub(super) fn endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        self.client.auth.endpoint(name, &self.metadata)
    }

    /// The token endpoint, which every issuer has.
    pub(super) fn token_endpoint(&self) -> Result<Url, Error> {
        let endpoint = self.endpoint("token_endpoint")?;
        Ok(endpoint.unwrap_or_else(|| self.metadata.token_endpoint.clone()))
    }

    /// Sends these fields, again after trouble that passes, and gives any answer.
    pub(super) fn ask(&self, endpoint: &Url, fields: &[(&str, Text)]) -> Result<Response, Error> {
        let passes = |response: &Response| retry::is_passing(response.status);
        // Made anew for each try: an assertion counts once.
        retry::ask(self.cx.deadline, passes, || self.send(self.post(endpoint, fields)?))
    }

    /// A request with these fields, to be sent once.
    pub(super) fn post<'r>(
        &'r self,
        endpoint: &'r Url,
        fields: &[(&'r str, Text)],
    ) -> Result<http::Request<'r>, Error> {
        let Client { id, auth, resource, params, .. } = self.client;
        let mut post = http::Request::post(endpoint, "--issuer").once();
        post = post.header("Accept", "application/json");
        for (name, value) in fields {
            post = post.field(*name, value.clone());
        }
        if let Some(resource) = resource {
            post = post.field("resource", resource.as_str());
        }
        for Pair(name, value) in params {
            let value: Text = match SecretRef::parse(value) {
                Some(secret) => secret.read("--param", self.cx)?.into(),
                None => value.as_str().into(),
            };
            post = post.field(name.as_str(), value);
        }
        auth.prove(post, id, &self.metadata.issuer, self.cx)
    }

    /// Sends a request and gives any answer.
    pub(super) fn send(&self, post: http::Request) -> Result<Response, Error> {
        self.narrowed.as_ref().unwrap_or(self.cx).send(post)
    }

    /// The same answer where it is a success; else what to change (RFC 6749 section 5.2, RFC 8707
    /// section 2), also about the `grant`.
    pub(super) fn accept(&self, response: Response, grant: &str) -> Result<Response, Error> {
        let fix = response.oauth_error().map(|error| match error.as_str() {
            "invalid_client" => self.client.auth.fix().to_owned(),
            "unauthorized_client" | "unsupported_grant_type" => {
                format!("allow this client the {grant} grant at the issuer")
            }
            "invalid_scope" => "check --scope".to_owned(),
            "invalid_target" => "check --resource".to_owned(),
            _ => "check --scope, --resource and --param".to_owned(),
        });
        response.require_success().map_err(|error| match (error.kind(), fix) {
            (Kind::Denied, Some(fix)) => error.fix(fix),
            _ => error,
        })
    }

    /// The subject token in an answer of the token endpoint.
    pub(super) fn token(
        &self,
        answer: &Map<String, Value>,
        request: &SubjectTokenRequest,
    ) -> Result<SubjectToken, Error> {
        let (endpoint, member) = (self.token_endpoint()?, self.client.member.word());
        let text =
            answer.get(member).and_then(Value::as_str).map(Secret::new).ok_or_else(|| {
                let fix = match member {
                    "id_token" => "add --scope=openid, or take --use=access_token",
                    _ => "check --issuer: RFC 6749 section 5.1 demands one",
                };
                Error::new(Kind::Protocol, format!("the answer of {endpoint} has no {member}"))
                    .fix(fix)
            })?;
        let origin = Origin {
            what: format!("the {member} of {endpoint}"),
            option: "--use",
            renew: "the clocks of this host and of the issuer may differ".to_owned(),
        };
        let now = self.cx.clock.now();
        let mut token = SubjectToken::read(&text, request.token_type, now, &origin)?;
        let expires_in = answer.get("expires_in").and_then(Value::as_i64);
        token.expiry = token.expiry.or(expires_in.map(|seconds| now.saturating_add(seconds)));
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }
}
