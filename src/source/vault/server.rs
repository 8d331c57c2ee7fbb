//! A Vault or OpenBao server: how to find it, how to send requests, and what its errors mean.
//! <https://developer.hashicorp.com/vault/api-docs>

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Authorities, CaFile, Request, Response, Url, retry};
use crate::secret::Secret;

/// The kind and the fix of an error.
pub(super) type Advice = (Kind, String);

/// The timeout of the request that revokes a Vault token.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(2);

/// A Vault or OpenBao server, or an agent or proxy in front of it.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) cx: &'a Context,
    address: Url,
    /// The option or variable that contains the address.
    pub(super) place: &'static str,
    namespace: Option<String>,
    /// The context that trusts the certificate authorities of `BAO_CACERT` or `VAULT_CACERT`.
    narrowed: Option<Context>,
}

impl<'a> Server<'a> {
    /// Finds the server from the options, or from the variables that `bao` and `vault` read.
    ///
    /// # Errors
    /// `ABSENT` if no address is set, `CONFIGURATION` if a variable is not usable.
    pub(super) fn find(
        address: Option<&Url>,
        namespace: Option<&str>,
        cx: &'a Context,
    ) -> Result<Server<'a>, Error> {
        let (address, place) = match (address, address_of_environment(cx)?) {
            (Some(address), _) => (address.clone(), "--address"),
            (None, Some((address, name))) => {
                let address = Url::parse(&address).map_err(|why| {
                    Error::new(Kind::Configuration, format!("{name} {why}"))
                        .fix(format!("check {name}, or set --address"))
                })?;
                (address, name)
            }
            (None, None) => {
                return Err(Error::new(Kind::Absent, "the address of the Vault server is not set")
                    .fix("set --address, BAO_ADDR or VAULT_ADDR"));
            }
        };
        let namespace = match namespace {
            Some(namespace) => Some(namespace.to_owned()),
            None => variable(["BAO_NAMESPACE", "VAULT_NAMESPACE"], cx)?.map(|(value, _)| value),
        };
        let ca_file = variable(["BAO_CACERT", "VAULT_CACERT"], cx)?;
        let narrowed = ca_file.map(|(path, place)| {
            let authorities = Authorities::File(CaFile { path: path.into(), place });
            cx.narrowed(|_, http| {
                http.tls.authorities.get_or_insert(authorities);
            })
        });
        Ok(Server { cx, address, place, namespace, narrowed })
    }

    /// Sends a GET request to a path below `v1/`. The request ends early enough to leave time to
    /// revoke the token.
    pub(super) fn get(&self, path: &str, token: Option<&Secret>) -> Result<Response, Error> {
        let url = self.url(path)?;
        let left = self.cx.deadline.remaining();
        let limit = left - REVOCATION_TIMEOUT.min(left / 4);
        let get = || self.with_headers(Request::get(&url, self.place), token).limit(limit);
        self.send_with_retries(get)
    }

    /// Posts JSON to a path below `v1/`. `secrets` are the secrets in the JSON, which are removed
    /// from messages.
    pub(super) fn post(
        &self,
        path: &str,
        body: &Value,
        secrets: &[Secret],
    ) -> Result<Response, Error> {
        let url = self.url(path)?;
        let body = Secret::new(body.to_string());
        self.send_with_retries(|| {
            let post = self.with_headers(Request::post(&url, self.place), None);
            let post = post.header("Content-Type", "application/json").body(body.clone());
            secrets.iter().cloned().fold(post, Request::hiding)
        })
    }

    /// Returns the members of a successful response. `advice` returns the kind and the fix for a
    /// status and a message of the server.
    ///
    /// # Errors
    /// The error for any other response.
    pub(super) fn require(
        &self,
        response: Response,
        advice: impl Fn(u16, &str) -> Option<Advice>,
    ) -> Result<Map<String, Value>, Error> {
        let words = response.error_text().unwrap_or_default();
        let advice = match response.is_page() {
            true => None,
            false => {
                let of_state = self.of_state(response.status, &words);
                of_state.or_else(|| advice(response.status, &words))
            }
        };
        let response = response.require_success().map_err(|error| match advice {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        response.json()
    }

    /// The kind and the fix for a server that cannot respond to the request in its current state.
    fn of_state(&self, status: u16, words: &str) -> Option<Advice> {
        let says = |text: &str| words.contains(text);
        let fix = match status {
            503 if says("sealed") => {
                "unseal the server with vault operator unseal or bao operator unseal".to_owned()
            }
            412 => "try again later, because this standby server has not received the latest data \
                    yet"
            .to_owned(),
            _ if status == 472 || says("DR secondary") => {
                let place = self.place;
                let fix = format!(
                    "set {place} to the primary cluster, because this server is a disaster \
                     recovery secondary"
                );
                return Some((Kind::Configuration, fix));
            }
            473 => {
                format!("set {} to the active server, because this one is a standby", self.place)
            }
            501 => {
                let place = self.place;
                format!(
                    "check {place} and the storage of the server, or initialize the server if it is \
                     new (vault operator init or bao operator init)"
                )
            }
            500 if says("active cluster node not found") => {
                "try again when the cluster has an active server (vault status)".to_owned()
            }
            _ => return None,
        };
        Some((Kind::Unreachable, fix))
    }

    /// Revokes a Vault token. An error is only logged, because the token expires after its TTL
    /// anyway.
    pub(super) fn revoke(&self, token: &Secret) {
        let revoked = self.url("auth/token/revoke-self").and_then(|url| {
            let post = self.with_headers(Request::post(&url, self.place), Some(token));
            let response = self.send(post.limit(REVOCATION_TIMEOUT).once())?;
            response.require_success()
        });
        if let Err(error) = revoked {
            self.cx.log.line(format!(
                "the Vault token of this run was not revoked and is valid until its TTL ends: {error}"
            ));
        }
    }

    /// Sends a request and repeats it after temporary errors. One of these is 412: a standby server
    /// of Vault Enterprise has not received the data of a new token yet.
    /// <https://developer.hashicorp.com/vault/docs/enterprise/consistency>
    fn send_with_retries<'r>(&self, request: impl Fn() -> Request<'r>) -> Result<Response, Error> {
        let is_temporary =
            |response: &Response| retry::is_passing(response.status) || response.status == 412;
        retry::ask(self.cx.deadline, is_temporary, || self.send(request().once()))
    }

    fn with_headers<'r>(&self, request: Request<'r>, token: Option<&Secret>) -> Request<'r> {
        // An agent or proxy can require this header as a protection against request forgery.
        let mut request = request.header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace.as_str());
        }
        match token {
            Some(token) => request.header("X-Vault-Token", token.clone()),
            None => request,
        }
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        let url = format!("{}/v1/{path}", self.address.as_typed().trim_end_matches('/'));
        Url::parse(&url).map_err(|why| {
            Error::new(Kind::Configuration, format!("{} {why}", self.place))
                .fix(format!("check {}", self.place))
        })
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        self.narrowed.as_ref().unwrap_or(self.cx).send(request)
    }
}

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The address in the variables. As in `vault`, the address of an agent overrides that of the server.
fn address_of_environment(cx: &Context) -> Result<Option<(String, &'static str)>, Error> {
    match variable(["BAO_AGENT_ADDR", "VAULT_AGENT_ADDR"], cx)? {
        Some(found) => Ok(Some(found)),
        None => variable(["BAO_ADDR", "VAULT_ADDR"], cx),
    }
}

/// The value and the name of the first of these variables that is set. As in the tools of OpenBao,
/// the variables of OpenBao take precedence.
pub(super) fn variable(
    names: [&'static str; 2],
    cx: &Context,
) -> Result<Option<(String, &'static str)>, Error> {
    for name in names {
        if let Some(value) = cx.env.text(name)? {
            return Ok(Some((value, name)));
        }
    }
    Ok(None)
}
