//! Credentials of a role that other credentials may assume, from `AssumeRole` of AWS STS.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::{Account, Credentials, Fields, from_server};
use crate::error::Error;
use crate::http::Text;
use crate::options::TextOrRef;
use crate::source::aws::query_api::Call;
use crate::time::{instant, parse_rfc3339};

/// The default session name.
const SESSION_NAME: &str = "wif-token";

/// A role to assume.
#[derive(Debug, Default)]
pub(in crate::source::aws) struct AssumedRole {
    pub(in crate::source::aws) arn: String,
    pub(in crate::source::aws) session_name: Option<String>,
    /// In a profile, `env:NAME` is not a reference to a variable, but the ID itself.
    pub(in crate::source::aws) external_id: Option<TextOrRef>,
    /// The lifetime of the session in seconds.
    pub(in crate::source::aws) duration: Option<String>,
}

impl AssumedRole {
    /// The form fields that all actions to assume a role have in common.
    pub(super) fn fields(&self) -> Vec<(String, Text)> {
        let session = self.session_name.as_deref().unwrap_or(SESSION_NAME);
        let mut fields = vec![("RoleArn", self.arn.as_str()), ("RoleSessionName", session)];
        fields.extend(self.duration.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

/// Assumes a role with these credentials. `option` is the setting that names the role.
///
/// # Errors
/// `DENIED` if AWS STS refuses the call; otherwise as for [`Call::send`].
pub(in crate::source::aws) fn assume_role(
    role: &AssumedRole,
    credentials: &Credentials,
    option: &'static str,
    account: &Account,
) -> Result<Credentials, Error> {
    let region = account.configured_region()?;
    let mut fields = role.fields();
    if let Some(id) = &role.external_id {
        fields.push(("ExternalId".to_owned(), id.read("--external-id", account.cx)?.into()));
    }
    let call = Call {
        action: "AssumeRole",
        fields,
        credentials: Some(credentials),
        region: region.as_deref(),
        option,
        lifetime: "duration_seconds in the profile",
        if_denied: Some(format!(
            "check {option}, the trust policy of {}, and that the caller is allowed sts:AssumeRole",
            role.arn
        )),
    };
    let fields = call.send(account)?.map_err(|response| response.error)?;
    from_sts(&fields, call.action)
}

/// Reads the credentials in the response to `action`.
///
/// # Errors
/// `PROTOCOL` if a part is missing or malformed.
pub(super) fn from_sts(fields: &Fields, action: &str) -> Result<Credentials, Error> {
    let time = |text: &str| parse_rfc3339(text).or_else(|| instant(&text.into()));
    let expiry = fields.get("Expiration").and_then(time);
    let required = |name| fields.required(name, action);
    let (key, secret) = (required("AccessKeyId")?, required("SecretAccessKey")?);
    let place = format!("the response from AWS STS to {action}");
    from_server(key, secret, Some(required("SessionToken")?), expiry, &place)
}
