//! Credentials and region of an EC2 instance, from its metadata service, version 2.
//!
//! A PUT gives a session token, which every GET carries. The answer to the PUT goes no further than
//! its hop limit, 1 by default: inside a container on a bridge it never arrives.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>

use std::time::Duration;

use super::{Account, Lookup, from_json};
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url};
use crate::secret::Secret;

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// How long the PUT may take: outside EC2 nobody answers.
const PUT_LIMIT: Duration = Duration::from_secs(1);

/// How long the session token is to live, in seconds: one run.
const SESSION_LIFE: &str = "60";

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let session = match Session::open(account)? {
        Ok(session) => session,
        Err(absent) => return Ok(Lookup::Absent(absent)),
    };
    let path = "/latest/meta-data/iam/security-credentials/";
    let response = session.get(path, account)?;
    if response.status == 404 {
        return Ok(Lookup::Absent("the instance has no IAM role".to_owned()));
    }
    let role = text(&response.require_success()?);
    let role = role.lines().next().unwrap_or_default().trim().to_owned();
    let fits = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if role.is_empty() || !role.chars().all(fits) {
        return Err(Error::new(Kind::Protocol, "the instance metadata name no IAM role")
            .fix(format!("check {ENDPOINT}")));
    }
    let response = session.get(&format!("{path}{role}"), account)?.require_success()?;
    let answer = response.json()?;
    match answer.get("Code").and_then(serde_json::Value::as_str) {
        None | Some("Success") => {}
        Some(code) => {
            let what = format!("the instance metadata give no credentials for the role {role}");
            return Err(Error::new(Kind::Denied, what)
                .cause(response.redacted(code))
                .fix("check the role's trust policy for ec2.amazonaws.com"));
        }
    }
    from_json(&answer, "Token", "the instance metadata").map(Lookup::Found)
}

/// The region of the instance; `None` where there are no metadata.
pub(in crate::source::aws) fn region(account: &Account) -> Result<Option<String>, Error> {
    let Ok(session) = Session::open(account)? else { return Ok(None) };
    let response = session.get("/latest/meta-data/placement/region", account)?;
    let region = text(&response).trim().to_owned();
    let known = response.status == 200 && crate::source::aws::endpoint::is_region(&region);
    Ok(known.then_some(region))
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

struct Session {
    base: String,
    token: Secret,
}

impl Session {
    /// Gets a session token; the inner error says why there are no metadata here.
    fn open(account: &Account) -> Result<Result<Session, String>, Error> {
        let cx = account.cx;
        let disabled = cx.env.text(DISABLED)?;
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Err(format!("{DISABLED} is true")));
        }
        let base = base(account)?;
        let url = address(&base, "/latest/api/token")?;
        let put = http::Request::put(&url, ENDPOINT)
            .header("X-aws-ec2-metadata-token-ttl-seconds", SESSION_LIFE)
            .limit(PUT_LIMIT);
        let response = match cx.send(put) {
            Ok(response) => response,
            Err(error) if error.kind() == Kind::Unreachable => {
                return Ok(Err(format!(
                    "no answer from {base} within a second (not EC2, or a container that its hop \
                     limit keeps out: aws ec2 modify-instance-metadata-options \
                     --http-put-response-hop-limit 2)"
                )));
            }
            Err(error) => return Err(error),
        };
        Ok(match response.status {
            200 => Ok(Session { base, token: Secret::new(text(&response).trim()) }),
            403 => Err(format!("the instance metadata at {base} are turned off (403)")),
            status => Err(format!("{base} has no instance metadata of version 2 ({status})")),
        })
    }

    fn get(&self, path: &str, account: &Account) -> Result<Response, Error> {
        let url = address(&self.base, path)?;
        let get = http::Request::get(&url, ENDPOINT)
            .header("X-aws-ec2-metadata-token", self.token.clone());
        let response = account.cx.send(get)?;
        match response.status {
            401 => Err(Error::new(Kind::Denied, format!("{url} refused its own session token"))
                .cause("status 401")
                .fix(format!("check {ENDPOINT}: a proxy may stand between"))),
            _ => Ok(response),
        }
    }
}

fn base(account: &Account) -> Result<String, Error> {
    if let Some(endpoint) = account.setting(ENDPOINT, "ec2_metadata_service_endpoint")? {
        return Ok(endpoint.trim_end_matches('/').to_owned());
    }
    let mode = account
        .setting("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")?;
    Ok(match mode {
        Some(mode) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]".to_owned(),
        _ => "http://169.254.169.254".to_owned(),
    })
}

fn address(base: &str, path: &str) -> Result<Url, Error> {
    Url::parse(&format!("{base}{path}")).map_err(|why| {
        Error::new(Kind::Configuration, format!("{ENDPOINT} {why}"))
            .fix(format!("correct {ENDPOINT}"))
    })
}
