//! Calls to the AWS Security Token Service (AWS STS) with its Query API.
//!
//! A call is an HTTP POST of form fields, signed or unsigned. The response is XML, or JSON with
//! members of the same names. An error response contains an `Error` element with a `Code` and a
//! `Message`.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use aws_credential_types::Credentials;

use super::account::Account;
use super::fields::{CHECK_ENDPOINT, Fields};
use super::sign::{self, SigningRequest};
use crate::error::{Error, Kind};
use crate::http::{self, Response, SET_CLOCK, Text, Url, form};
use crate::secret::Secret;

/// The version of the API.
pub(super) const VERSION: &str = "2011-06-15";

/// How many seconds the clock of this host may differ before AWS refuses a signature.
const TOLERATED_SKEW: i64 = 5 * 60;

/// One call.
pub(super) struct Call<'a> {
    pub(super) action: &'a str,
    pub(super) fields: Vec<(String, Text)>,
    /// The credentials to sign with; `None` if a field authenticates the caller.
    pub(super) credentials: Option<&'a Credentials>,
    /// The region of the endpoint; `None` for the global endpoint.
    pub(super) region: Option<&'a str>,
    /// The option or setting that caused the call, for messages.
    pub(super) option: &'static str,
    /// The setting with the lifetime that is requested, for messages.
    pub(super) lifetime: &'static str,
    /// The fix if AWS denies access without naming a kind of policy; `None` to suggest an IAM
    /// policy that allows the action.
    pub(super) if_denied: Option<String>,
}

/// An error response of AWS STS.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    /// The `Code`, such as `AccessDenied`; empty if the response has none.
    pub(super) code: String,
    pub(super) error: Error,
}

/// The result of a call. The inner error is an error response of AWS STS; the outer error is any
/// other failure.
pub(super) type CallResult = Result<Result<Fields, ErrorResponse>, Error>;

impl Call<'_> {
    /// Sends the call.
    pub(super) fn send(&self, account: &Account) -> CallResult {
        let (url, setting) = account.sts_endpoint(self.region)?;
        let action = [("Action", self.action), ("Version", VERSION)];
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.expose()));
        let body = Secret::new(form::encode(action.into_iter().chain(fields)));
        let mut post = http::Request::post(&url, setting)
            .header("content-type", form::CONTENT_TYPE)
            .body(body.clone());
        for (_, value) in &self.fields {
            if let Text::Secret(secret) = value {
                post = post.hiding(secret.clone());
            }
        }
        if let Some(credentials) = self.credentials {
            for (name, value) in self.signature(&url, body.expose(), credentials, account)? {
                post = post.header(name, Secret::new(value));
            }
        }
        self.read(account.cx.send(post)?, account)
    }

    fn signature(
        &self,
        url: &Url,
        body: &str,
        credentials: &Credentials,
        account: &Account,
    ) -> Result<Vec<(String, String)>, Error> {
        let request = SigningRequest {
            method: "POST",
            url: url.as_typed(),
            headers: &[("content-type", form::CONTENT_TYPE)],
            body,
            region: self.region.unwrap_or("us-east-1"),
            service: "sts",
            now: account.cx.clock.now(),
        };
        sign::headers(&request, credentials)
    }

    fn read(&self, response: Response, account: &Account) -> CallResult {
        let fields = Fields::parse(&response.body);
        if (200..300).contains(&response.status) {
            return fields.map(Ok).ok_or_else(|| {
                let what =
                    format!("the response from AWS STS to {} is neither XML nor JSON", self.action);
                Error::new(Kind::Protocol, what).fix(CHECK_ENDPOINT)
            });
        }
        let Some(code) = fields.as_ref().and_then(|fields| fields.get("Code")) else {
            return response.require_success().map(|_| Err(ErrorResponse::without_code()));
        };
        let code = response.redacted(code);
        let message = fields.as_ref().and_then(|fields| fields.get("Message")).unwrap_or_default();
        let (kind, fix) = self.kind_and_fix(&code, message, account);
        let error = Error::new(kind, format!("AWS STS refused {} ({code})", self.action));
        let error = match message {
            "" => error,
            message => error.cause(response.redacted(message)),
        };
        Ok(Err(ErrorResponse { code, error: error.fix(fix) }))
    }

    fn kind_and_fix(&self, code: &str, message: &str, account: &Account) -> (Kind, String) {
        if is_of_clock(code, message) {
            let fix = account.cx.wrong_clock().unwrap_or_else(|| {
                format!(
                    "correct this host's clock, because AWS STS refuses requests with a wrong signing \
                     time ({SET_CLOCK})"
                )
            });
            return (Kind::Configuration, fix);
        }
        let fix = match code {
            "ExpiredToken" | "ExpiredTokenException" => {
                let fix = "renew the AWS credentials, for example with aws sso login";
                return (Kind::Expired, fix.to_owned());
            }
            "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "IDPCommunicationError" => return (Kind::Unreachable, "try again later".to_owned()),
            "InvalidClientTokenId" | "UnrecognizedClientException" => self.unknown_key(),
            "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature"
                if !message.contains("scoped to a valid region") =>
            {
                if let Some(clock) = account.cx.wrong_clock_by(TOLERATED_SKEW) {
                    return (Kind::Configuration, clock);
                }
                "check that the secret access key and the session token belong to the access key ID"
                    .to_owned()
            }
            "AccessDenied" | "AccessDeniedException" => self.if_denied(message),
            _ => match self.wrong_setting(code, message) {
                Some(fix) => return (Kind::Configuration, fix),
                None => format!("check {}", self.option),
            },
        };
        (Kind::Denied, fix)
    }

    /// The fix if this error is about a setting of the caller, of the role or of the account.
    fn wrong_setting(&self, code: &str, message: &str) -> Option<String> {
        let region = self.region.unwrap_or("the region");
        Some(match code {
            "SignatureDoesNotMatch" | "InvalidSignatureException" => {
                "set AWS_REGION, or --region of the source aws, to the region of the AWS STS endpoint".to_owned()
            }
            "RegionDisabledException" => format!(
                "activate AWS STS in {region} (IAM console, Account settings), or use \
                 another region (AWS_REGION or --region)"
            ),
            "OptInRequired" => format!(
                "set AWS_REGION to an enabled region, or ask an administrator of the AWS account to \
                 run aws account enable-region --region-name {region}"
            ),
            "ValidationError" if message.contains("chaining") => {
                "set duration_seconds to at most 3600, because a role that another role assumes has \
                 sessions of at most one hour"
                    .to_owned()
            }
            "ValidationError" if message.contains("DurationSeconds") => format!(
                "lower {}, or raise the maximum session duration of the role (aws iam update-role \
                 --max-session-duration)",
                self.lifetime
            ),
            "ValidationError" => format!("check {}", self.option),
            "MalformedPolicyDocument" => {
                "ask an administrator of AWS to correct the policies of the role".to_owned()
            }
            _ => return None,
        })
    }

    /// The fix if AWS does not know the access key ID.
    fn unknown_key(&self) -> String {
        let credentials = self.credentials;
        let key = credentials.map(Credentials::access_key_id).unwrap_or_default();
        let has_token = credentials.is_some_and(|found| found.session_token().is_some());
        match (key.starts_with("ASIA"), has_token) {
            (true, false) => "set the session token (AWS_SESSION_TOKEN or aws_session_token), which \
                              temporary credentials (ASIA…) require"
                .to_owned(),
            (false, false) => "check that the access key exists and is active (aws iam \
                               list-access-keys), and that it belongs to the partition of the region"
                .to_owned(),
            (_, true) => "renew the credentials, or for an opt-in region, get them from a regional \
                          endpoint of AWS STS (for example, set AWS_STS_REGIONAL_ENDPOINTS=regional)"
                .to_owned(),
        }
    }

    /// The fix if AWS denies access with this message.
    fn if_denied(&self, message: &str) -> String {
        let fix = denying_policy(message, self.action).or_else(|| self.if_denied.clone());
        fix.unwrap_or_else(|| {
            let statement = self.policy_statement();
            format!("attach an IAM policy with {statement} to the caller")
        })
    }

    /// An IAM policy statement that allows the action.
    fn policy_statement(&self) -> String {
        let action = format!("\"sts:{}\"", self.action);
        let has_tags = self.fields.iter().any(|(name, _)| name.starts_with("Tags."));
        let actions = match has_tags {
            true => format!("[{action},\"sts:Tag{}\"]", self.action),
            false => action,
        };
        format!(r#"{{"Effect":"Allow","Action":{actions},"Resource":"*"}}"#)
    }
}

impl ErrorResponse {
    fn without_code() -> ErrorResponse {
        let error = Error::new(Kind::Protocol, "AWS STS returned an error without a code")
            .fix(CHECK_ENDPOINT);
        ErrorResponse { code: String::new(), error }
    }
}

/// Whether AWS refuses a signature because of its time.
fn is_of_clock(code: &str, message: &str) -> bool {
    matches!(code, "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture")
        || ["Signature expired", "Signature not yet current"]
            .iter()
            .any(|text| message.starts_with(text))
}

/// The kinds of policy that can deny an action even if another policy allows it, as AWS names them
/// in messages, and where to change them.
const POLICIES: [(&str, &str); 7] = [
    ("service control policy", "the service control policies of the AWS organization"),
    ("resource control policy", "the resource control policies of the AWS organization"),
    ("permissions boundary", "the permissions boundary of the caller"),
    ("session policy", "the session policy that was passed when the caller's role was assumed"),
    ("VPC endpoint policy", "the policy of the VPC endpoint of AWS STS"),
    ("explicit deny in an identity-based policy", "the policies of the caller, which deny it"),
    ("explicit deny in a resource-based policy", "the trust policy of the role, which denies it"),
];

/// The fix if the message names the kind of policy that denies the action.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn denying_policy(message: &str, action: &str) -> Option<String> {
    let message = message.to_ascii_lowercase();
    let named = |(name, _): &&(&str, &str)| message.contains(&name.to_ascii_lowercase());
    let (_, place) = POLICIES.iter().find(named)?;
    Some(format!("ask an administrator of AWS to allow sts:{action} in {place}"))
}
