//! An identity token of Vault or OpenBao.
//!
//! The server signs a JWT about the entity behind a Vault token: `GET identity/oidc/token/ROLE`. Its
//! `aud` is the role's `client_id` and not the caller's choice; its key sets are published, so that
//! the server is an issuer like any other. The Vault token is at hand, or comes from a login whose
//! token lasts for this run alone: what a run leaves behind would count as a lease until its TTL,
//! so it is revoked, where the policy lets it.
//! <https://developer.hashicorp.com/vault/api-docs/secret/identity/tokens#generate-a-signed-id-token>,
//! <https://openbao.org/api-docs/secret/identity/tokens/>

mod login;
mod server;

use serde_json::{Map, Value};

use self::login::{Login, Method};
use self::server::{Advice, Server};
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{Url, form};
use crate::options::{SecretRef, Values};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

choices! {
    /// How to get a Vault token.
    pub(super) enum LoginName {
        /// Use one that exists.
        Token = "token",
        /// Log in with a RoleID and a SecretID.
        AppRole = "approle",
        /// Log in with the token of a Kubernetes service account.
        Kubernetes = "kubernetes",
        /// Log in with a JWT.
        Jwt = "jwt",
        /// Log in with a user name and a password.
        UserPass = "userpass",
        /// Send none.
        None = "none",
    }
}

options! {
    /// Options of `vault`.
    struct Options {
        /// the role of identity/oidc/role
        role: String = "--role=NAME",
        /// the server, before BAO_ADDR and VAULT_ADDR
        address: Option<Url> = "--address",
        /// the namespace, before BAO_NAMESPACE and VAULT_NAMESPACE
        namespace: Option<String> = "--namespace=PATH",
        /// how to get a Vault token; none where a proxy or agent at --address adds its own
        login: Option<LoginName> = "--login",
        /// the Vault token, before BAO_TOKEN, VAULT_TOKEN and ~/.vault-token
        token: Option<SecretRef> = "--token",
        /// where the login is mounted below auth/, by default at its name
        login_mount: Option<String> = "--login-mount=PATH",
        /// the role of the login
        login_role: Option<String> = "--login-role=NAME",
        /// the RoleID of approle; may be env:NAME or file:PATH
        role_id: Option<String> = "--role-id=ID",
        /// the SecretID of approle
        secret_id: Option<SecretRef> = "--secret-id",
        /// the JWT to log in with; kubernetes has the service account's by default
        jwt: Option<SecretRef> = "--jwt",
        /// the user of userpass
        user: Option<String> = "--user=NAME",
        /// the password of userpass
        password: Option<SecretRef> = "--password",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "vault",
    summary: "an identity token of HashiCorp Vault or OpenBao",
    options: &[Options::TABLE],
    rest: None,
    example: "wif-token vault --address=https://vault.example.com:8200 --role=gcp \\\n  --login=approle --role-id=my-role --secret-id=file:/run/secrets/secret-id",
    build,
};

#[derive(Debug)]
struct Vault {
    role: String,
    address: Option<Url>,
    namespace: Option<String>,
    login: Login,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    Ok(Box::new(Vault {
        login: Login::new(&options)?,
        role: options.role,
        address: options.address,
        namespace: options.namespace,
    }))
}

impl Source for Vault {
    fn trust(&self) -> Trust {
        let address = self.address.as_ref().map_or("ADDRESS", Url::as_typed).trim_end_matches('/');
        let namespace =
            self.namespace.as_deref().map(|path| format!("{}/", path.trim_matches('/')));
        let namespace = namespace.unwrap_or_default();
        Trust::issuer(&format!("{address}/v1/{namespace}identity/oidc")).for_audience("CLIENT_ID")
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let server = Server::find(self.address.as_ref(), self.namespace.as_deref(), cx)?;
        let token = self.login.token(&server)?;
        let answer = self.read(token.as_ref().map(|token| &token.text), &server);
        if let Some(token) = token.filter(|token| token.is_of_this_run) {
            server.revoke(&token.text);
        }
        let answer = answer?;
        let data = answer.get("data").and_then(Value::as_object);
        let member = |name| data?.get(name)?.as_str();
        let text = member("token").ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the answer of {server} has no token"))
                .fix(format!("check {}", server.place))
        })?;
        if let (Some(client_id), Ok(audience)) = (member("client_id"), request.audience()) {
            self.tell_apart(client_id, audience.as_str(), cx);
        }
        let origin = Origin {
            what: format!("the answer of {server}"),
            option: "--role",
            renew: "the clocks of this host and of the server may differ".to_owned(),
        };
        SubjectToken::read(&Secret::new(text), request.token_type, cx.clock.now(), &origin)
    }
}

impl Vault {
    fn read(&self, token: Option<&Secret>, server: &Server) -> Result<Map<String, Value>, Error> {
        let path = format!("identity/oidc/token/{}", form::escape(&self.role));
        let response = server.get(&path, token)?;
        server.require(response, |status, words| self.advice(status, words))
    }

    /// What to change when there is no token.
    fn advice(&self, status: u16, words: &str) -> Option<Advice> {
        let role = &self.role;
        Some(match status {
            403 => {
                let policy =
                    format!(r#"path "identity/oidc/token/{role}" {{ capabilities = ["read"] }}"#);
                let fix = match self.login.method {
                    Method::Token(_) if words.contains("invalid token") => {
                        "the Vault token is over: renew it, or take another --login".to_owned()
                    }
                    Method::Token(_) => format!(
                        "the Vault token may be over or of another namespace; \
                         else allow it in its policy: {policy}"
                    ),
                    _ => format!("allow it in the policy of this login: {policy}"),
                };
                (Kind::Denied, fix)
            }
            400 if words.contains("no entity") => (
                Kind::Configuration,
                "root tokens have no entity, nor has a token made without a login: \
                 take another --login or --token"
                    .to_owned(),
            ),
            400 if words.contains("allowed client ID") => {
                let fix = format!("add the client_id of {role} to allowed_client_ids of its key");
                (Kind::Denied, fix)
            }
            400 => (
                Kind::Configuration,
                format!(
                    "check --role and --namespace: vault read (or bao read) identity/oidc/role/{role}"
                ),
            ),
            404 => (Kind::Configuration, "check --address and --namespace".to_owned()),
            _ => return None,
        })
    }

    /// Tells, in the log, of a token that the pool provider refuses unless its `aud` is allowed there.
    fn tell_apart(&self, client_id: &str, audience: &str, cx: &Context) {
        if bare(client_id) != bare(audience) {
            cx.log.line(format!(
                "the token's aud is {client_id}, the client_id of the role {}, and not the \
                 audience {audience}: allow it in the pool provider \
                 (--allowed-audiences={client_id}), or make it the role's client_id",
                self.role
            ));
        }
    }
}

/// An audience without the `https:` that the pool provider takes and leaves out alike.
fn bare(audience: &str) -> &str {
    audience.strip_prefix("https:").unwrap_or(audience)
}
