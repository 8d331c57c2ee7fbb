//! Asks the API server for a token (TokenRequest), and says what to change when it gives none.
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>

use serde_json::{Map, Value, json};

use super::access::Access;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url};
use crate::secret::Secret;
use crate::time::parse_rfc3339;
use crate::token::{Origin, SubjectToken, TokenType};

/// Whose token to ask for, and for whom.
#[derive(Debug)]
pub(super) struct TokenRequest<'a> {
    pub(super) namespace: &'a str,
    pub(super) service_account: &'a str,
    pub(super) audience: &'a str,
    /// How long it is to live, in seconds; the API server may choose another life.
    pub(super) lifetime: u64,
}

impl TokenRequest<'_> {
    /// Gets the token.
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
            let header = Secret::new(format!("Bearer {}", token.expose()));
            post = post.header("Authorization", header).hiding(token.clone());
        }
        let response = access.cx.send(post)?;
        let fix = self.fix(&response, access);
        let answer = response.require_success().map_err(|error| match fix {
            Some((kind, fix)) => error.of_kind(kind).fix(fix),
            None => error,
        })?;
        self.read(&answer.json()?, &url, access, token_type, cx)
    }

    fn url(&self, access: &Access) -> Result<Url, Error> {
        let server = access.server.as_typed().trim_end_matches('/');
        let (namespace, name) = (segment(self.namespace)?, segment(self.service_account)?);
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        Url::parse(&format!("{server}{path}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("the address of the API server {why}"))
                .fix(format!("check {}", access.option))
        })
    }

    fn read(
        &self,
        answer: &Map<String, Value>,
        url: &Url,
        access: &Access,
        token_type: TokenType,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let status = |key| answer.get("status")?.get(key)?.as_str();
        let text = status("token").map(Secret::new).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the answer of {url} has no status.token"))
                .fix(format!("check {}: is it an API server?", access.option))
        })?;
        let origin = Origin {
            what: format!("the answer of {url}"),
            option: access.option,
            renew: "the clocks of this host and of the API server may differ".to_owned(),
        };
        let now = cx.clock.now();
        let mut token = SubjectToken::read(&text, token_type, now, &origin)?;
        let end = status("expirationTimestamp").and_then(parse_rfc3339);
        token.expiry = token.expiry.into_iter().chain(end).min();
        token.refuse_expired(now, &origin)?;
        Ok(token)
    }

    /// The kind of a refusal and what to change, by status; the server's own words come before it.
    fn fix(&self, response: &Response, access: &Access) -> Option<(Kind, String)> {
        let (namespace, name) = (self.namespace, self.service_account);
        let words = response.error_text();
        Some(match response.status {
            401 => (Kind::Denied, access.renew.clone()),
            403 => (
                Kind::Denied,
                format!(
                    "let an administrator run \
                     kubectl -n {namespace} create role wif-token --verb=create \
                     --resource=serviceaccounts/token --resource-name={name} and \
                     kubectl -n {namespace} create rolebinding wif-token --role=wif-token {}, \
                     or mount a projected serviceAccountToken and read it with --path",
                    access.subject
                ),
            ),
            404 if words.is_some_and(|words| words.ends_with("\" not found")) => {
                (Kind::Configuration, format!("check --account={name} and --namespace={namespace}"))
            }
            // A path that it does not know at all.
            404 => (
                Kind::Configuration,
                format!("check {}: this is no API server that has TokenRequest", access.option),
            ),
            400 | 422 => {
                (Kind::Configuration, "check --token-lifetime and the audience".to_owned())
            }
            _ => return None,
        })
    }
}

/// A name as a part of the path. Kubernetes has no names of other characters, and a dot at either
/// end could lead to another path.
fn segment(name: &str) -> Result<&str, Error> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.chars().all(|c| inner(c) || c == '-' || c == '.');
    match fits && name.starts_with(inner) && name.ends_with(inner) {
        true => Ok(name),
        false => Err(Error::new(Kind::Configuration, format!("{name:?} is no name in Kubernetes"))
            .fix("check --account and --namespace, or the namespace of the context")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_to_another_path() {
        for name in ["app", "app-1", "a.b", "0"] {
            assert_eq!(segment(name).unwrap(), name);
        }
        for name in ["", ".", "..", "a/b", "a%2fb", "App", "-a", "a.", "a?b", "ä"] {
            assert_eq!(segment(name).unwrap_err().kind(), Kind::Configuration, "{name}");
        }
    }
}
