//! How a Vault token is had: it is at hand, or a login gives one for this run.
//! <https://developer.hashicorp.com/vault/api-docs/auth>

use serde_json::{Value, json};

use super::server::{Advice, Server, variable};
use super::{LoginName, Options};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::form;
use crate::options::{SecretRef, missing};
use crate::secret::Secret;

/// Where a pod has its service account's token.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// `--login` and the options that belong to it.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) method: Method,
    mount: String,
}

#[derive(Debug)]
pub(super) enum Method {
    Token(Option<SecretRef>),
    AppRole { role_id: String, secret_id: Option<SecretRef> },
    Kubernetes { role: String, jwt: Option<SecretRef> },
    Jwt { role: Option<String>, jwt: SecretRef },
    UserPass { user: String, password: SecretRef },
    None,
}

/// A Vault token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: Secret,
    /// It was made for this run, which has to end it.
    pub(super) is_of_this_run: bool,
}

/// Refuses options of another login.
fn refuse_others(login: LoginName, options: &Options) -> Result<(), Error> {
    use LoginName::{AppRole, Jwt, Kubernetes, Token, UserPass};
    let given: [(&str, bool, &[LoginName]); 8] = [
        ("token", options.token.is_some(), &[Token]),
        ("login-mount", options.login_mount.is_some(), &[AppRole, Kubernetes, Jwt, UserPass]),
        ("login-role", options.login_role.is_some(), &[Kubernetes, Jwt]),
        ("role-id", options.role_id.is_some(), &[AppRole]),
        ("secret-id", options.secret_id.is_some(), &[AppRole]),
        ("jwt", options.jwt.is_some(), &[Kubernetes, Jwt]),
        ("user", options.user.is_some(), &[UserPass]),
        ("password", options.password.is_some(), &[UserPass]),
    ];
    let other = given.iter().find(|(_, given, logins)| *given && !logins.contains(&login));
    other.map_or(Ok(()), |(option, _, logins)| {
        let logins: Vec<&str> = logins.iter().map(|login| login.word()).collect();
        let what = format!("--{option} is not for --login={}", login.word());
        Err(Error::new(Kind::Usage, what)
            .fix(format!("remove it, or use --login={}", logins.join(" or --login="))))
    })
}

impl Login {
    /// # Errors
    /// `USAGE` where an option is missing, or is one of another login.
    pub(super) fn new(options: &Options) -> Result<Login, Error> {
        let login = options.login.unwrap_or(LoginName::Token);
        refuse_others(login, options)?;
        let (role, jwt) = (options.login_role.clone(), options.jwt.clone());
        let method = match login {
            LoginName::AppRole => Method::AppRole {
                role_id: options.role_id.clone().ok_or_else(|| missing("role-id"))?,
                secret_id: options.secret_id.clone(),
            },
            LoginName::Kubernetes => {
                Method::Kubernetes { role: role.ok_or_else(|| missing("login-role"))?, jwt }
            }
            LoginName::Jwt => Method::Jwt { role, jwt: jwt.ok_or_else(|| missing("jwt"))? },
            LoginName::UserPass => Method::UserPass {
                user: options.user.clone().ok_or_else(|| missing("user"))?,
                password: options.password.clone().ok_or_else(|| missing("password"))?,
            },
            LoginName::None => Method::None,
            LoginName::Token => Method::Token(options.token.clone()),
        };
        let mount = options.login_mount.clone();
        Ok(Login { method, mount: mount.unwrap_or_else(|| login.word().to_owned()) })
    }

    /// The Vault token to ask with; `None` where none is sent.
    ///
    /// # Errors
    /// `ABSENT` where none is at hand, `DENIED` where the login is refused.
    pub(super) fn token(&self, server: &Server) -> Result<Option<Token>, Error> {
        let cx = server.cx;
        let token = match &self.method {
            Method::None => return Ok(None),
            Method::Token(secret) => {
                Token { text: at_hand(secret.as_ref(), cx)?, is_of_this_run: false }
            }
            Method::AppRole { role_id, secret_id } => {
                let role_id = match SecretRef::parse(role_id) {
                    Some(secret) => secret.read("--role-id", cx)?,
                    None => Secret::new(role_id.as_str()),
                };
                let secret_id = secret_id.as_ref().map(|id| id.read("--secret-id", cx));
                let secret_id = secret_id.transpose()?;
                let shown = secret_id.as_ref().map(Secret::expose);
                let body = json!({ "role_id": role_id.expose(), "secret_id": shown });
                self.log_in("login", &body, [role_id].into_iter().chain(secret_id), server)?
            }
            Method::Kubernetes { role, jwt } => {
                let jwt = match jwt {
                    Some(jwt) => jwt.read("--jwt", cx)?,
                    None => files::read_text(SERVICE_ACCOUNT.as_ref(), "--jwt", Kind::Absent)?,
                };
                let body = json!({ "role": role, "jwt": jwt.expose() });
                self.log_in("login", &body, [jwt], server)?
            }
            Method::Jwt { role, jwt } => {
                let jwt = jwt.read("--jwt", cx)?;
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
        let answer = server.require(response, |status, _| self.advice(status))?;
        let auth = answer.get("auth").and_then(Value::as_object);
        let member = |name| auth?.get(name)?.as_str();
        let text = member("client_token").filter(|text| !text.is_empty()).ok_or_else(|| {
            Error::new(Kind::Denied, format!("the login at {server} gave no Vault token"))
                .fix("check --login-mount, and that nothing there asks for a second factor")
        })?;
        // A batch token is no lease and cannot be revoked.
        let is_of_this_run = member("token_type") != Some("batch");
        Ok(Token { text: Secret::new(text), is_of_this_run })
    }

    /// What to change when the login is refused.
    fn advice(&self, status: u16) -> Option<Advice> {
        let fix = match &self.method {
            Method::AppRole { .. } => {
                "check --role-id and --secret-id, which may be over or used up"
            }
            Method::Kubernetes { .. } => {
                "check --login-role, and that it allows this pod's service account and namespace"
            }
            Method::Jwt { .. } => {
                "check --login-role and --jwt, and the role's bound_audiences and bound_claims"
            }
            Method::UserPass { .. } => "check --user and --password",
            Method::Token(_) | Method::None => return None,
        };
        let elsewhere = "check --login-mount, --namespace and --address";
        match status {
            400 | 401 => Some((Kind::Denied, fix.to_owned())),
            // Where nothing is mounted too: without a Vault token nobody may know.
            403 => Some((Kind::Denied, format!("{fix}; {elsewhere}"))),
            404 => Some((Kind::Configuration, elsewhere.to_owned())),
            _ => None,
        }
    }
}

/// The Vault token of the option, of a variable, or the one that `vault login` leaves in the home.
fn at_hand(secret: Option<&SecretRef>, cx: &Context) -> Result<Secret, Error> {
    if let Some(secret) = secret {
        return secret.read("--token", cx);
    }
    if let Some((token, _)) = variable(["BAO_TOKEN", "VAULT_TOKEN"], cx)? {
        return Ok(Secret::new(token));
    }
    let file = cx.env.home()?.map(|home| home.join(".vault-token"));
    match file.filter(|file| file.exists()) {
        Some(file) => SecretRef::File(file).read("--token", cx),
        None => Err(Error::new(Kind::Absent, "there is no Vault token").fix(
            "log in (vault login, bao login), set VAULT_TOKEN or BAO_TOKEN, or take another --login",
        )),
    }
}
