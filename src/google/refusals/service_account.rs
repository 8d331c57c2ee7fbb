//! Refusals by the IAM Service Account Credentials API.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts>

use super::reason::Reason;
use crate::error::{Error, Kind};
use crate::google::gcloud::{self, grant_role};
use crate::google::service_account::ServiceAccount;
use crate::http::{Response, Url};
use crate::shell::quoted;

/// A refused request for a service account.
#[derive(Debug)]
pub struct Refusal {
    /// What the user is told.
    pub error: Error,
    /// The role that is missing; `None` if no role would help.
    pub missing_role: Option<MissingRole>,
}

/// The resource on which the missing role must be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingRole {
    /// On the service account.
    OnAccount,
    /// On one of the delegates.
    OnDelegate,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, missing_role: None }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        refusal.error
    }
}

/// Explains the refusal of a request to `url`, which calls a method on a service account. `place`
/// names the settings that the request consists of.
pub(in crate::google) fn of_service_account(
    account: &ServiceAccount,
    (method, place): (&str, &str),
    url: &Url,
    response: Response,
) -> Refusal {
    let (text, reason) = (response.error_text().unwrap_or_default(), Reason::read(&response));
    let what = format!("{url} responded with status {}", response.status);
    if let Some((kind, fix)) = reason.explain(&account.member) {
        let what = format!("{what} ({})", reason.code);
        return response.failure(kind, what).fix(fix).into();
    }
    let judgement = match response.is_page() {
        true => None,
        false => judge(account, (method, place), response.status, &text),
    };
    let Some((kind, fix)) = judgement else {
        let error = response.require_success().err().unwrap_or_else(|| {
            Error::new(Kind::Protocol, format!("the response from {url} is empty"))
        });
        return error.into();
    };
    let missing_role = match (response.status, kind) {
        (403, Kind::Denied) if is_overruled(&text) => None,
        (403, Kind::Denied) if reason.concerns_delegate(&text) => Some(MissingRole::OnDelegate),
        (403, Kind::Denied) => Some(MissingRole::OnAccount),
        _ => None,
    };
    Refusal { error: response.failure(kind, what).fix(fix), missing_role }
}

fn judge(
    account: &ServiceAccount,
    (method, place): (&str, &str),
    status: u16,
    text: &str,
) -> Option<(Kind, String)> {
    let name = &account.account.account;
    Some(match status {
        403 if text.contains(UNUSED) => (Kind::Denied, enable_api(text)),
        400 | 403 if is_disabled(text) => (
            Kind::Configuration,
            format!(
                "ask the owner why the service account is disabled, then enable it: {}",
                gcloud::enable(name)
            ),
        ),
        403 if is_overruled(text) => (
            Kind::Denied,
            "ask the administrators of the organization for an exception in the policy that the \
             message names, because no role overrules it"
                .to_owned(),
        ),
        403 => (Kind::Denied, missing_role(account, method)),
        404 => {
            let describe = gcloud::describe(name);
            (Kind::Configuration, format!("check that the service account exists: {describe}"))
        }
        400 => (Kind::Configuration, bad_request(account, method, place)),
        401 => (
            Kind::Denied,
            "check that token_url and service_account_impersonation_url are in the same universe domain"
                .to_owned(),
        ),
        _ => return None,
    })
}

/// The words that precede the project in the message about an API that is not enabled.
const UNUSED: &str = "has not been used in project ";

/// The command that enables the API in the project that the message names.
fn enable_api(text: &str) -> String {
    let project = text.split_once(UNUSED).and_then(|(_, rest)| rest.split_whitespace().next());
    format!(
        "enable the API: gcloud services enable iamcredentials.googleapis.com --project={}",
        quoted(project.unwrap_or("PROJECT"))
    )
}

/// Whether the service account is disabled. The refusal by a disabled API has a structured reason
/// instead.
fn is_disabled(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("account") && text.contains("disabled")
}

/// Whether a policy overrules all roles.
/// <https://cloud.google.com/iam/docs/policy-types>
fn is_overruled(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["deny policy", "access boundary policy"].iter().any(|policy| text.contains(policy))
}

fn bad_request(account: &ServiceAccount, method: &str, place: &str) -> String {
    match method {
        "generateAccessToken" => format!(
            "check {place}, because a lifetime of more than 3600 s requires the account to be in the \
             organization policy iam.allowServiceAccountCredentialLifetimeExtension"
        ),
        _ if account.delegates.is_empty() => format!("check {place}"),
        _ => format!("check {place} and the delegates"),
    }
}

/// The commands that grant the roles that may be missing. Google sends the same text for a missing
/// role and for a service account that does not exist.
fn missing_role(account: &ServiceAccount, method: &str) -> String {
    let (delegates, member) = (&account.delegates, &account.member);
    let account = &account.account.account;
    let role = match method {
        // The role for federated identities; users and service accounts have the other one.
        "generateAccessToken" | "generateIdToken" if member.starts_with("principal") => {
            "workloadIdentityUser"
        }
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
