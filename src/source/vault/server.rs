//! The server: where it is, how to ask it, and what its refusals mean.
//! <https://developer.hashicorp.com/vault/api-docs>

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Authorities, CaFile, Request, Response, Url, retry};
use crate::secret::Secret;

/// The class of a refusal, and what to change.
pub(super) type Advice = (Kind, String);

/// How long a run waits to be rid of its Vault token, at most.
const REVOCATION: Duration = Duration::from_secs(2);

/// A Vault or OpenBao server, or a proxy or agent before it.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) cx: &'a Context,
    address: Url,
    /// The option or variable that named it.
    pub(super) place: &'static str,
    namespace: Option<String>,
    /// The context that trusts the authorities of a variable.
    narrowed: Option<Context>,
}

impl<'a> Server<'a> {
    /// Finds the server: options, then the variables that the command line tools read.
    ///
    /// # Errors
    /// `ABSENT` where nothing names one.
    pub(super) fn find(
        address: Option<&Url>,
        namespace: Option<&str>,
        cx: &'a Context,
    ) -> Result<Server<'a>, Error> {
        let (address, place) = match (address, variable(["BAO_ADDR", "VAULT_ADDR"], cx)?) {
            (Some(address), _) => (address.clone(), "--address"),
            (None, Some((address, name))) => {
                let address = Url::parse(&address).map_err(|why| {
                    Error::new(Kind::Configuration, format!("{name} {why}"))
                        .fix(format!("correct {name}, or give --address"))
                })?;
                (address, name)
            }
            (None, None) => {
                return Err(Error::new(Kind::Absent, "there is no address of a Vault server")
                    .fix("add --address=… or set VAULT_ADDR or BAO_ADDR"));
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

    /// Reads what stands at a path below `v1/`.
    pub(super) fn get(&self, path: &str, token: Option<&Secret>) -> Result<Response, Error> {
        let url = self.url(path)?;
        self.ask(|| self.with_headers(Request::get(&url, self.place), token))
    }

    /// Writes JSON to a path below `v1/`; `secrets` are what it holds of them.
    pub(super) fn post(
        &self,
        path: &str,
        body: &Value,
        secrets: &[Secret],
    ) -> Result<Response, Error> {
        let url = self.url(path)?;
        let body = Secret::new(body.to_string());
        self.ask(|| {
            let post = self.with_headers(Request::post(&url, self.place), None);
            let post = post.header("Content-Type", "application/json").body(body.clone());
            secrets.iter().cloned().fold(post, Request::hiding)
        })
    }

    /// The members of an answer, or why there are none; `advice` knows what else to change.
    pub(super) fn require(
        &self,
        response: Response,
        advice: impl Fn(u16, &str) -> Option<Advice>,
    ) -> Result<Map<String, Value>, Error> {
        let words = response.error_text().unwrap_or_default();
        let advice = match response.status {
            503 if words.contains("sealed") => {
                let fix = "unseal it (vault operator unseal, bao operator unseal)";
                Some((Kind::Unreachable, fix.to_owned()))
            }
            412 => Some((
                Kind::Unreachable,
                "this standby lags behind the active server: try again later".to_owned(),
            )),
            status => advice(status, &words),
        };
        let response = response.require_success().map_err(|error| match advice {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        response.json()
    }

    /// Ends a Vault token. Where that fails the token lasts until its TTL, and nobody is worse off.
    pub(super) fn revoke(&self, token: &Secret) {
        let revoked = self.url("auth/token/revoke-self").and_then(|url| {
            let post = self.with_headers(Request::post(&url, self.place), Some(token));
            let response = self.send(post.limit(REVOCATION).once())?;
            response.require_success()
        });
        if let Err(error) = revoked {
            self.cx.log.line(format!("the Vault token of this run lasts until its TTL: {error}"));
        }
    }

    /// Asks, and asks again after passing trouble. 412 is a standby of Vault Enterprise that does
    /// not know a new token yet.
    /// <https://developer.hashicorp.com/vault/docs/enterprise/consistency>
    fn ask<'r>(&self, request: impl Fn() -> Request<'r>) -> Result<Response, Error> {
        let passes =
            |response: &Response| retry::is_passing(response.status) || response.status == 412;
        retry::ask(self.cx.deadline, passes, || self.send(request().once()))
    }

    fn with_headers<'r>(&self, request: Request<'r>, token: Option<&Secret>) -> Request<'r> {
        // A proxy or agent may demand it, so that no other program's request can be abused.
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
                .fix(format!("correct {}", self.place))
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

/// The first of these variables that is set, with its name. OpenBao's come first, as in its tools.
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
