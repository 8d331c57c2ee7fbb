//! The IAM Service Account Credentials API: short-lived credentials of a service account.
//!
//! `POST …/v1/projects/-/serviceAccounts/ACCOUNT:METHOD` with the federated access token. Delegates
//! stand between the caller and the account, each with the right to create tokens for the next.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts>

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::access_token::AccessToken;
use crate::configuration::{CredentialConfig, Impersonation};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url};
use crate::secret::Secret;
use crate::shell::quoted;
use crate::time::parse_rfc3339;

/// A service account, and how to get to it.
#[derive(Debug)]
pub struct ServiceAccount<'a> {
    /// The account of the configuration.
    pub account: Cow<'a, Impersonation>,
    /// The delegates, in the order from the caller to the account.
    pub delegates: Vec<String>,
    /// The federated access token.
    pub bearer: AccessToken,
    /// The caller's name in an IAM policy, for messages.
    pub member: String,
}

/// A signature of the account's Google-managed key.
#[derive(Debug)]
pub struct Signed {
    /// Which key it is by.
    pub key_id: String,
    /// A JWT, or base64 of a signature.
    pub text: Secret,
}

impl<'a> ServiceAccount<'a> {
    /// The account of a configuration; `federated` gets the bearer and the caller's name.
    ///
    /// # Errors
    /// `CONFIGURATION` where it names none, `USAGE` where a delegate is the account itself, and
    /// those of `federated`.
    pub fn new(
        config: &'a CredentialConfig,
        delegates: Vec<String>,
        federated: impl FnOnce() -> Result<(AccessToken, String), Error>,
    ) -> Result<ServiceAccount<'a>, Error> {
        let account = config.service_account()?;
        if delegates.contains(&account.account) {
            return Err(Error::new(Kind::Usage, "a --delegate is the service account itself")
                .fix("name the accounts between the workload and it"));
        }
        let (bearer, member) = federated()?;
        Ok(ServiceAccount { account: Cow::Borrowed(account), delegates, bearer, member })
    }

    /// The delegate of this index as the account, through those before it.
    pub fn up_to(&self, index: usize) -> Option<ServiceAccount<'static>> {
        let (before, from) = self.delegates.split_at_checked(index)?;
        Some(ServiceAccount {
            account: Cow::Owned(self.account.beside(from.first()?)?),
            delegates: before.to_vec(),
            bearer: self.bearer.clone(),
            member: self.member.clone(),
        })
    }

    /// `generateAccessToken`: a token with these scopes that lives so many seconds.
    ///
    /// # Errors
    /// `DENIED` with the role that is missing, `CONFIGURATION` for a life that is not allowed.
    pub fn access_token(
        &self,
        scopes: &[String],
        lifetime: Option<u64>,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        let lifetime = lifetime.or(self.account.lifetime);
        let mut body = json!({ "scope": scopes });
        if let (Some(body), Some(lifetime)) = (body.as_object_mut(), lifetime) {
            body.insert("lifetime".to_owned(), format!("{lifetime}s").into());
        }
        let answer = self.call("generateAccessToken", body, cx)?;
        let token = text(&answer, "accessToken")?;
        let expiry = answer.get("expireTime").and_then(Value::as_str).and_then(parse_rfc3339);
        let now = cx.clock.now();
        Ok(AccessToken::new(token, expiry.map(|expiry| expiry - now), now))
    }

    /// `generateIdToken`: an OpenID Connect token for this audience.
    ///
    /// # Errors
    /// As [`ServiceAccount::access_token`].
    pub fn id_token(
        &self,
        audience: &str,
        include_email: bool,
        cx: &Context,
    ) -> Result<Secret, Error> {
        let body = json!({ "audience": audience, "includeEmail": include_email });
        let answer = self.call("generateIdToken", body, cx)?;
        text(&answer, "token").map(Secret::new)
    }

    /// `signJwt`: claims, as a JSON object, signed by the account.
    ///
    /// # Errors
    /// As [`ServiceAccount::access_token`].
    pub fn sign_jwt(&self, claims: &str, cx: &Context) -> Result<Signed, Error> {
        let answer = self.call("signJwt", json!({ "payload": claims }), cx)?;
        Ok(Signed { key_id: key_id(&answer), text: Secret::new(text(&answer, "signedJwt")?) })
    }

    /// `signBlob`: bytes, as base64, signed by the account with RSA and SHA-256.
    ///
    /// # Errors
    /// As [`ServiceAccount::access_token`].
    pub fn sign_blob(&self, base64: &str, cx: &Context) -> Result<Signed, Error> {
        let answer = self.call("signBlob", json!({ "payload": base64 }), cx)?;
        Ok(Signed { key_id: key_id(&answer), text: Secret::new(text(&answer, "signedBlob")?) })
    }

    fn call(
        &self,
        method: &str,
        mut body: Value,
        cx: &Context,
    ) -> Result<Map<String, Value>, Error> {
        let names =
            self.delegates.iter().map(|email| format!("projects/-/serviceAccounts/{email}"));
        if let (Some(body), false) = (body.as_object_mut(), self.delegates.is_empty()) {
            body.insert("delegates".to_owned(), names.collect());
        }
        let address = self.account.url.as_typed();
        let address = address.strip_suffix("generateAccessToken").unwrap_or(address);
        let url = Url::parse(&format!("{address}{method}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("service_account_impersonation_url {why}"))
        })?;
        let bearer = Secret::new(format!("Bearer {}", self.bearer.text.expose()));
        let post = Request::post(&url, "service_account_impersonation_url")
            .header("Content-Type", "application/json")
            .header("Authorization", bearer)
            .hiding(self.bearer.text.clone())
            .body(Secret::new(body.to_string()));
        let response = cx.send(post)?;
        match response.status {
            200 => response.json(),
            _ => Err(self.refusal(method, &url, response)),
        }
    }

    fn refusal(&self, method: &str, url: &Url, response: Response) -> Error {
        let account = &self.account.account;
        let words = response.error_text().unwrap_or_default();
        let (kind, fix) = match response.status {
            403 if words.contains("has not been used in project") || words.contains("disabled") => {
                (
                    Kind::Denied,
                    "enable the API: gcloud services enable iamcredentials.googleapis.com --project=PROJECT"
                        .to_owned(),
                )
            }
            403 => (Kind::Denied, self.missing_role(method)),
            404 => {
                let (account, project) = (quoted(account), in_project(account));
                let describe = format!("gcloud iam service-accounts describe {account}{project}");
                (Kind::Configuration, format!("check the service account: {describe}"))
            }
            400 if method == "generateAccessToken" => (
                Kind::Configuration,
                "check --scope and the lifetime: above 3600 s the organisation policy \
                 iam.allowServiceAccountCredentialLifetimeExtension has to list the account"
                    .to_owned(),
            ),
            400 => (Kind::Configuration, "check what is sent, and every --delegate".to_owned()),
            401 => (
                Kind::Denied,
                "the federated token is not taken there: the universe of token_url and of \
                 service_account_impersonation_url may differ"
                    .to_owned(),
            ),
            _ => {
                return response.require_success().err().unwrap_or_else(|| {
                    Error::new(Kind::Protocol, format!("{url} answered without a body"))
                });
            }
        };
        let error = Error::new(kind, format!("{url} answered {}", response.status)).fix(fix);
        if words.is_empty() { error } else { error.cause(words) }
    }

    /// The commands that grant what a refusal may be about: the same text tells of a missing role
    /// and of a missing account.
    fn missing_role(&self, method: &str) -> String {
        let account = &self.account.account;
        let role = match method {
            "generateAccessToken" | "generateIdToken" => "workloadIdentityUser",
            _ => "serviceAccountTokenCreator",
        };
        let Some(first) = self.delegates.first() else {
            return format!(
                "if the account exists, let the workload use it: {}; a change takes up to 5 minutes",
                binding(account, role, &self.member)
            );
        };
        let mut commands = vec![binding(first, "serviceAccountTokenCreator", &self.member)];
        let chain = self.delegates.iter().zip(self.delegates.iter().skip(1).chain([account]));
        commands.extend(chain.map(|(from, to)| {
            binding(to, "serviceAccountTokenCreator", &format!("serviceAccount:{from}"))
        }));
        format!("each of the chain needs the right on the next: {}", commands.join(" && "))
    }
}

/// The command that gives a member a role on a service account.
pub fn binding(on: &str, role: &str, member: &str) -> String {
    let member = format!("--member={member}");
    let (account, project, member) = (quoted(on), in_project(on), quoted(&member));
    format!(
        "gcloud iam service-accounts add-iam-policy-binding {account} --role=roles/iam.{role} \
         {member}{project}"
    )
}

/// The option without which gcloud finds no service account, where its address tells the project.
fn in_project(account: &str) -> String {
    project(account).map_or_else(String::new, |project| format!(" --project={}", quoted(&project)))
}

/// The project in the address of a service account: `NAME@PROJECT.iam.gserviceaccount.com`, that of
/// a domain as `PROJECT.DOMAIN`.
pub fn project(account: &str) -> Option<String> {
    let (_, host) = account.split_once('@')?;
    let project = host.strip_suffix(".iam.gserviceaccount.com")?;
    Some(match project.split_once('.') {
        Some((project, domain)) => format!("{domain}:{project}"),
        None => project.to_owned(),
    })
}

fn key_id(answer: &Map<String, Value>) -> String {
    answer.get("keyId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn text<'a>(answer: &'a Map<String, Value>, name: &str) -> Result<&'a str, Error> {
    answer.get(name).and_then(Value::as_str).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the answer for the service account has no {name}"))
            .fix("check service_account_impersonation_url")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_the_project() {
        for (account, known) in [
            ("app@my-project.iam.gserviceaccount.com", Some("my-project")),
            ("app@my-project.example.com.iam.gserviceaccount.com", Some("example.com:my-project")),
            ("1-compute@developer.gserviceaccount.com", None),
            ("123456789012345678901", None),
        ] {
            assert_eq!(project(account).as_deref(), known, "{account}");
        }
    }
}
