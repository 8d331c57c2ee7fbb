//! How to get a Vault token: use an existing one, or log in for this run.
//! <https://developer.hashicorp.com/vault/api-docs/auth>

use serde_json::{Value, json};

use super::server::{Advice, Server, variable};
use super::{LoginName, Options};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::form;
use crate::options::{SecretRef, TextOrRef, missing};
use crate::secret::Secret;
use crate::token;

/// The service account token of a pod.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// `--login` and its options.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) method: Method,
    mount: String,
}

#[derive(Debug)]
pub(super) enum Method {
    Token(Option<SecretRef>),
    AppRole { role_id: TextOrRef, secret_id: Option<SecretRef> },
    Kubernetes { role: String, jwt: Option<SecretRef> },
    Jwt { role: Option<String>, jwt: SecretRef },
    UserPass { user: String, password: SecretRef },
    None,
}

/// A Vault token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: Secret,
    /// Whether the token was created for this run and must be revoked at its end.
    pub(super) must_be_revoked: bool,
}

/// Refuses options that belong to a different login.
fn refuse_other_options(login: LoginName, options: &Options) -> Result<(), Error> {
    use LoginName::{AppRole, Jwt, Kubernetes, Token, UserPass};
    let uses: [(&str, bool, &[LoginName]); 8] = [
        ("token", options.token.is_some(), &[Token]),
        ("login-mount", options.login_mount.is_some(), &[AppRole, Kubernetes, Jwt, UserPass]),
        ("login-role", options.login_role.is_some(), &[Kubernetes, Jwt]),
        ("role-id", options.role_id.is_some(), &[AppRole]),
        ("secret-id", options.secret_id.is_some(), &[AppRole]),
        ("jwt", options.jwt.is_some(), &[Kubernetes, Jwt]),
        ("user", options.user.is_some(), &[UserPass]),
        ("password", options.password.is_some(), &[UserPass]),
    ];
    let other = uses.iter().find(|(_, is_set, logins)| *is_set && !logins.contains(&login));
    other.map_or(Ok(()), |(option, _, logins)| {
        let logins: Vec<&str> = logins.iter().map(|login| login.word()).collect();
        let logins = format!("--login={}", logins.join(" or --login="));
        Err(Error::new(Kind::Usage, format!("--{option} requires {logins}"))
            .fix(format!("remove --{option}, or use {logins}")))
    })
}

impl Login {
    /// Reads the options.
    ///
    /// # Errors
    /// `USAGE` if a required option is missing, or if an option belongs to a different login.
    pub(super) fn new(options: &Options) -> Result<Login, Error> {
        let login = options.login.unwrap_or(LoginName::Token);
        refuse_other_options(login, options)?;
        let (role, jwt) = (options.login_role.clone(), options.jwt.clone());
        let method = match login {
            LoginName::AppRole => Method::AppRole {
                role_id: options
                    .role_id
                    .clone()
                    .ok_or_else(|| missing(Options::TABLE, "role-id"))?,
                secret_id: options.secret_id.clone(),
            },
            LoginName::Kubernetes => Method::Kubernetes {
                role: role.ok_or_else(|| missing(Options::TABLE, "login-role"))?,
                jwt,
            },
            LoginName::Jwt => {
                Method::Jwt { role, jwt: jwt.ok_or_else(|| missing(Options::TABLE, "jwt"))? }
            }
            LoginName::UserPass => Method::UserPass {
                user: options.user.clone().ok_or_else(|| missing(Options::TABLE, "user"))?,
                password: options
                    .password
                    .clone()
                    .ok_or_else(|| missing(Options::TABLE, "password"))?,
            },
            LoginName::None => Method::None,
            LoginName::Token => Method::Token(options.token.clone()),
        };
        let mount = options.login_mount.clone();
        Ok(Login { method, mount: mount.unwrap_or_else(|| login.word().to_owned()) })
    }

    /// Gets the Vault token for the requests; `None` with `--login=none`.
    ///
    /// # Errors
    /// `ABSENT` if there is no Vault token, `DENIED` if the server refuses the login.
    pub(super) fn token(&self, server: &Server) -> Result<Option<Token>, Error> {
        let cx = server.cx;
        let token = match &self.method {
            Method::None => return Ok(None),
            Method::Token(secret) => {
                Token { text: existing_token(secret.as_ref(), cx)?, must_be_revoked: false }
            }
            Method::AppRole { role_id, secret_id } => {
                let role_id = role_id.read("--role-id", cx)?;
                let secret_id = secret_id.as_ref().map(|id| id.read("--secret-id", cx));
                let secret_id = secret_id.transpose()?;
                let exposed = secret_id.as_ref().map(Secret::expose);
                let body = json!({ "role_id": role_id.expose(), "secret_id": exposed });
                self.log_in("login", &body, [role_id].into_iter().chain(secret_id), server)?
            }
            Method::Kubernetes { role, jwt } => {
                let jwt = jwt_of(jwt.as_ref(), cx)?;
                let body = json!({ "role": role, "jwt": jwt.expose() });
                self.log_in("login", &body, [jwt], server)?
            }
            Method::Jwt { role, jwt } => {
                let jwt = jwt_of(Some(jwt), cx)?;
                let body = json!({ "role": role, "jwt": jwt.expose() });
                self.log_in("login", &body, [jwt], server)?
            }
            Method::UserPass { user, password } => {
                let password = password.read("--password", cx)?;
                let body = json!({ "password": password.expose() });
                self.log_in(&format!("login/{}", form::escape(user)), &body, [password], server)?
            }
        };
        Ok(Some(token))
    }

    /// Posts `body` to the path `end` of the login method, and reads the Vault token.
    fn log_in(
        &self,
        end: &str,
        body: &Value,
        secrets: impl IntoIterator<Item = Secret>,
        server: &Server,
    ) -> Result<Token, Error> {
        let mount = self.mount.trim_matches('/').split('/');
        let mount: Vec<String> = mount.map(|part| form::escape(part).to_string()).collect();
        let path = format!("auth/{}/{end}", mount.join("/"));
        let response = server.post(&path, body, &secrets.into_iter().collect::<Vec<_>>())?;
        let response = server.require(response, |status, words| self.advice(status, words))?;
        let auth = response.get("auth").and_then(Value::as_object);
        let member = |name| auth?.get(name)?.as_str();
        let text = member("client_token").filter(|text| !text.is_empty()).ok_or_else(|| {
            let what = format!("the login response from {server} has no client_token");
            Error::new(Kind::Denied, what).fix(
                "check --login-mount, and that the login does not require multi-factor \
                 authentication",
            )
        })?;
        if !token::is_opaque(text) {
            let what = format!("the client_token in the login response from {server} is not valid");
            return Err(Error::new(Kind::Protocol, what).fix("check --address"));
        }
        // A batch token has no lease and cannot be revoked.
        let must_be_revoked = member("token_type") != Some("batch");
        Ok(Token { text: Secret::new(text), must_be_revoked })
    }

    /// The fix if the Vault token has no entity.
    pub(super) fn fix_for_no_entity(&self) -> &'static str {
        match self.method {
            Method::Token(_) => {
                "set --login to approle, kubernetes, jwt or userpass, or set --token to a token from \
                 vault login or bao login with one of these methods (root tokens and their child \
                 tokens have no entity)"
            }
            Method::None => {
                "configure auto_auth of the agent or proxy with a method such as approle or \
                 kubernetes, because root tokens and their child tokens have no entity"
            }
            _ => {
                "check that the login method at --login-mount creates entities (vault auth list \
                 -detailed), or use a different --login"
            }
        }
    }

    /// The fix if the request arrived at the server without a Vault token.
    pub(super) fn fix_for_no_token(&self) -> &'static str {
        match self.method {
            Method::None => {
                "--login=none requires an agent or proxy at --address that adds the token: set \
                 use_auto_auth_token in its api_proxy block, or use a different --login"
            }
            _ => "check that the proxies in front of the server pass on the header X-Vault-Token",
        }
    }

    /// The kind and the fix if the server refuses the login.
    fn advice(&self, status: u16, words: &str) -> Option<Advice> {
        let credentials = match &self.method {
            Method::AppRole { .. } => {
                "check --role-id, and check that --secret-id has not expired, has uses left and is not \
                 a wrapping token"
            }
            Method::Kubernetes { .. } => {
                "check --login-role, and that the role allows the service account and the \
                 namespace of this pod"
            }
            Method::Jwt { .. } => {
                "check --login-role, --jwt, and the bound_audiences and bound_claims of the role"
            }
            Method::UserPass { .. } => "check --user and --password",
            Method::Token(_) | Method::None => return None,
        };
        let path = "check --login-mount, --namespace and --address";
        match status {
            // Without a login method at the path, the server requires a Vault token.
            400 if words.contains("missing client token") => {
                Some((Kind::Configuration, path.to_owned()))
            }
            400 if words.contains("CIDR restrictions") => Some((
                Kind::Denied,
                "add the address of this host to secret_id_bound_cidrs and token_bound_cidrs of the role"
                    .to_owned(),
            )),
            400 if words.contains("role with oidc role_type is not allowed") => {
                Some((Kind::Configuration, "set --login-role to a role with role_type jwt".to_owned()))
            }
            400 if words.contains("successfully validated the token signature") => Some((
                Kind::Denied,
                "check that the login method has the keys of the issuer of --jwt (oidc_discovery_url, \
                 jwks_url or jwt_validation_pubkeys)"
                    .to_owned(),
            )),
            // A failed TokenReview of the Kubernetes API: 403 or 500, depending on the version of
            // the server.
            403 | 500 if words.contains("service account unauthorized") => Some((
                Kind::Denied,
                "check that --login-mount is the method for this cluster, and that its token reviewer \
                 may create tokenreviews (role system:auth-delegator)"
                    .to_owned(),
            )),
            400 | 401 => Some((Kind::Denied, credentials.to_owned())),
            // The server also returns 403 if no login method is mounted at the path.
            403 => Some((Kind::Denied, format!("{credentials}, or {path}"))),
            404 => Some((Kind::Configuration, path.to_owned())),
            _ => None,
        }
    }
}

/// Reads the JWT for a login; by default, the token of the pod's service account.
fn jwt_of(option: Option<&SecretRef>, cx: &Context) -> Result<Secret, Error> {
    let (text, place) = match option {
        Some(jwt) => (jwt.read("--jwt", cx)?, "the value of --jwt".to_owned()),
        None => (
            files::read_text(SERVICE_ACCOUNT_TOKEN.as_ref(), "--jwt", Kind::Absent)?,
            format!("the file {SERVICE_ACCOUNT_TOKEN}"),
        ),
    };
    token::assertion(&text, place, "--jwt")
}

/// Reads the Vault token from `--token`, from a variable, or from the file that `vault login`
/// writes.
fn existing_token(secret: Option<&SecretRef>, cx: &Context) -> Result<Secret, Error> {
    let (token, place) = find_token(secret, cx)?;
    match token::not_a_bearer(token.expose()) {
        None => Ok(token),
        Some(why) => {
            let what = format!("{place} does not contain a Vault token");
            Err(Error::new(Kind::Configuration, what)
                .cause(why)
                .fix(format!("set {place} to the token itself, without quotes")))
        }
    }
}

/// Finds the token. Also returns the option, variable or file that contains it.
fn find_token(secret: Option<&SecretRef>, cx: &Context) -> Result<(Secret, &'static str), Error> {
    if let Some(secret) = secret {
        return Ok((secret.read("--token", cx)?, "--token"));
    }
    if let Some((token, name)) = variable(["BAO_TOKEN", "VAULT_TOKEN"], cx)? {
        let token = Secret::new(token);
        return Ok((Secret::new(token.expose().trim_end_matches(['\r', '\n'])), name));
    }
    let file = cx.env.home()?.map(|home| home.join(".vault-token"));
    match file.filter(|file| files::exists(file)) {
        Some(file) => Ok((SecretRef::File(file).read("--token", cx)?, "~/.vault-token")),
        None => Err(Error::new(Kind::Absent, "no Vault token found")
            .cause("BAO_TOKEN and VAULT_TOKEN are not set, and ~/.vault-token does not exist")
            .fix("run vault login or bao login, set --token, or use a different --login")),
    }
}
