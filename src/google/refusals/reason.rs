//! The reason for a refusal that granting a role does not change: an API that is not enabled, a
//! quota, billing, a policy of an organization, or the account of the caller.
//!
//! Google states the reason in the details of the error, as `google.rpc.ErrorInfo` with a `reason`
//! and `metadata`.
//! <https://cloud.google.com/apis/design/errors#error_info>,
//! <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>

use serde_json::{Map, Value};

use crate::error::Kind;
use crate::google::gcloud::grant_project_role;
use crate::http::Response;
use crate::shell::quoted;

/// The reason that Google states for a missing permission, which a role grants.
const MISSING_PERMISSION: &str = "IAM_PERMISSION_DENIED";

/// The reasons for which the API refuses an access token of an unknown kind. Only the status
/// selects the fix for them.
const UNKNOWN_TOKEN: [&str; 3] =
    ["ACCESS_TOKEN_TYPE_UNSUPPORTED", "CREDENTIAL_TYPE_UNSUPPORTED", "JWT_TOKEN_INVALID"];

/// The structured part of an error of a Google API.
#[derive(Debug, Default)]
pub(super) struct Reason {
    /// The `reason`, such as `SERVICE_DISABLED`; empty if the response has none.
    pub(super) code: String,
    service: String,
    /// The project that the request is counted against.
    project: Option<String>,
    permission: String,
    uid: String,
}

impl Reason {
    /// Reads the details of an error response.
    pub(super) fn read(response: &Response) -> Reason {
        let object = response.json().unwrap_or_default();
        let details = object.get("error").and_then(|error| error.get("details")?.as_array());
        let detail = |kind: &str| {
            let is_kind = |detail: &&Value| {
                let name = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
                name.rsplit('.').next() == Some(kind)
            };
            details.into_iter().flatten().find(is_kind).and_then(Value::as_object).cloned()
        };
        let info = detail("ErrorInfo").unwrap_or_default();
        let metadata = info.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |map: &Map<String, Value>, name: &str| {
            let text = map.get(name).and_then(Value::as_str).unwrap_or_default();
            response.redacted(text)
        };
        let project = text(&metadata, "consumer").strip_prefix("projects/").map(str::to_owned);
        let is_perimeter = detail("PreconditionFailure").is_some_and(|failure| {
            let violations = failure.get("violations").and_then(Value::as_array);
            let is_perimeter =
                |violation: &Value| violation.get("type") == Some(&"VPC_SERVICE_CONTROLS".into());
            violations.into_iter().flatten().any(is_perimeter)
        });
        Reason {
            code: match is_perimeter {
                true => "SECURITY_POLICY_VIOLATED".to_owned(),
                false => text(&info, "reason"),
            },
            service: text(&metadata, "service"),
            project,
            permission: text(&metadata, "permission"),
            uid: text(&metadata, "uid"),
        }
    }

    /// Whether the caller lacks a permission, or Google states no reason.
    pub(super) fn is_permission(&self) -> bool {
        self.code.is_empty() || self.code == MISSING_PERMISSION
    }

    /// Whether the caller lacks the permission to use a delegate.
    pub(super) fn concerns_delegate(&self, message: &str) -> bool {
        [self.permission.as_str(), message].iter().any(|text| text.contains("implicitDelegation"))
    }

    /// Explains the refusal: its kind and the fix. `None` for a missing permission, for an unknown
    /// access token, and if Google states no reason. `member` is the caller's name in an IAM
    /// policy.
    pub(super) fn explain(&self, member: &str) -> Option<(Kind, String)> {
        let kind = match self.code.as_str() {
            code if self.is_permission() || UNKNOWN_TOKEN.contains(&code) => return None,
            "RATE_LIMIT_EXCEEDED" | "RESOURCE_QUOTA_EXCEEDED" => Kind::Unreachable,
            "ACCESS_TOKEN_EXPIRED" => Kind::Expired,
            _ => Kind::Denied,
        };
        Some((kind, self.fix(member)))
    }

    fn fix(&self, member: &str) -> String {
        let project = quoted(self.project.as_deref().unwrap_or("PROJECT"));
        let service = match self.service.as_str() {
            "" => "SERVICE",
            service => service,
        };
        match self.code.as_str() {
            "SERVICE_DISABLED" => format!(
                "enable the API (this takes a few minutes): gcloud services enable {} \
                 --project={project}",
                quoted(service)
            ),
            "SECURITY_POLICY_VIOLATED" => self.perimeter(service, member),
            "ORG_RESTRICTION_VIOLATION" | "ORG_RESTRICTION_HEADER_INVALID" => {
                "ask the administrator of the proxy of this network to add the organization of the \
                 project to the header X-Goog-Allowed-Resources"
                    .to_owned()
            }
            "USER_PROJECT_DENIED" => format!(
                "allow the caller to use the project: {}, or change {}",
                grant_project_role(&project, "serviceusage.serviceUsageConsumer", member),
                match member.starts_with("user:") {
                    true => "quota_project_id",
                    false => "workforce_pool_user_project",
                }
            ),
            "BILLING_DISABLED" => format!(
                "enable billing: gcloud billing projects link {project} --billing-account=ACCOUNT_ID"
            ),
            "RATE_LIMIT_EXCEEDED" | "RESOURCE_QUOTA_EXCEEDED" => format!(
                "try again later, cache tokens with an output file, or request a higher quota of \
                 {service} for the project {project}"
            ),
            "CONSUMER_INVALID" => {
                format!("check that the project exists: gcloud projects describe {project}")
            }
            "CONSUMER_SUSPENDED" | "GCP_SUSPENDED" => {
                format!("ask Google Cloud Support why the project {project} is suspended")
            }
            "ACCOUNT_STATE_INVALID" => format!(
                "check that the account of the caller still exists and is enabled: {member}"
            ),
            "CREDENTIALS_MISSING" => format!(
                "check whether a proxy removes the Authorization header from requests to {service}"
            ),
            "ACCESS_TOKEN_EXPIRED" => "get a new token, and run the command again".to_owned(),
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => {
                "request the scope https://www.googleapis.com/auth/cloud-platform".to_owned()
            }
            code => policy(code, service),
        }
    }

    /// The fix for a refusal by VPC Service Controls.
    fn perimeter(&self, service: &str, member: &str) -> String {
        let uid = match self.uid.as_str() {
            "" => "the vpcServiceControlsUniqueIdentifier of this message",
            uid => uid,
        };
        // The Security Token Service does not know the caller yet.
        let caller = match service.starts_with("sts.") {
            true => "any identity",
            false => member,
        };
        format!(
            "ask an administrator of the organization to look up {uid} in the VPC Service Controls \
             troubleshooter, and to add an ingress rule for {caller} from the address of this host to \
             {service}"
        )
    }
}

/// The fix for a refusal by a policy of the organization, or for an unknown reason.
fn policy(code: &str, service: &str) -> String {
    match code {
        "LOCATION_POLICY_VIOLATED" => format!(
            "ask an administrator of the organization which location policy blocks {service}"
        ),
        "RESOURCE_USAGE_RESTRICTION_VIOLATED" => format!(
            "ask an administrator of the organization to allow {service} in the organization \
             policy constraints/gcp.restrictServiceUsage"
        ),
        "ENDPOINT_USAGE_RESTRICTION_VIOLATED" => format!(
            "ask an administrator of the organization which endpoint of {service} the organization \
             policy constraints/gcp.restrictEndpointUsage allows"
        ),
        "TLS_CIPHER_RESTRICTION_VIOLATED" => {
            "ask an administrator of the organization to allow a cipher suite of TLS 1.3 in the \
             organization policy constraints/gcp.restrictTLSCipherSuites"
                .to_owned()
        }
        "TLS_ORG_POLICY_VIOLATED" => {
            "check the proxy of this network, which connects to Google with a version of TLS \
             before 1.2"
                .to_owned()
        }
        code => format!(
            "ask an administrator of the organization about the reason {code}; granting a role does not \
             help"
        ),
    }
}
