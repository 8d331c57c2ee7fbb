//! Gets a JWT from `GetWebIdentityToken` of AWS STS (IAM outbound identity federation).
//!
//! An administrator must enable the feature for the AWS account. Only regional endpoints support
//! the action. The JWT cannot outlive the session of the credentials: AWS STS refuses a longer
//! `DurationSeconds` with `SessionDurationEscalationException`.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>

use aws_credential_types::Credentials;

use super::account::Account;
use super::query_api::{Call, ErrorResponse};
use super::{Options, region};
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Text;
use crate::options::{Pair, Seconds};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

const ACTION: &str = "GetWebIdentityToken";

/// The lifetimes to try, in seconds, if the expiry of the session is unknown.
const LIFETIMES: [u64; 3] = [3600, 900, 60];

/// Gets a JWT for the audience. Without `--duration`, the JWT is valid for as long as the session
/// allows.
///
/// # Errors
/// `DENIED` if the AWS account or a policy does not allow the action, `CONFIGURATION` if an option
/// must be changed.
pub(super) fn get(
    request: &SubjectTokenRequest,
    options: &Options,
    credentials: &Credentials,
    account: &Account,
) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    let region = region::required(account)?;
    refuse_global_endpoint(&region, account)?;
    let now = account.cx.clock.now();
    let mut too_long = None;
    for lifetime in lifetimes(options, credentials, now) {
        let call = Call {
            action: ACTION,
            fields: fields(&audience, lifetime, &options.tag),
            credentials: Some(credentials),
            region: Some(&region),
            option: "--sts-endpoint",
            lifetime: "--duration",
            if_denied: None,
        };
        match call.send(account)? {
            Ok(fields) => {
                let text = Secret::new(fields.required("WebIdentityToken", ACTION)?);
                let origin = Origin::new(
                    format!("the response from AWS STS to {ACTION}"),
                    "--sts-endpoint",
                    "check the clocks of this host and of AWS",
                );
                return SubjectToken::read(&text, request.token_type, now, &origin);
            }
            Err(response) if response.code.starts_with("SessionDurationEscalation") => {
                too_long = Some(response);
            }
            Err(response) => return Err(explain(response)),
        }
    }
    Err(too_long.map_or_else(|| account.cx.deadline.error(), explain))
}

/// The lifetimes to request, in seconds, in this order.
fn lifetimes(options: &Options, credentials: &Credentials, now: i64) -> Vec<u64> {
    match (options.duration, super::credentials::expiry(credentials)) {
        (Some(Seconds(duration)), _) => vec![duration],
        (None, Some(expiry)) => {
            let remaining = u64::try_from(expiry.saturating_sub(now)).unwrap_or(0);
            vec![remaining.clamp(60, 3600)]
        }
        (None, None) => LIFETIMES.to_vec(),
    }
}

fn fields(audience: &str, lifetime: u64, tags: &[Pair]) -> Vec<(String, Text)> {
    let mut fields = vec![
        ("Audience.member.1".to_owned(), audience.into()),
        ("SigningAlgorithm".to_owned(), "RS256".into()),
        ("DurationSeconds".to_owned(), lifetime.to_string().as_str().into()),
    ];
    for (index, Pair(key, value)) in tags.iter().enumerate() {
        let member = |part| format!("Tags.member.{}.{part}", index + 1);
        fields.push((member("Key"), key.as_str().into()));
        fields.push((member("Value"), value.as_str().into()));
    }
    fields
}

fn refuse_global_endpoint(region: &str, account: &Account) -> Result<(), Error> {
    let (endpoint, _) = account.sts_endpoint(Some(region))?;
    let is_global = endpoint.host() == "sts.amazonaws.com";
    match is_global || region == "aws-global" {
        true => {
            let what = format!("the global AWS STS endpoint does not support {ACTION}");
            Err(Error::new(Kind::Configuration, what).fix(
                "set --region or AWS_REGION to a region, and remove --sts-endpoint or set it to a \
                 regional endpoint",
            ))
        }
        false => Ok(()),
    }
}

/// Adds the fix for the error codes of this action.
fn explain(response: ErrorResponse) -> Error {
    let ErrorResponse { code, error } = response;
    if code.starts_with("OutboundWebIdentityFederationDisabled") {
        return error.fix(
            "run aws iam enable-outbound-web-identity-federation as an administrator of the AWS \
             account",
        );
    }
    if code.starts_with("ValidationError") {
        return error.fix("check --audience, --duration and --tag");
    }
    if code.starts_with("SessionDurationEscalation") {
        return error
            .of_kind(Kind::Configuration)
            .fix("lower or remove --duration, because the session expires earlier");
    }
    if code.starts_with("JWTPayloadSizeExceeded") {
        return error.of_kind(Kind::Configuration).fix("use fewer or shorter values of --tag");
    }
    error
}
