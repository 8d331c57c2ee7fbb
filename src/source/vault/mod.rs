//! Gets an identity token from HashiCorp Vault or OpenBao.
//!
//! `GET identity/oidc/token/ROLE` returns a JWT for the entity that the Vault token of the request
//! belongs to. The `aud` of the JWT is the `client_id` of the role; the caller cannot choose it.
//! The server publishes its discovery document and keys, so it is an OpenID Connect issuer. The
//! Vault token either exists already or is the result of a login. A token from a login is used for
//! one run only. It is revoked afterwards, because otherwise the server would keep its lease until
//! the end of its TTL.
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
use crate::options::{SecretRef, TextOrRef, Values};
use crate::secret::Secret;
use crate::token::{Audience, Origin, SubjectToken};
use crate::world::HOME;

choices! {
    /// How to get a Vault token.
    pub(super) enum LoginName {
        /// Use an existing Vault token.
        Token = "token",
        /// Log in with a RoleID and a SecretID.
        AppRole = "approle",
        /// Log in with the token of a Kubernetes service account.
        Kubernetes = "kubernetes",
        /// Log in with a JWT.
        Jwt = "jwt",
        /// Log in with a user name and a password.
        UserPass = "userpass",
        /// Send requests without a Vault token.
        None = "none",
    }
}

options! {
    /// Options of `vault`.
    struct Options {
        /// role below identity/oidc/role/ that defines the token
        role: String = "--role=NAME",
        /// URL of the server; overrides BAO_ADDR and VAULT_ADDR
        address: Option<Url> = "--address",
        /// namespace; overrides BAO_NAMESPACE and VAULT_NAMESPACE
        namespace: Option<String> = "--namespace=PATH",
        /// how to get a Vault token; set --login=none if an agent or proxy at --address adds the token
        /// (default: token, which uses an existing Vault token)
        login: Option<LoginName> = "--login",
        /// Vault token for --login=token; overrides BAO_TOKEN, VAULT_TOKEN and ~/.vault-token
        token: Option<SecretRef> = "--token",
        /// path below auth/ at which the login method is mounted (default: the value of
        /// --login)
        login_mount: Option<String> = "--login-mount=PATH",
        /// role for --login=kubernetes or --login=jwt
        login_role: Option<String> = "--login-role=NAME",
        /// RoleID for --login=approle; may be env:NAME or file:PATH
        role_id: Option<TextOrRef> = "--role-id=ID",
        /// SecretID for --login=approle
        secret_id: Option<SecretRef> = "--secret-id",
        /// JWT for --login=jwt or --login=kubernetes (default for kubernetes: the service
        /// account token of the pod)
        jwt: Option<SecretRef> = "--jwt",
        /// user name for --login=userpass
        user: Option<String> = "--user=NAME",
        /// password for --login=userpass
        password: Option<SecretRef> = "--password",
    }
}

const VARIABLES: &[&str] = &[
    "BAO_AGENT_ADDR",
    "VAULT_AGENT_ADDR",
    "BAO_ADDR",
    "VAULT_ADDR",
    "BAO_NAMESPACE",
    "VAULT_NAMESPACE",
    "BAO_CACERT",
    "VAULT_CACERT",
    "BAO_TOKEN",
    "VAULT_TOKEN",
    HOME,
];

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "vault",
    also: &["hashicorp", "openbao", "bao"],
    summary: "an identity token of HashiCorp Vault or OpenBao",
    options: &[Options::TABLE],
    rest: None,
    variables: VARIABLES,
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
        // Google refuses an iss with plain http, so a server at such an address must have a
        // different address in the iss of its tokens.
        let address = self.address.as_ref().filter(|address| address.is_https());
        let address = address.map_or("ADDRESS", Url::as_typed).trim_end_matches('/');
        let namespace =
            self.namespace.as_deref().map(|path| format!("{}/", path.trim_matches('/')));
        let namespace = namespace.unwrap_or_default();
        Trust::issuer(&format!("{address}/v1/{namespace}identity/oidc"))
            .for_audience("CLIENT_ID")
            .explain("ADDRESS", "the api_addr of the server, as in the iss of its tokens")
            .explain(
                "CLIENT_ID",
                "the client_id in the output of: vault read identity/oidc/role/NAME",
            )
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let server = Server::find(self.address.as_ref(), self.namespace.as_deref(), cx)?;
        let token = self.login.token(&server)?;
        let response = self.read(token.as_ref().map(|token| &token.text), &server);
        if let Some(token) = token.filter(|token| token.must_be_revoked) {
            server.revoke(&token.text);
        }
        let response = response?;
        let data = response.get("data").and_then(Value::as_object);
        let member = |name| data?.get(name)?.as_str();
        let text = member("token").ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {server} has no token"))
                .fix(format!("check {}", server.place))
        })?;
        if let (Some(client_id), Ok(audience)) = (member("client_id"), request.audience()) {
            self.log_other_audience(client_id, audience, cx);
        }
        let origin = Origin::new(
            format!("the response from {server}"),
            "--role",
            "check the clocks of this host and of the server",
        );
        SubjectToken::read(&Secret::new(text), request.token_type, cx.clock.now(), &origin)
    }
}

impl Vault {
    fn read(&self, token: Option<&Secret>, server: &Server) -> Result<Map<String, Value>, Error> {
        let path = format!("identity/oidc/token/{}", form::escape(&self.role));
        let response = server.get(&path, token)?;
        server.require(response, |status, words| self.advice(status, words))
    }

    /// The kind and the fix if the server refuses to create the token. `words` is the message of
    /// the server.
    fn advice(&self, status: u16, words: &str) -> Option<Advice> {
        let role = &self.role;
        Some(match status {
            403 => {
                let policy =
                    format!(r#"path "identity/oidc/token/{role}" {{ capabilities = ["read"] }}"#);
                let fix = match self.login.method {
                    Method::Token(_) if words.contains("invalid token") => {
                        "log in again with vault login or bao login, or use a different --login"
                            .to_owned()
                    }
                    Method::Token(_) => format!(
                        "check that the Vault token has not expired and that it belongs to \
                         --namespace, or add {policy} to its policy"
                    ),
                    _ => format!("add {policy} to the policy of this login"),
                };
                (Kind::Denied, fix)
            }
            400 if words.contains("no entity") => {
                (Kind::Configuration, self.login.fix_for_no_entity().to_owned())
            }
            400 if words.contains("missing client token") => {
                (Kind::Configuration, self.login.fix_for_no_token().to_owned())
            }
            400 if words.contains("allowed client ID") => (
                Kind::Denied,
                format!(
                    "add the client_id of the role {role} to the allowed_client_ids of its key"
                ),
            ),
            400 => (
                Kind::Configuration,
                format!(
                    "check --role and --namespace with vault read identity/oidc/role/{role} \
                     (or bao read)"
                ),
            ),
            404 if role.contains('/') => (
                Kind::Configuration,
                "set --role to the name of the role alone, without the path before it".to_owned(),
            ),
            404 => (
                Kind::Configuration,
                "check the address and the namespace of the server (--address and --namespace)"
                    .to_owned(),
            ),
            _ => return None,
        })
    }

    /// Logs that the audience of the token is not the requested one. The pool provider refuses such
    /// a token unless it allows the audience.
    fn log_other_audience(&self, client_id: &str, requested: &Audience, cx: &Context) {
        if !requested.is(client_id) {
            cx.log.line(format!(
                "the audience of the token is {client_id}, which is the client_id of the role {}, \
                 not {requested}; allow it in the pool provider, or change the client_id of the role",
                self.role
            ));
        }
    }
}
