//! Credentials for a web identity token in a file, as on EKS (IAM roles for service accounts): an
//! `AssumeRoleWithWebIdentity`, which is not signed.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::thread;
use std::time::Duration;

use super::{Account, AssumedRole, Fields, Lookup, from_sts};
use crate::error::{Error, Kind};
use crate::files;
use crate::source::aws::profile_file;
use crate::source::aws::query_api::{Call, Refusal};

const ACTION: &str = "AssumeRoleWithWebIdentity";

/// How often to ask when AWS could not reach the identity provider, and how long to wait between.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// What `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN` name.
pub(super) fn from_environment(account: &Account) -> Result<Lookup, Error> {
    let env = &account.cx.env;
    let Some(file) = env.text("AWS_WEB_IDENTITY_TOKEN_FILE")? else {
        return Ok(Lookup::Absent("AWS_WEB_IDENTITY_TOKEN_FILE is not set".to_owned()));
    };
    let arn = env.text("AWS_ROLE_ARN")?.ok_or_else(|| {
        Error::new(
            Kind::Configuration,
            "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not",
        )
        .fix("set both or none")
    })?;
    let session_name = env.text("AWS_ROLE_SESSION_NAME")?;
    let role = AssumedRole { arn, session_name, ..AssumedRole::default() };
    exchange(&role, &file, "AWS_WEB_IDENTITY_TOKEN_FILE", account)
}

/// Exchanges the token in `file` for credentials of `role`. `option` named the file.
pub(super) fn exchange(
    role: &AssumedRole,
    file: &str,
    option: &'static str,
    account: &Account,
) -> Result<Lookup, Error> {
    let path = profile_file::expand(file, account.cx)?;
    let token = files::read_text(&path, option, Kind::Configuration)?;
    let token = token.expose().trim();
    if token.is_empty() {
        return Err(Error::new(Kind::Configuration, format!("{} is empty", path.display()))
            .fix(format!("check {option}")));
    }
    let mut fields = role.fields();
    fields.push(("WebIdentityToken".to_owned(), token.to_owned()));
    let region = account.configured_region()?;
    let call =
        Call { action: ACTION, fields, credentials: None, region: region.as_deref(), option };
    for _ in 1..TRIES {
        match call.send(account)? {
            Err(refusal) if refusal.code == "IDPCommunicationError" => {
                thread::sleep(PAUSE.min(account.cx.deadline.remaining()));
            }
            answer => return finish(answer, role),
        }
    }
    finish(call.send(account)?, role)
}

fn finish(answer: Result<Fields, Refusal>, role: &AssumedRole) -> Result<Lookup, Error> {
    let answer = answer.map_err(|refusal| match refusal.code.as_str() {
        "AccessDenied" | "AccessDeniedException" | "InvalidIdentityToken" => refusal
            .error
            .fix(format!("check that {} trusts this token's issuer and subject", role.arn)),
        _ => refusal.error,
    })?;
    Ok(Lookup::Found(from_sts(&answer, ACTION)?))
}
