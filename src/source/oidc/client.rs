//! An OAuth client and its requests to the issuer, for all grants.
//!
//! The metadata of the issuer contains the URLs of its endpoints. Every request to an endpoint
//! contains `--resource`, `--param` and the authentication of the client. One member of the token
//! response is the subject token.

use serde_json::{Map, Value};

use super::client_auth::ClientAuth;
use super::discovery::Metadata;
use super::refusal::Refusal;
use super::{Options, TokenMember};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Text, Url, retry};
use crate::options::{Pair, SecretRef};
use crate::secret::Secret;
use crate::time;
use crate::token::{Origin, SubjectToken};

/// The client that the options describe.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) issuer: Url,
    pub(super) id: String,
    auth: ClientAuth,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    params: Vec<Pair>,
    /// The member of the token response that is the subject token.
    pub(super) member: TokenMember,
}

impl Client {
    /// The audience that the options request, with `--resource` or a parameter of some issuers.
    pub(super) fn requested_audience(&self) -> Option<&str> {
        let parameter = self.params.iter().find(|Pair(name, _)| name == "audience");
        self.resource.as_deref().or(parameter.map(|Pair(_, value)| value.as_str()))
    }

    /// Creates the client. `member` is the default of `--use`.
    ///
    /// # Errors
    /// The errors of [`ClientAuth::new`].
    pub(super) fn new(options: Options, member: TokenMember) -> Result<Client, Error> {
        Ok(Client {
            auth: ClientAuth::new(&options)?,
            issuer: options.issuer.0,
            id: options.client_id,
            scope: options.scope.map(|scope| scope.replace(',', " ")),
            resource: options.resource,
            params: options.param,
            member: options.member.unwrap_or(member),
        })
    }

    /// Reads the metadata of the issuer.
    ///
    /// # Errors
    /// The errors of [`ClientAuth::narrowed`] and of [`Metadata::discover`].
    pub(super) fn discover(&self, cx: &Context) -> Result<Issuer<'_>, Error> {
        let cx = self.auth.narrowed(cx)?;
        let metadata = Metadata::discover(&self.issuer, &cx)?;
        Ok(Issuer { client: self, metadata, cx })
    }
}

/// An issuer whose metadata is known, and the client that sends requests to the issuer.
#[derive(Debug)]
pub(super) struct Issuer<'a> {
    client: &'a Client,
    metadata: Metadata,
    /// The context that presents the client's certificate, if it has one.
    pub(super) cx: Context,
}

impl Issuer<'_> {
    /// The URL of an endpoint; `None` if the metadata does not contain it.
    pub(super) fn endpoint(&self, name: &str) -> Result<Option<Url>, Error> {
        self.client.auth.endpoint(name, &self.metadata)
    }

    /// The URL of the token endpoint.
    pub(super) fn token_endpoint(&self) -> Result<Url, Error> {
        let endpoint = self.endpoint("token_endpoint")?;
        Ok(endpoint.unwrap_or_else(|| self.metadata.token_endpoint.clone()))
    }

    /// Sends a form with these fields, repeats it after temporary errors, and returns the response
    /// whatever its status is.
    pub(super) fn request(
        &self,
        endpoint: &Url,
        fields: &[(&str, Text)],
    ) -> Result<Response, Error> {
        let is_temporary = |response: &Response| retry::is_passing(response.status);
        // Each attempt needs a new client assertion, because the issuer accepts each one only once.
        retry::ask(self.cx.deadline, is_temporary, || self.send(self.post(endpoint, fields)?))
    }

    /// Creates a POST request with these fields, `--resource`, `--param` and the client
    /// authentication.
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
                Some(secret) => secret.read("--param", &self.cx)?.into(),
                None => value.as_str().into(),
            };
            post = post.field(name.as_str(), value);
        }
        auth.authenticate(post, id, &self.metadata.issuer, &self.cx)
    }

    /// Sends a request once and returns the response whatever its status is.
    pub(super) fn send(&self, post: http::Request) -> Result<Response, Error> {
        self.cx.send(post)
    }

    /// Returns the response if it is a success. `grant` is the name of the grant for the message.
    ///
    /// # Errors
    /// The errors of [`Response::require_success`], with a fix for the OAuth error.
    pub(super) fn require_success(
        &self,
        response: Response,
        grant: &str,
    ) -> Result<Response, Error> {
        let Client { auth, scope, .. } = self.client;
        let refusal = Refusal {
            response: &response,
            auth,
            has_scope: scope.is_some(),
            metadata: &self.metadata,
            grant,
            clock: self.cx.wrong_clock(),
        };
        let reason = refusal.explain();
        response.require_success().map_err(|error| match (error.kind(), reason) {
            (Kind::Denied, Some((kind, fix))) => error.of_kind(kind).fix(fix),
            _ => error,
        })
    }

    /// Reads the subject token in the members of a token response.
    ///
    /// # Errors
    /// `PROTOCOL` if the response does not have the token; the errors of [`SubjectToken::read`].
    pub(super) fn token(
        &self,
        members: &Map<String, Value>,
        request: &SubjectTokenRequest,
    ) -> Result<SubjectToken, Error> {
        let (endpoint, member) = (self.token_endpoint()?, self.client.member.word());
        let text = members.get(member).and_then(Value::as_str).map(Secret::new);
        let text = text.ok_or_else(|| {
            let fix = match self.client.member {
                TokenMember::IdToken => "add --scope=openid, or use --use=access_token",
                TokenMember::AccessToken if members.contains_key("id_token") => {
                    "set --use=id_token"
                }
                TokenMember::AccessToken => "check --issuer and --use",
            };
            let what = format!("the response from {endpoint} has no {member}");
            Error::new(Kind::Protocol, what).fix(fix)
        })?;
        let origin = Origin {
            opaque: Some(
                "request a JWT access token (usually with --resource=URI or --param=audience=NAME), \
                 or set --use=id_token",
            ),
            ..Origin::new(
                format!("the response from {endpoint}"),
                "--use",
                "check the clocks of this host and of the issuer",
            )
        };
        let now = self.cx.clock.now();
        let mut token = SubjectToken::read(&text, request.token_type, now, &origin)?;
        let expires_in = members.get("expires_in").and_then(time::lifetime);
        token.expiry = token.expiry.or(expires_in.map(|seconds| now.saturating_add(seconds)));
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }
}
