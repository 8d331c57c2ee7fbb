//! A JWT from `GetWebIdentityToken`, which the account has to allow (IAM outbound identity
//! federation). The action is regional: the global endpoint does not have it.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>

use aws_credential_types::Credentials;

use super::Options;
use super::account::Account;
use super::query_api::{Call, Refusal};
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{Pair, Seconds};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

const ACTION: &str = "GetWebIdentityToken";

/// Lives to ask for, in seconds, longest first, where the end of the session is not known.
const LIVES: [u64; 3] = [3600, 900, 60];

/// Gets a JWT for this audience. Without a duration it lives as long as the session allows.
///
/// # Errors
/// `DENIED` where the account or a policy does not allow it, `CONFIGURATION` where an option has to
/// change.
pub(super) fn get(
    request: &SubjectTokenRequest,
    options: &Options,
    credentials: &Credentials,
    account: &Account,
) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    let region = account.required_region()?;
    refuse_global(region, account)?;
    let now = account.cx.clock.now();
    let lives = match (options.duration, super::credentials::expiry(credentials)) {
        (Some(Seconds(duration)), _) => vec![duration],
        (None, Some(over)) => {
            let left = u64::try_from(over.saturating_sub(now)).unwrap_or(0);
            vec![left.clamp(60, 3600)]
        }
        (None, None) => LIVES.to_vec(),
    };
    let mut refused = None;
    for life in lives {
        let call = Call {
            action: ACTION,
            fields: fields(&audience, life, &options.tag),
            credentials: Some(credentials),
            region: Some(region),
            option: "--sts-endpoint",
        };
        match call.send(account)? {
            Ok(answer) => {
                let text = Secret::new(answer.required("WebIdentityToken", ACTION)?);
                let origin = Origin {
                    what: format!("the answer to {ACTION}"),
                    option: "--sts-endpoint",
                    renew: "the clocks of this host and of AWS may differ".to_owned(),
                };
                return SubjectToken::read(&text, request.token_type, now, &origin);
            }
            Err(refusal) if refusal.code.starts_with("SessionDurationEscalation") => {
                refused = Some(refusal);
            }
            Err(refusal) => return Err(explain(refusal)),
        }
    }
    Err(refused.map_or_else(|| account.cx.deadline.error(), explain))
}

fn fields(audience: &str, life: u64, tags: &[Pair]) -> Vec<(String, String)> {
    let mut fields = vec![
        ("Audience.member.1".to_owned(), audience.to_owned()),
        ("SigningAlgorithm".to_owned(), "RS256".to_owned()),
        ("DurationSeconds".to_owned(), life.to_string()),
    ];
    for (index, Pair(key, value)) in tags.iter().enumerate() {
        let member = |part| format!("Tags.member.{}.{part}", index + 1);
        fields.push((member("Key"), key.clone()));
        fields.push((member("Value"), value.clone()));
    }
    fields
}

fn refuse_global(region: &str, account: &Account) -> Result<(), Error> {
    let global = account.sts_endpoint(region)?.host() == "sts.amazonaws.com";
    if global || region == "aws-global" {
        return Err(Error::new(Kind::Configuration, format!("the global STS has no {ACTION}"))
            .fix("name a region with --region or AWS_REGION, and a regional --sts-endpoint"));
    }
    Ok(())
}

fn explain(refusal: Refusal) -> Error {
    let Refusal { code, error } = refusal;
    if code.starts_with("OutboundWebIdentityFederationDisabled") {
        return error.fix(
            "let an administrator of the account run \
             aws iam enable-outbound-web-identity-federation",
        );
    }
    if code.starts_with("SessionDurationEscalation") {
        return error
            .of_kind(Kind::Configuration)
            .fix("the session ends earlier: lower --duration, or leave it out");
    }
    if code.starts_with("JWTPayloadSizeExceeded") {
        return error.of_kind(Kind::Configuration).fix("give fewer or shorter --tag");
    }
    error
}
