//! Requests a token for a service account from the API server (TokenRequest), and explains the
//! errors of the server.
//!
//! `POST /api/v1/namespaces/NAMESPACE/serviceaccounts/NAME/token` with the audience and the
//! lifetime returns the token in `status.token`. The server may choose a different lifetime.
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>

use serde_json::{Map, Value, json};

use super::access::Access;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url};
use crate::secret::Secret;
use crate::show;
use crate::time::parse_rfc3339;
use crate::token::{Origin, SubjectToken, TokenType};

/// The token to request.
#[derive(Debug)]
pub(super) struct TokenRequest<'a> {
    pub(super) namespace: &'a str,
    pub(super) service_account: &'a str,
    pub(super) audience: &'a str,
    /// The requested lifetime in seconds.
    pub(super) lifetime: u64,
}

impl TokenRequest<'_> {
    /// Gets the token.
    ///
    /// # Errors
    /// `DENIED` if the API server refuses the credentials or the client may not create the token,
    /// `CONFIGURATION` if the service account does not exist or the server refuses the request.
    pub(super) fn send(
        &self,
        access: &Access,
        token_type: TokenType,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let url = self.url(access)?;
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [self.audience], "expirationSeconds": self.lifetime},
        });
        let mut post = Request::post(&url, access.option)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .body(body.to_string().as_str());
        if let Some(token) = &access.bearer {
            post = post.bearer(token);
        }
        let response = access.cx.send(post)?;
        let reason = self.explain(&response, access);
        let response = response.require_success().map_err(|error| match reason {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        self.read(&response.json()?, &url, access, token_type, cx)
    }

    fn url(&self, access: &Access) -> Result<Url, Error> {
        let server = access.server.as_typed().trim_end_matches('/');
        let (namespace, name) = (segment(self.namespace)?, segment(self.service_account)?);
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        Url::parse(&format!("{server}{path}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("the URL of the API server {why}"))
                .fix(format!("check {}", access.option))
        })
    }

    fn read(
        &self,
        object: &Map<String, Value>,
        url: &Url,
        access: &Access,
        token_type: TokenType,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let status = |key| object.get("status")?.get(key)?.as_str();
        let text = status("token").map(Secret::new).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} has no status.token"))
                .fix(format!("check that {} selects an API server", access.option))
        })?;
        let origin = Origin::new(
            format!("the response from {url}"),
            access.option,
            "check the clocks of this host and of the API server",
        );
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&text, token_type, now, &origin)?;
        let expiry = status("expirationTimestamp").and_then(parse_rfc3339);
        token.expiry = token.expiry.into_iter().chain(expiry).min();
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }

    /// The kind and the fix for an error response.
    fn explain(&self, response: &Response, access: &Access) -> Option<(Kind, String)> {
        if response.is_page() {
            return None;
        }
        let (namespace, name) = (self.namespace, self.service_account);
        let message = response.error_text().unwrap_or_default();
        let says = |words: &str| message.contains(words);
        Some(match response.status {
            401 => (Kind::Denied, access.renew.clone()),
            400 | 403 | 422 if says("admission webhook") || says("ValidatingAdmissionPolicy") => (
                Kind::Denied,
                "ask an administrator to allow this request in the admission policy of the cluster"
                    .to_owned(),
            ),
            403 if says("being terminated") => (
                Kind::Configuration,
                format!("set --namespace to another namespace, because {namespace} is being deleted"),
            ),
            // The admission plugin NodeRestriction limits the credentials of kubelets.
            403 if says("audience") || says("node requested token") => (
                Kind::Denied,
                "set --kubeconfig to credentials that do not belong to a node, or mount a projected \
                 serviceAccountToken volume with this audience, and set --path to its file"
                    .to_owned(),
            ),
            403 => (
                Kind::Denied,
                format!(
                    "ask an administrator to run \
                     kubectl -n {namespace} create role wif-token --verb=create \
                     --resource=serviceaccounts/token --resource-name={name} and \
                     kubectl -n {namespace} create rolebinding wif-token --role=wif-token {}, \
                     or mount a projected serviceAccountToken volume, and set --path to its file",
                    access.subject
                ),
            ),
            404 if message.ends_with("\" not found") => {
                (Kind::Configuration, format!("check --account={name} and --namespace={namespace}"))
            }
            // Any other message means that the server does not know the path.
            404 => (
                Kind::Configuration,
                format!("check that {} selects an API server with TokenRequest", access.option),
            ),
            400 | 422 if says("expirationSeconds") => {
                (Kind::Configuration, "check --token-lifetime".to_owned())
            }
            400 | 422 if says("spec.audiences") => {
                (Kind::Configuration, "check --audience".to_owned())
            }
            400 | 422 => (Kind::Configuration, "check --token-lifetime and --audience".to_owned()),
            _ => return None,
        })
    }
}

/// Requires a valid Kubernetes name before it becomes a segment of the path. Other characters, or a
/// dot at the start or end, could lead to a different path.
///
/// # Errors
/// `CONFIGURATION` if the name is not valid.
fn segment(name: &str) -> Result<&str, Error> {
    match is_name(name) {
        true => Ok(name),
        false => Err(Error::new(
            Kind::Configuration,
            format!("{:?} is not a valid Kubernetes name", show::value(name)),
        )
        .fix("check --account and --namespace, or the namespace of the context")),
    }
}

/// Whether `name` is a valid name for an object, and therefore safe in the path of a URL.
pub(super) fn is_name(name: &str) -> bool {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_allowed = name.chars().all(|c| is_alphanumeric(c) || c == '-' || c == '.');
    is_allowed && name.starts_with(is_alphanumeric) && name.ends_with(is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_to_a_different_path() {
        for name in ["app", "app-1", "a.b", "0"] {
            assert_eq!(segment(name).unwrap(), name);
        }
        for name in ["", ".", "..", "a/b", "a%2fb", "App", "-a", "a.", "a?b", "ä"] {
            assert_eq!(segment(name).unwrap_err().kind(), Kind::Configuration, "{name}");
        }
    }
}
