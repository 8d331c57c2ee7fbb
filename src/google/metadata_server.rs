//! The metadata server of a Google Cloud host, and of `wif-token exec`: tokens of the service account
//! that is attached to the host.
//!
//! Every request has the header `Metadata-Flavor: Google`, and so has every response: a response
//! without it comes from another server. A request takes at most a second.
//! <https://cloud.google.com/compute/docs/metadata/overview>

use std::cell::OnceCell;
use std::time::Duration;

use super::access_token::AccessToken;
use crate::configuration::search::METADATA_HOST;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url, form};
use crate::options::grammar;
use crate::secret::Secret;
use crate::token::jwt;

/// The time limit of a request, which stays on the host.
const LIMIT: Duration = Duration::from_secs(1);

/// The path of the service account that is used.
const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default";

/// The metadata server at an origin.
#[derive(Debug)]
pub struct MetadataServer {
    /// The origin, such as `http://169.254.169.254`.
    pub origin: Url,
    account: OnceCell<String>,
}

impl MetadataServer {
    /// Creates the server with this origin. Sends no request.
    pub fn new(origin: Url) -> MetadataServer {
        MetadataServer { origin, account: OnceCell::new() }
    }

    /// Gets the name of the identity that is attached to the host: the email address of a service
    /// account, or on GKE the name of a workload identity pool.
    ///
    /// # Errors
    /// The errors of [`MetadataServer::email`].
    pub fn account(&self, cx: &Context) -> Result<&str, Error> {
        if let Some(account) = self.account.get() {
            return Ok(account);
        }
        let response = self.get("email", &[], cx)?;
        let account = response.text().unwrap_or_default().trim().to_owned();
        Ok(self.account.get_or_init(|| account))
    }

    /// Gets the email address of the service account.
    ///
    /// # Errors
    /// `ABSENT` if the host has no service account, and the errors of [`Context::send`].
    pub fn email(&self, cx: &Context) -> Result<String, Error> {
        let email = self.account(cx)?;
        grammar::require_service_account(email, METADATA_HOST)
            .map_err(|_| self.malformed("email address"))?;
        Ok(email.to_owned())
    }

    /// Gets an access token with these scopes.
    ///
    /// # Errors
    /// The errors of [`MetadataServer::email`].
    pub fn access_token(&self, scopes: &[String], cx: &Context) -> Result<AccessToken, Error> {
        let response = self.get("token", &[("scopes", &scopes.join(","))], cx)?;
        let place = (&self.origin, METADATA_HOST);
        AccessToken::of_oauth(&response.json()?, cx.clock.now(), place)
    }

    /// Gets an ID token for this audience.
    ///
    /// # Errors
    /// The errors of [`MetadataServer::email`].
    pub fn id_token(&self, audience: &str, cx: &Context) -> Result<Secret, Error> {
        let response = self.get("identity", &[("audience", audience), ("format", "full")], cx)?;
        let token = response.text().unwrap_or_default().trim();
        match jwt::is_signed(token) {
            true => Ok(Secret::new(token)),
            false => Err(self.malformed("ID token")),
        }
    }

    fn get(&self, name: &str, query: &[(&str, &str)], cx: &Context) -> Result<Response, Error> {
        cx.require_authorities()?;
        let origin = self.origin.as_typed();
        let query = form::encode(query.iter().copied());
        let mark = if query.is_empty() { "" } else { "?" };
        let url = Url::parse(&format!("{origin}{ACCOUNT}/{name}{mark}{query}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("{METADATA_HOST} {why}")).fix(wrong_server())
        })?;
        let get = Request::get(&url, METADATA_HOST).header("Metadata-Flavor", "Google");
        let response =
            cx.send(get.direct().once().limit(LIMIT)).map_err(|error| match error.kind() {
                // There is no https URL to use instead.
                Kind::Configuration if !self.origin.is_local() => error.fix(format!(
                    "set {METADATA_HOST} to metadata.google.internal, or add --allow-http={}",
                    self.origin.host()
                )),
                Kind::Unreachable | Kind::Configuration => error.fix(wrong_server()),
                _ => error,
            })?;
        if !response.headers("metadata-flavor").any(|flavor| flavor == "Google") {
            let what = format!("{} is not a Google metadata server", self.origin.as_typed());
            return Err(Error::new(Kind::Protocol, what).fix(wrong_server()));
        }
        if let Some((kind, fix)) = of_iam(&response) {
            let what = format!(
                "{} cannot impersonate the service account of this pod",
                self.origin.as_typed()
            );
            return Err(response.failure(kind, what).fix(fix));
        }
        if response.status == 404 {
            let what = format!("{} has no service account", self.origin.as_typed());
            let fix = "attach a service account to this host, or add --credentials=FILE";
            return Err(response.failure(Kind::Absent, what).fix(fix));
        }
        response.require_success()
    }

    fn malformed(&self, what: &str) -> Error {
        let origin = self.origin.as_typed();
        Error::new(Kind::Protocol, format!("the response from {origin} does not contain an {what}"))
            .fix(wrong_server())
    }
}

/// Explains a refusal by IAM, which the metadata server of GKE passes on as text: its kind and the
/// fix.
/// <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>
fn of_iam(response: &Response) -> Option<(Kind, &'static str)> {
    response.text()?.contains("; IAM returned ").then_some(())?;
    match response.status {
        403 => Some((
            Kind::Denied,
            "allow the Kubernetes service account to use the service account in its annotation \
             iam.gke.io/gcp-service-account, with the role roles/iam.workloadIdentityUser",
        )),
        404 => Some((
            Kind::Configuration,
            "correct the annotation iam.gke.io/gcp-service-account of the Kubernetes service account, \
             because the service account does not exist",
        )),
        _ => None,
    }
}

/// The fix if the server is not the right one.
fn wrong_server() -> String {
    format!("correct or unset {METADATA_HOST}, or add --credentials=FILE")
}
