//! Credentials for a web identity token, for example one in a file on EKS with IAM roles for service
//! accounts.
//!
//! `AssumeRoleWithWebIdentity` of AWS STS exchanges the token for credentials. The call is not
//! signed: the token authenticates the caller.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::thread;
use std::time::Duration;

use super::{Account, AssumedRole, Credentials, Fields, Lookup, from_sts};
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::show;
use crate::source::aws::profile_file;
use crate::source::aws::query_api::{Call, ErrorResponse};
use crate::source::aws::role_arn::RoleArn;
use crate::token;

const ACTION: &str = "AssumeRoleWithWebIdentity";

/// The maximum number of calls if AWS STS cannot reach the identity provider.
const ATTEMPTS: usize = 3;
/// The pause between two calls.
const PAUSE: Duration = Duration::from_millis(200);

/// Gets credentials for the token and the role in `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`.
pub(super) fn from_environment(account: &Account) -> Result<Lookup, Error> {
    let env = &account.cx.env;
    let Some(file) = env.text("AWS_WEB_IDENTITY_TOKEN_FILE")? else {
        return Ok(Lookup::absent("AWS_WEB_IDENTITY_TOKEN_FILE is not set"));
    };
    let role = role(account)?.ok_or_else(|| {
        let what = "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not set";
        Error::new(Kind::Configuration, what)
            .fix("set AWS_ROLE_ARN, or unset AWS_WEB_IDENTITY_TOKEN_FILE")
    })?;
    exchange(&role, &file, "AWS_WEB_IDENTITY_TOKEN_FILE", account)
}

/// The role in the environment variables. As in botocore, the profile in use provides the settings
/// that the variables do not set.
pub(super) fn role(account: &Account) -> Result<Option<AssumedRole>, Error> {
    let variable = "AWS_ROLE_ARN";
    let arn = account.setting(variable, "role_arn")?;
    if let Some(arn) = &arn {
        let setting = match account.cx.env.text(variable)? {
            Some(_) => variable.to_owned(),
            None => format!("role_arn of the profile {:?}", account.profile),
        };
        RoleArn::require(arn, &setting, Kind::Configuration)?;
    }
    let session_name = account.setting("AWS_ROLE_SESSION_NAME", "role_session_name")?;
    Ok(arn.map(|arn| AssumedRole { arn, session_name, ..AssumedRole::default() }))
}

/// Exchanges the token in `file` for credentials of `role`. `option` is the setting that names the
/// file.
///
/// # Errors
/// `CONFIGURATION` if the file cannot be read, `PROTOCOL` if it does not contain a JWT, `DENIED` if AWS
/// STS refuses the call.
pub(super) fn exchange(
    role: &AssumedRole,
    file: &str,
    option: &'static str,
    account: &Account,
) -> Result<Lookup, Error> {
    let path = profile_file::expand_home(file, account.cx)?;
    let token = files::read_text(&path, option, Kind::Configuration)?;
    let token = token::assertion(&token, format!("the file {}", show::path(&path)), option)?;
    let web_identity = WebIdentity {
        token: &token,
        option,
        lifetime: "duration_seconds in the profile",
        if_denied: format!(
            "check that the trust policy of {} allows the token's issuer, subject and audience",
            role.arn
        ),
        if_invalid: "check that the AWS account of the role has an IAM OIDC provider for the \
                     issuer of the token (aws iam list-open-id-connect-providers), that its client \
                     IDs contain the audience, and that AWS can reach the issuer"
            .to_owned(),
        if_expired: format!("check the program that writes the token file named by {option}"),
    };
    web_identity.assume(role, account).map(Lookup::Found)
}

/// A token for `AssumeRoleWithWebIdentity`, and what to do if AWS STS refuses it.
pub(in crate::source::aws) struct WebIdentity<'a> {
    pub(in crate::source::aws) token: &'a Secret,
    /// The setting that names the token or the role.
    pub(in crate::source::aws) option: &'static str,
    /// The setting with the lifetime of the credentials.
    pub(in crate::source::aws) lifetime: &'static str,
    /// The fix if the trust policy does not allow the token.
    pub(in crate::source::aws) if_denied: String,
    /// The fix if AWS cannot verify the token.
    pub(in crate::source::aws) if_invalid: String,
    /// The fix if the token has expired or is revoked.
    pub(in crate::source::aws) if_expired: String,
}

impl WebIdentity<'_> {
    /// Exchanges the token for credentials of a role.
    ///
    /// # Errors
    /// `DENIED` if AWS STS refuses the call; otherwise as for [`Call::send`].
    pub(in crate::source::aws) fn assume(
        &self,
        role: &AssumedRole,
        account: &Account,
    ) -> Result<Credentials, Error> {
        let mut fields = role.fields();
        fields.push(("WebIdentityToken".to_owned(), self.token.clone().into()));
        let region = account.configured_region()?;
        let call = Call {
            action: ACTION,
            fields,
            credentials: None,
            region: region.as_deref(),
            option: self.option,
            lifetime: self.lifetime,
            if_denied: Some(self.if_denied.clone()),
        };
        for _ in 1..ATTEMPTS {
            match call.send(account)? {
                Err(response) if response.code == "IDPCommunicationError" => {
                    thread::sleep(PAUSE.min(account.cx.deadline.remaining()));
                }
                result => return self.read(result),
            }
        }
        self.read(call.send(account)?)
    }

    fn read(&self, result: Result<Fields, ErrorResponse>) -> Result<Credentials, Error> {
        let fields = result.map_err(|response| match response.code.as_str() {
            "InvalidIdentityToken" => response.error.fix(&self.if_invalid),
            "ExpiredToken" | "ExpiredTokenException" | "IDPRejectedClaim" => {
                response.error.fix(&self.if_expired)
            }
            _ => response.error,
        })?;
        from_sts(&fields, ACTION)
    }
}
