//! Refusals of the IAM Service Account Credentials API.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts>

use crate::error::{Error, Kind};
use crate::google::gcloud::{self, grant_role};
use crate::google::service_account::ServiceAccount;
use crate::http::{Response, Url};

/// A refused request for a service account.
#[derive(Debug)]
pub struct Refusal {
    /// What the user is told.
    pub error: Error,
    /// Whether the caller lacks a role on a delegate; otherwise the role on the account is missing.
    pub concerns_delegate: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, concerns_delegate: false }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        refusal.error
    }
}

/// The refusal of a request to `url`, which calls a method on a service account. `place` names the
/// settings that the request consists of.
pub(in crate::google) fn of_service_account(
    account: &ServiceAccount,
    (method, place): (&str, &str),
    url: &Url,
    response: Response,
) -> Refusal {
    let text = response.error_text().unwrap_or_default();
    let Some((kind, fix)) = judge(account, (method, place), response.status, &text) else {
        let error = response.require_success().err().unwrap_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} is empty"))
        });
        return error.into();
    };
    let what = format!("{url} responded with status {}", response.status);
    Refusal {
        error: response.failure(kind, what).fix(fix),
        concerns_delegate: text.contains("implicitDelegation"),
    }
}

fn judge(
    account: &ServiceAccount,
    (method, place): (&str, &str),
    status: u16,
    text: &str,
) -> Option<(Kind, String)> {
    let is_disabled = text.contains("has not been used in project") || text.contains("disabled");
    Some(match status {
        403 if is_disabled => (
            Kind::Denied,
            "enable the API: gcloud services enable iamcredentials.googleapis.com --project=PROJECT"
                .to_owned(),
        ),
        403 => (Kind::Denied, missing_role(account, method)),
        404 => {
            let describe = gcloud::describe(&account.account.account);
            (Kind::Configuration, format!("check that the service account exists: {describe}"))
        }
        400 => (Kind::Configuration, bad_request(method, place)),
        401 => (
            Kind::Denied,
            "check that token_url and service_account_impersonation_url are in the same universe domain"
                .to_owned(),
        ),
        _ => return None,
    })
}

fn bad_request(method: &str, place: &str) -> String {
    match method {
        "generateAccessToken" => format!(
            "check {place}: a lifetime of more than 3600 s requires the account to be in the \
             organization policy iam.allowServiceAccountCredentialLifetimeExtension"
        ),
        _ => format!("check {place} and the delegates"),
    }
}

/// The commands that grant the roles that may be missing. Google sends the same text for a missing
/// role and for a service account that does not exist.
fn missing_role(account: &ServiceAccount, method: &str) -> String {
    let (delegates, member) = (&account.delegates, &account.member);
    let account = &account.account.account;
    let role = match method {
        "generateAccessToken" | "generateIdToken" => "workloadIdentityUser",
        _ => "serviceAccountTokenCreator",
    };
    let Some(first) = delegates.first() else {
        let command = grant_role(account, role, member);
        return format!(
            "if the service account exists, allow the workload to use it (this takes up to 5 \
             minutes): {command}"
        );
    };
    let mut commands = vec![grant_role(first, "serviceAccountTokenCreator", member)];
    let chain = delegates.iter().zip(delegates.iter().skip(1).chain([account]));
    commands.extend(chain.map(|(from, to)| {
        grant_role(to, "serviceAccountTokenCreator", &format!("serviceAccount:{from}"))
    }));
    let commands = commands.join(" && ");
    format!("allow each account of the chain to create tokens for the next one: {commands}")
}
