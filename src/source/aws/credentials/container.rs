//! Credentials from the container's endpoint: ECS, Fargate, and EKS Pod Identity.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use super::{Account, Lookup, from_json};
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Url};
use crate::secret::Secret;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The hosts of ECS and EKS, which plain http may go to beside this machine.
const HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let cx = account.cx;
    let (address, option) = match (cx.env.text(RELATIVE)?, cx.env.text(FULL)?) {
        (Some(path), _) => (format!("http://169.254.170.2{path}"), RELATIVE),
        (None, Some(address)) => (address, FULL),
        (None, None) => return Ok(Lookup::Absent(format!("{RELATIVE} and {FULL} are not set"))),
    };
    let url = Url::parse(&address).map_err(|why| {
        Error::new(Kind::Configuration, format!("{option} {why}")).fix(format!("correct {option}"))
    })?;
    refuse_forbidden(&url, option)?;
    let mut get = http::Request::get(&url, option).header("Accept", "application/json");
    if let Some(token) = authorization(account)? {
        get = get.header("Authorization", token);
    }
    let response = cx.send(get)?.require_success()?;
    from_json(&response.json()?, "Token", &format!("the answer of {url}")).map(Lookup::Found)
}

/// A token would be sent to whatever host the variable names: only these may be plain http.
fn refuse_forbidden(url: &Url, option: &str) -> Result<(), Error> {
    let host = url.host();
    let loopback =
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if url.is_https() || loopback || HOSTS.contains(&host) {
        return Ok(());
    }
    let allowed = HOSTS.join(", ");
    Err(Error::new(Kind::Configuration, format!("{option} names the forbidden host {host}"))
        .fix(format!("use https, or http to this machine or {allowed}")))
}

/// The file beats the variable and is read again every time: it is rotated.
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
        return Err(Error::new(
            Kind::Configuration,
            format!("the token of {place} has control characters"),
        )
        .fix(format!("correct {place}: it holds one line")));
    }
    Ok(Some(token))
}
