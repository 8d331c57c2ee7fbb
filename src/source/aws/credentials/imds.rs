//! Credentials and region of an EC2 instance, from the instance metadata service, version 2
//! (IMDSv2).
//!
//! A PUT request returns a session token, which each GET request must contain. The response to the
//! PUT request travels at most as many network hops as the hop limit allows, 1 by default. With the
//! default, it does not reach a container on a bridge network.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>

use std::borrow::Cow;
use std::time::Duration;

use super::{Account, Lookup, from_json};
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url};
use crate::secret::Secret;
use crate::source::aws::endpoint::is_region;

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// The timeout of the PUT request. Outside EC2 there is usually no response at all.
const PUT_TIMEOUT: Duration = Duration::from_secs(1);

/// The lifetime of the session token in seconds: long enough for one run.
const SESSION_LIFETIME: &str = "60";

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let session = match Session::open(account)? {
        Ok(session) => session,
        Err(why) => return Ok(Lookup::Absent(why)),
    };
    let path = "/latest/meta-data/iam/security-credentials/";
    let response = session.get(path, account)?;
    if response.status == 404 {
        return Ok(Lookup::absent("the instance has no IAM role"));
    }
    let role = role_name(&response.require_success()?)?;
    let response = session.get(&format!("{path}{role}"), account)?.require_success()?;
    let object = response.json()?;
    match object.get("Code").and_then(serde_json::Value::as_str) {
        None | Some("Success") => {}
        Some(code) => {
            let what = format!("the instance metadata has no credentials for the role {role}");
            return Err(Error::new(Kind::Denied, what)
                .cause(response.redacted(code))
                .fix(format!("allow ec2.amazonaws.com in the trust policy of the role {role}")));
        }
    }
    let fix = format!("check {ENDPOINT}");
    from_json(&object, "Token", "the instance metadata", &fix).map(Lookup::Found)
}

/// Reads the name of the role on the first line of a response.
fn role_name(response: &Response) -> Result<String, Error> {
    let text = text(response);
    let name = text.lines().next().unwrap_or_default().trim();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    match !name.is_empty() && name.chars().all(is_allowed) {
        true => Ok(name.to_owned()),
        false => Err(Error::new(
            Kind::Protocol,
            "the response from the instance metadata service is not the name of an IAM role",
        )
        .fix(format!("check {ENDPOINT}"))),
    }
}

/// Gets the region of the instance; `None` if there is no instance metadata.
///
/// # Errors
/// The errors of [`load`].
pub(in crate::source::aws) fn region(account: &Account) -> Result<Option<String>, Error> {
    let Ok(session) = Session::open(account)? else { return Ok(None) };
    let response = session.get("/latest/meta-data/placement/region", account)?;
    let region = text(&response).trim().to_owned();
    Ok((response.status == 200 && is_region(&region)).then_some(region))
}

fn text(response: &Response) -> Cow<'_, str> {
    String::from_utf8_lossy(&response.body)
}

/// A session of IMDSv2.
struct Session {
    base: String,
    token: Secret,
}

impl Session {
    /// Gets a session token. The inner error says why there is no instance metadata.
    fn open(account: &Account) -> Result<Result<Session, String>, Error> {
        let cx = account.cx;
        let disabled = cx.env.text(DISABLED)?;
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Err(format!("{DISABLED} is true")));
        }
        let base = base(account)?;
        let url = parse_url(&base, "/latest/api/token")?;
        let put = http::Request::put(&url, ENDPOINT)
            .header("X-aws-ec2-metadata-token-ttl-seconds", SESSION_LIFETIME)
            .limit(PUT_TIMEOUT);
        let response = match cx.send(put) {
            Ok(response) => response,
            Err(error) if error.kind() == Kind::Unreachable => {
                cx.log.line(
                    "for a container on EC2, run aws ec2 modify-instance-metadata-options \
                     --http-put-response-hop-limit 2 --instance-id ID",
                );
                return Ok(Err(format!("no response from {base}")));
            }
            Err(error) => return Err(error),
        };
        Ok(match response.status {
            200 => Ok(Session { base, token: Secret::new(text(&response).trim()) }),
            403 => Err(format!("disabled at {base}, HTTP status 403")),
            status => Err(format!("no IMDSv2 at {base}, HTTP status {status}")),
        })
    }

    fn get(&self, path: &str, account: &Account) -> Result<Response, Error> {
        let url = parse_url(&self.base, path)?;
        let get = http::Request::get(&url, ENDPOINT)
            .header("X-aws-ec2-metadata-token", self.token.clone());
        let response = account.cx.send(get)?;
        match response.status {
            401 => Err(Error::new(
                Kind::Denied,
                format!("{url} responded with status 401 to its own session token"),
            )
            .fix(format!("check {ENDPOINT}, and that no proxy changes the request"))),
            403 => Err(Error::new(Kind::Denied, format!("{url} responded with status 403")).fix(
                "enable the instance metadata service with aws ec2 modify-instance-metadata-options \
                 --http-endpoint enabled --instance-id ID",
            )),
            _ => Ok(response),
        }
    }
}

/// The URL of the instance metadata service, without a path. An invalid mode is an error even if the
/// URL is set, as in botocore.
fn base(account: &Account) -> Result<String, Error> {
    let endpoint = account.setting(ENDPOINT, "ec2_metadata_service_endpoint")?;
    let mode = account.setting(MODE, "ec2_metadata_service_endpoint_mode")?;
    let default = match mode.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "ipv4" => "http://169.254.169.254",
        "ipv6" => "http://[fd00:ec2::254]",
        _ => {
            let place = match account.cx.env.text(MODE)? {
                Some(_) => MODE,
                None => "ec2_metadata_service_endpoint_mode in the profile",
            };
            return Err(Error::new(
                Kind::Configuration,
                format!("{place} is neither IPv4 nor IPv6"),
            )
            .fix(format!("set {place} to IPv4 or IPv6, or remove it")));
        }
    };
    Ok(endpoint.as_deref().unwrap_or(default).trim_end_matches('/').to_owned())
}

fn parse_url(base: &str, path: &str) -> Result<Url, Error> {
    Url::parse(&format!("{base}{path}")).map_err(|why| {
        Error::new(Kind::Configuration, format!("{ENDPOINT} {why}"))
            .fix(format!("correct {ENDPOINT}"))
    })
}
