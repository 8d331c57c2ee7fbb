//! Assumes an IAM role with an OpenID Connect token, for the credential helper `aws`.
//!
//! The region and the endpoint come from options and environment variables. Unlike the source
//! `aws`, this module does not read the AWS config files, because the SDK that starts the helper
//! does not say which profile it uses.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use aws_credential_types::Credentials;

use super::account::Account;
use super::credentials::{AssumedRole, WebIdentity, expiry, refuse_expired};
use super::endpoint;
use super::role_arn::{RoleArn, is_of_name};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::grammar::require;
use crate::secret::Secret;

/// The role, and where to assume it, from the options with these names.
#[derive(Debug)]
pub struct Request<'a> {
    /// `--role-arn`
    pub role_arn: &'a str,
    /// `--session-name`
    pub session_name: Option<&'a str>,
    /// `--duration`, in seconds
    pub duration: Option<u64>,
    /// `--region`
    pub region: Option<&'a str>,
    /// `--sts-endpoint`
    pub sts_endpoint: Option<&'a Url>,
}

/// What to do if AWS STS refuses the token.
#[derive(Debug)]
pub struct Fixes {
    /// If the trust policy does not allow the token.
    pub denied: String,
    /// If AWS cannot verify the token.
    pub invalid: String,
    /// If the token has expired or is revoked.
    pub expired: String,
}

/// A role that can be assumed with a token.
#[derive(Debug)]
pub struct RoleSession<'a> {
    role: AssumedRole,
    account: Account<'a>,
    /// What identifies the credentials: the role, the session, and where it is assumed.
    pub identity: String,
}

impl<'a> RoleSession<'a> {
    /// Checks the request, without sending anything.
    ///
    /// # Errors
    /// `USAGE` if an option has a wrong value; `CONFIGURATION` if there is no region, if the role
    /// and the region belong to different partitions, or if the endpoint is not https.
    pub fn new(request: &Request<'a>, cx: &'a Context) -> Result<RoleSession<'a>, Error> {
        let partition = RoleArn::require(request.role_arn, "--role-arn", Kind::Usage)?.partition;
        if let Some(name) = request.session_name {
            let what = "does not consist of 2 to 64 letters, digits or characters from _+=,.@-";
            require(is_session_name(name), "--session-name", what, "my-app")?;
        }
        let account = Account::without_profiles(request.region, request.sts_endpoint, cx);
        let region = account.configured_region()?;
        let endpoint = account.configured_sts_endpoint()?;
        match &endpoint {
            Some((url, setting)) => require_https(url, setting)?,
            None => require_region(partition, region.as_deref())?,
        }
        let role = AssumedRole {
            arn: request.role_arn.to_owned(),
            session_name: request.session_name.map(str::to_owned),
            duration: request.duration.map(|seconds| seconds.to_string()),
            external_id: None,
        };
        let endpoint = endpoint.as_ref().map(|(url, _)| url.as_typed());
        let AssumedRole { arn, session_name, duration, external_id: _ } = &role;
        let identity = format!("{:?}", (arn, session_name, duration, region, endpoint));
        Ok(RoleSession { role, account, identity })
    }

    /// Assumes the role. Returns the credentials, and their expiry in seconds since 1970.
    ///
    /// # Errors
    /// `DENIED`, `CONFIGURATION` or `EXPIRED` if AWS STS refuses the call; `PROTOCOL` if the response
    /// contains no valid credentials.
    pub fn assume(&self, token: &Secret, fixes: Fixes) -> Result<(Credentials, i64), Error> {
        let Fixes { denied, invalid, expired } = fixes;
        let web_identity = WebIdentity {
            token,
            option: "--role-arn and --session-name",
            lifetime: "--duration",
            if_denied: denied,
            if_invalid: invalid,
            if_expired: expired,
        };
        let credentials = web_identity
            .assume(&self.role, &self.account)
            .and_then(|credentials| refuse_expired(credentials, "STS response", &self.account))
            .map_err(|error| self.blaming_clock(error))?;
        let expiry = expiry(&credentials).ok_or_else(|| {
            Error::new(Kind::Protocol, "the response from AWS STS has no valid Expiration")
                .fix("check --sts-endpoint, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL")
        })?;
        Ok((credentials, expiry))
    }

    /// Replaces the fix with one for the clock, if something has expired and AWS has shown that the
    /// clock of this host is wrong.
    fn blaming_clock(&self, error: Error) -> Error {
        match self.account.cx.wrong_clock() {
            Some(fix) if error.kind() == Kind::Expired => error.fix(fix),
            _ => error,
        }
    }
}

fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.chars().all(is_of_name)
}

/// Requires https. Anyone who reads the token can assume the role, so `--allow-http` does not
/// apply.
fn require_https(url: &Url, setting: &str) -> Result<(), Error> {
    match url.is_https() || url.is_local() {
        true => Ok(()),
        false => Err(Error::new(Kind::Configuration, format!("{setting} is not an https URL"))
            .fix(format!("set {setting} to an https URL"))),
    }
}

/// Requires a region in the role's partition, because a role can be assumed only at the endpoints
/// of its own partition.
fn require_region(partition: &str, region: Option<&str>) -> Result<(), Error> {
    let Some(region) = region else {
        return Err(Error::new(Kind::Configuration, "no AWS region is set")
            .cause("the region of an AWS profile is not used")
            .fix("add --region=REGION, or set AWS_REGION"));
    };
    if endpoint::partition(region) == partition && !region.ends_with("-global") {
        return Ok(());
    }
    let what = format!("the role of --role-arn cannot be assumed in the region {region}");
    Err(Error::new(Kind::Configuration, what)
        .cause(format!("the partition of the role is {partition}"))
        .fix(format!("set --region to a region in the partition {partition}, or check --role-arn")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_those_of_aws() {
        for (name, is_valid) in [
            ("ab", true),
            ("deployer@my-project.iam.gserviceaccount.com", true),
            ("A_b+c=d,e.f@g-1", true),
            ("a", false),
            ("a b", false),
            ("a/b", false),
            ("\u{e9}\u{e9}", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(is_session_name(name), is_valid, "{name}");
        }
    }
}
