//! The IAM Service Account Credentials API: short-lived credentials of a service account.
//!
//! `POST …/v1/projects/-/serviceAccounts/ACCOUNT:METHOD` with the access token of the caller as the
//! bearer token. The caller can impersonate the account through delegates: each delegate must be
//! allowed to create tokens for the next one, and the last delegate for the account.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::access_token::AccessToken;
use super::refusals::{self, Refusal};
use super::service_account::ServiceAccount;
use crate::error::{Error, Kind};
use crate::http::{Request, Url};
use crate::secret::Secret;
use crate::time::parse_rfc3339;
use crate::token::jwt;

/// Data that was signed with the Google-managed key of a service account.
#[derive(Debug)]
pub struct Signed {
    /// The id of the key.
    pub key_id: String,
    /// A signed JWT, or a signature in base64.
    pub text: Secret,
}

impl ServiceAccount<'_> {
    /// `generateAccessToken`: gets an access token with these scopes. `lifetime` is in seconds and
    /// overrides that of the configuration. `place` names the settings in messages.
    ///
    /// # Errors
    /// `DENIED` if a role is missing, `CONFIGURATION` if the account does not exist or the lifetime
    /// is not allowed; otherwise those of [`Context::send`](crate::context::Context::send).
    pub fn access_token(
        &self,
        scopes: &[String],
        lifetime: Option<u64>,
        place: &str,
    ) -> Result<AccessToken, Refusal> {
        let lifetime = lifetime.or(self.account.lifetime);
        let mut body = json!({ "scope": scopes });
        if let (Some(body), Some(lifetime)) = (body.as_object_mut(), lifetime) {
            body.insert("lifetime".to_owned(), format!("{lifetime}s").into());
        }
        let response = self.call("generateAccessToken", body, place)?;
        let token = text(&response, "accessToken")?;
        let expiry = response.get("expireTime").and_then(Value::as_str).and_then(parse_rfc3339);
        let now = self.cx.clock.now();
        let lifetime = expiry.map(|expiry| expiry - now);
        // If this host's clock is ahead, a valid token seems to have expired.
        let only_seems_expired =
            |left: &i64| *left <= 0 && left.saturating_add(self.cx.skew().unwrap_or(0)) > 0;
        let lifetime = lifetime.filter(|left| !only_seems_expired(left));
        let place = (&self.account.url, "service_account_impersonation_url");
        Ok(AccessToken::new(token, lifetime, now, place)?)
    }

    /// `generateIdToken`: gets an OpenID Connect ID token for this audience.
    ///
    /// # Errors
    /// The errors of [`ServiceAccount::access_token`].
    pub fn id_token(
        &self,
        audience: &str,
        include_email: bool,
        place: &str,
    ) -> Result<Secret, Error> {
        let body = json!({ "audience": audience, "includeEmail": include_email });
        let response = self.call("generateIdToken", body, place)?;
        jwt(&response, "token")
    }

    /// `signJwt`: signs these claims, a JSON object, as a JWT.
    ///
    /// # Errors
    /// The errors of [`ServiceAccount::access_token`].
    pub fn sign_jwt(&self, claims: &str, place: &str) -> Result<Signed, Error> {
        let response = self.call("signJwt", json!({ "payload": claims }), place)?;
        Ok(Signed { key_id: key_id(&response), text: jwt(&response, "signedJwt")? })
    }

    /// `signBlob`: signs these base64-encoded bytes with RSA and SHA-256.
    ///
    /// # Errors
    /// The errors of [`ServiceAccount::access_token`].
    pub fn sign_blob(&self, base64: &str, place: &str) -> Result<Signed, Error> {
        let response = self.call("signBlob", json!({ "payload": base64 }), place)?;
        let signature = text(&response, "signedBlob")?;
        match STANDARD.decode(signature) {
            Ok(bytes) if !bytes.is_empty() => {
                Ok(Signed { key_id: key_id(&response), text: Secret::new(signature) })
            }
            _ => Err(malformed("signedBlob", "base64")),
        }
    }

    fn call(
        &self,
        method: &str,
        mut body: Value,
        place: &str,
    ) -> Result<Map<String, Value>, Refusal> {
        let names =
            self.delegates.iter().map(|email| format!("projects/-/serviceAccounts/{email}"));
        if let (Some(body), false) = (body.as_object_mut(), self.delegates.is_empty()) {
            body.insert("delegates".to_owned(), names.collect());
        }
        let address = self.account.url.as_typed();
        let address = address.strip_suffix("generateAccessToken").unwrap_or(address);
        let member = "service_account_impersonation_url";
        let url = Url::parse(&format!("{address}{method}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("{member} {why}"))
                .fix(format!("correct {member}"))
        })?;
        let post = Request::post(&url, member)
            .header("Content-Type", "application/json")
            .bearer(&self.bearer.text)
            .body(Secret::new(body.to_string()));
        let response = self.cx.send(post)?;
        match response.status {
            200 => Ok(response.json()?),
            _ => Err(refusals::of_service_account(self, (method, place), &url, response)),
        }
    }
}

fn key_id(response: &Map<String, Value>) -> String {
    response.get("keyId").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Reads a signed JWT from a response.
fn jwt(response: &Map<String, Value>, name: &str) -> Result<Secret, Error> {
    match text(response, name)? {
        token if jwt::is_signed(token) => Ok(Secret::new(token)),
        _ => Err(malformed(name, "a JWT")),
    }
}

fn malformed(name: &str, expected: &str) -> Error {
    let what = format!("{name} in the response for the service account is not {expected}");
    Error::new(Kind::Protocol, what).fix("check service_account_impersonation_url")
}

fn text<'a>(response: &'a Map<String, Value>, name: &str) -> Result<&'a str, Error> {
    response.get(name).and_then(Value::as_str).ok_or_else(|| {
        Error::new(
            Kind::Protocol,
            format!("the response from the IAM Service Account Credentials API has no {name}"),
        )
        .fix("check service_account_impersonation_url")
    })
}
