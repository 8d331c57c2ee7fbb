//! Credentials from the container credentials endpoint of ECS, Fargate and EKS Pod Identity.
//!
//! The platform sets a variable to the endpoint, and usually provides an authorization token in a
//! variable or a file. A GET request with that token returns credentials in JSON.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use super::{Account, Lookup, from_json};
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Response, Url};
use crate::secret::Secret;

const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The hosts of ECS and EKS. Besides loopback addresses, only these hosts may use plain http.
const HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let cx = account.cx;
    let (address, option) = match (cx.env.text(RELATIVE_URI)?, cx.env.text(FULL_URI)?) {
        (Some(path), _) if !path.starts_with('/') => {
            let what = format!("{RELATIVE_URI} is not a path that begins with a slash");
            return Err(Error::new(Kind::Configuration, what)
                .fix(format!("set {RELATIVE_URI} to a path, or set {FULL_URI} to a URL instead")));
        }
        (Some(path), _) => (format!("http://169.254.170.2{path}"), RELATIVE_URI),
        (None, Some(address)) => (address, FULL_URI),
        (None, None) => {
            return Ok(Lookup::absent("no AWS_CONTAINER_CREDENTIALS_*_URI is set"));
        }
    };
    let url = Url::parse(&address).map_err(|why| {
        Error::new(Kind::Configuration, format!("{option} {why}")).fix(format!("correct {option}"))
    })?;
    refuse_plain_http(&url, option)?;
    let mut get = http::Request::get(&url, option).header("Accept", "application/json");
    if let Some(token) = authorization(account)? {
        get = get.header("Authorization", token);
    }
    let response = cx.send(get)?;
    let of_eks = refusal_of_eks(&response);
    let response = response.require_success().map_err(|error| match (of_eks, error.kind()) {
        (Some((code, message)), _) => explain_eks(&code, error.cause(message)),
        (None, Kind::Denied) => error.fix(
            "check AWS_CONTAINER_AUTHORIZATION_TOKEN or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, and \
             the IAM role of the task or pod",
        ),
        _ => error,
    })?;
    let (object, place) = (response.json()?, format!("the response from {url}"));
    from_json(&object, "Token", &place, &format!("check {option}")).map(Lookup::Found)
}

/// The code and the message in an error response of the EKS Pod Identity agent, which is text:
/// `[ID]: (CODE): MESSAGE, fault: client`.
/// <https://github.com/aws/eks-pod-identity-agent/blob/main/pkg/errors/errors.go>
fn refusal_of_eks(response: &Response) -> Option<(String, String)> {
    let (_, rest) = response.text()?.trim().split_once('(')?;
    let (code, message) = rest.split_once("): ")?;
    let is_code = code.ends_with("Exception") && code.bytes().all(|c| c.is_ascii_alphanumeric());
    let message = message.split_once(", fault:").map_or(message, |(message, _)| message);
    let shown = if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") };
    is_code.then(|| (code.to_owned(), response.redacted(&shown)))
}

/// Adds the fix for an error of the API that the agent calls.
/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html>
fn explain_eks(code: &str, error: Error) -> Error {
    let of = |kind, fix: &str| error.clone().of_kind(kind).fix(fix);
    match code {
        "ResourceNotFoundException" => of(
            Kind::Configuration,
            "associate an IAM role with the service account of the pod: aws eks \
             create-pod-identity-association",
        ),
        "AccessDeniedException" => of(
            Kind::Denied,
            "allow pods.eks.amazonaws.com the actions sts:AssumeRole and sts:TagSession in the trust \
             policy of the role (aws eks list-pod-identity-associations shows the role)",
        ),
        "ExpiredTokenException" => of(
            Kind::Expired,
            "check that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is the path in the volume that EKS \
             mounts, because only that file is renewed",
        ),
        "InvalidTokenException" => of(
            Kind::Denied,
            "set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the token that EKS mounts in the pod",
        ),
        _ => error,
    }
}

/// Refuses plain http, except to this host and to the hosts of the platform. Otherwise, the
/// authorization token would be sent unencrypted to any host that the variable names.
fn refuse_plain_http(url: &Url, option: &str) -> Result<(), Error> {
    let host = url.host();
    let is_loopback =
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if url.is_https() || is_loopback || HOSTS.contains(&host) {
        return Ok(());
    }
    let allowed = HOSTS.join(", ");
    Err(Error::new(Kind::Configuration, format!("{option} uses http with the host {host}"))
        .fix(format!("use https, or one of the hosts localhost, {allowed}")))
}

/// Reads the authorization token. The file overrides the variable, and is read for each request
/// because the platform rotates its content.
fn authorization(account: &Account) -> Result<Option<Secret>, Error> {
    let cx = account.cx;
    let (token, place) = match cx.env.text(TOKEN_FILE)? {
        Some(path) => {
            let text = files::read_text(path.as_ref(), TOKEN_FILE, Kind::Configuration)?;
            (Secret::new(text.expose().trim()), TOKEN_FILE)
        }
        None => match cx.env.text(TOKEN)? {
            Some(token) => (Secret::new(token), TOKEN),
            None => return Ok(None),
        },
    };
    if token.expose().chars().any(char::is_control) {
        let what = format!("the token from {place} contains control characters");
        return Err(Error::new(Kind::Configuration, what)
            .fix(format!("check {place}, whose token must be a single line")));
    }
    Ok(Some(token))
}
