//! A signed `GetCallerIdentity` request as the subject token, in the shape that Google's own
//! libraries give it.
//!
//! JSON with `url`, `method` and `headers`, percent-encoded once. Google sends the request itself,
//! so its host is always the public one of the region, whatever endpoint is used here.

use aws_credential_types::Credentials;
use serde_json::json;

use super::account::Account;
use super::sign::{self, ToSign};
use super::{endpoint, query_api};
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{form, wrong_clock};
use crate::secret::Secret;
use crate::token::aws_request::LIFE;
use crate::token::{Audience, SubjectToken};

/// Seconds by which this host's clock may be ahead: Google takes no request from the future.
const MOST_AHEAD: i64 = 30;

/// Signs the request for this audience.
///
/// # Errors
/// `CONFIGURATION` where Google could not use it: no region, the partition `aws-cn`, a wrong clock.
pub(super) fn sign(
    request: &SubjectTokenRequest,
    credentials: &Credentials,
    account: &Account,
) -> Result<SubjectToken, Error> {
    let audience = Audience::new(request.audience()?.without_scheme());
    let is_resource_name = audience.is_resource_name();
    let audience = audience.as_str();
    if !is_resource_name || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(Kind::Configuration, "--audience is no pool provider's full name")
            .fix(
                "it looks like //iam.googleapis.com/projects/NUMBER/locations/global/\
             workloadIdentityPools/POOL/providers/PROVIDER",
            ));
    }
    let region = account.required_region()?;
    refuse_useless(region, account)?;
    let now = account.cx.clock.now();
    let url = format!(
        "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version={}",
        query_api::VERSION
    );
    let host = format!("sts.{region}.amazonaws.com");
    let target = ("x-goog-cloud-target-resource", audience);
    let to_sign = ToSign {
        method: "POST",
        url: &url,
        headers: &[target],
        body: "",
        region,
        service: "sts",
        now,
    };
    let signature = sign::headers(&to_sign, credentials)?;
    let others = [("host", host.as_str()), target].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let headers: Vec<_> = signature
        .into_iter()
        .chain(others)
        .map(|(key, value)| json!({ "key": spelled(&key), "value": value }))
        .collect();
    let text = json!({ "url": url, "method": "POST", "headers": headers }).to_string();
    let text = Secret::new(form::escape(&text).to_string());
    let over = super::credentials::expiry(credentials);
    Ok(SubjectToken { text, expiry: Some(over.map_or(now + LIFE, |over| over.min(now + LIFE))) })
}

/// `Authorization` as Google's libraries spell it.
fn spelled(header: &str) -> &str {
    match header {
        "authorization" => "Authorization",
        other => other,
    }
}

fn refuse_useless(region: &str, account: &Account) -> Result<(), Error> {
    if endpoint::is_china(region) {
        let what = format!("Google sends no request to the partition of {region}");
        return Err(Error::new(Kind::Configuration, what).fix("use --mode=jwt"));
    }
    match account.cx.skew() {
        Some(skew) if !(-LIFE..=MOST_AHEAD).contains(&skew) => {
            Err(Error::new(Kind::Configuration, "Google would refuse the date of this request")
                .fix(wrong_clock(skew)))
        }
        _ => Ok(()),
    }
}
