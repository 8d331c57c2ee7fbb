//! A signed `GetCallerIdentity` request as the subject token, in the form that Google's client
//! libraries create.
//!
//! The subject token is a JSON object with `url`, `method` and `headers`, percent-encoded once.
//! Google's Security Token Service sends the request to AWS itself, so the host is always the
//! public AWS STS endpoint of the region, whatever endpoint this host uses. The header
//! `x-goog-cloud-target-resource` is signed too: it binds the request to one pool provider.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

use aws_credential_types::Credentials;
use serde_json::json;

use super::account::Account;
use super::sign::{self, SigningRequest};
use super::{endpoint, query_api, region};
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{form, wrong_clock};
use crate::secret::Secret;
use crate::token::aws_request::LIFE;
use crate::token::{Audience, SubjectToken};

/// The maximum number of seconds that the clock of this host may be ahead. Google refuses a request
/// with a date in the future.
const MAX_CLOCK_AHEAD: i64 = 30;

/// Signs a request for the pool provider that is the audience.
///
/// # Errors
/// `CONFIGURATION` if Google would refuse the request: the audience is not a pool provider, no
/// region was found, the region is in the partition `aws-cn`, or the clock of this host is wrong.
pub(super) fn sign(
    request: &SubjectTokenRequest,
    credentials: &Credentials,
    account: &Account,
) -> Result<SubjectToken, Error> {
    let audience = pool_provider(request)?;
    let region = region::required(account)?;
    refuse_unusable(&region, account)?;
    let now = account.cx.clock.now();
    let host = format!("sts.{region}.amazonaws.com");
    let url = format!("https://{host}?Action=GetCallerIdentity&Version={}", query_api::VERSION);
    let target = ("x-goog-cloud-target-resource", audience.as_str());
    let signing_request = SigningRequest {
        method: "POST",
        url: &url,
        headers: &[target],
        body: "",
        region: &region,
        service: "sts",
        now,
    };
    let signature = sign::headers(&signing_request, credentials)?;
    let unsigned = [("host", host.as_str()), target].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let headers: Vec<_> = signature
        .into_iter()
        .chain(unsigned)
        .map(|(key, value)| json!({ "key": header_name(&key), "value": value }))
        .collect();
    let text = json!({ "url": url, "method": "POST", "headers": headers });
    let text = Secret::new(text.to_string());
    let text = Secret::new(form::escape(text.expose()).to_string());
    let expiry = super::credentials::expiry(credentials).unwrap_or(i64::MAX).min(now + LIFE);
    Ok(SubjectToken { text, expiry: Some(expiry) })
}

/// The audience as the full resource name of a pool provider.
fn pool_provider(request: &SubjectTokenRequest) -> Result<Audience, Error> {
    let audience = Audience::new(request.audience()?.without_scheme());
    let is_printable = audience.as_str().bytes().all(|byte| byte.is_ascii_graphic());
    match audience.is_resource_name() && is_printable {
        true => Ok(audience),
        false => Err(Error::new(
            Kind::Configuration,
            "--audience is not the full resource name of a pool provider",
        )
        .fix(
            "set --audience to //iam.googleapis.com/projects/NUMBER/locations/global/\
             workloadIdentityPools/POOL/providers/PROVIDER",
        )),
    }
}

/// The header name in the spelling of Google's client libraries: `Authorization` is capitalized.
fn header_name(name: &str) -> &str {
    match name {
        "authorization" => "Authorization",
        other => other,
    }
}

/// Refuses a request that Google would not accept.
fn refuse_unusable(region: &str, account: &Account) -> Result<(), Error> {
    if endpoint::is_china(region) {
        let what = format!(
            "Google's Security Token Service does not support the AWS partition aws-cn ({region})"
        );
        return Err(Error::new(Kind::Configuration, what).fix("use the source aws with --mode=jwt"));
    }
    if region.ends_with("-global") {
        let what = "Google's Security Token Service does not support the global AWS STS endpoint";
        return Err(Error::new(Kind::Configuration, what)
            .fix("set AWS_REGION, or --region of the source aws, to a region such as us-east-1"));
    }
    match account.cx.skew() {
        Some(skew) if !(-LIFE..=MAX_CLOCK_AHEAD).contains(&skew) => {
            let what = "Google would refuse the date of the signed request";
            Err(Error::new(Kind::Configuration, what).fix(wrong_clock(skew)))
        }
        _ => Ok(()),
    }
}
