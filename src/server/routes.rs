//! Which requests are answered, and how.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use zeroize::Zeroizing;

use super::Settings;
use super::fetches::Wanted;
use super::request::Request;
use super::response::{JSON, Response, TEXT};
use super::tree::{self, Found};
use crate::error::{Error, Kind};
use crate::google::access_token::AccessToken;
use crate::google::scopes;
use crate::world::Clock;

/// How a request is answered.
pub(super) enum Route {
    /// At once, with this response.
    Response(Response),
    /// With this response, after this time, because the client waits for a change.
    Held(Response, Duration),
    /// With a token.
    Token(Wanted),
}

/// The content type of an ID token; Ruby's client compares it exactly.
const IDENTITY: &str = "text/html";

/// A time that is longer than any client waits.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

const ROOT: &str = "/computeMetadata/v1/";

/// Answers a request. `hosts` are the names of this server, see [`hosts`].
pub(super) fn route(request: &Request, settings: &Settings, hosts: &[String]) -> Route {
    match refusal(request, settings, hosts) {
        Some(response) => Route::Response(response),
        None => answer(request, settings),
    }
}

fn refuse(status: u16, what: &str) -> Option<Response> {
    Some(Response::failure(status, what))
}

fn refusal(request: &Request, settings: &Settings, hosts: &[String]) -> Option<Response> {
    let is_own = |host: &str| hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    let is_of_another = request.authority.as_deref().is_some_and(|authority| !is_own(authority));
    if is_of_another || !request.header("host").is_some_and(is_own) {
        return refuse(403, "the Host header does not name this metadata server");
    }
    if request.has_header("x-forwarded-for") {
        return refuse(
            403,
            "requests with an X-Forwarded-For header are refused; connect without a proxy",
        );
    }
    let is_token_request = request.path.ends_with("/token");
    let is_allowed = match request.method.as_str() {
        "GET" | "HEAD" => true,
        "POST" => is_token_request,
        _ => false,
    };
    if !is_allowed {
        return refuse(405, "the method is not allowed; use GET");
    }
    match request.path.as_str() {
        "/healthz" => None,
        "/subject-token" => {
            let sent =
                request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            match &settings.secret {
                None => refuse(
                    403,
                    "/subject-token is not available; start wif-token serve with --token",
                ),
                Some(secret) if sent.is_some_and(|sent| is_equal(sent, secret.expose())) => None,
                Some(_) => refuse(
                    403,
                    "the Authorization header must be Bearer followed by the secret \
                                 of --token",
                ),
            }
        }
        _ if request.header("metadata-flavor") == Some("Google") => None,
        _ => refuse(403, "Missing Metadata-Flavor:Google header."),
    }
}

/// Compares two secrets in a time that does not depend on where they differ.
fn is_equal(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && differs == 0
}

/// The port that clients omit in `Host` (RFC 9110, section 4.2.1).
const DEFAULT_PORT: u16 = 80;

/// The values that a client may send as `Host`: the address of this server, and names that cannot
/// mean another server. `address` is `None` for a Unix socket.
pub(super) fn hosts(address: Option<SocketAddr>) -> Vec<String> {
    let mut hosts = ["metadata.google.internal", "metadata.google.internal.", "metadata"]
        .map(str::to_owned)
        .to_vec();
    let Some(address) = address else {
        hosts.push("localhost".to_owned());
        return hosts;
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    for name in [ip, "localhost".to_owned()] {
        hosts.push(format!("{name}:{}", address.port()));
        hosts.extend((address.port() == DEFAULT_PORT).then_some(name));
    }
    hosts
}

fn answer(request: &Request, settings: &Settings) -> Route {
    let path = match request.path.as_str() {
        "/" => {
            let root = "computeMetadata/\n".to_owned();
            return Route::Response(Response::value(TEXT, root));
        }
        "/healthz" => return Route::Response(Response::token(TEXT, "ok\n".to_owned())),
        "/subject-token" => {
            let is_json = request.parameter("format") == Some("json");
            return Route::Token(Wanted::Subject(is_json));
        }
        path => path,
    };
    let Some(path) = path.strip_prefix(ROOT) else { return nothing(request, settings) };
    if let Some(name) = of_account(path, settings) {
        match name {
            "token" => {
                let wanted = request.parameter("scopes").map(|value| scopes(Some(value)));
                let wanted = wanted.filter(|wanted| !wanted.is_empty());
                let wanted = wanted.unwrap_or_else(|| settings.identity.scopes.clone());
                return Route::Token(Wanted::Access(wanted));
            }
            "identity" => return identity(request),
            _ => {}
        }
    }
    nothing(request, settings)
}

/// Responds with the value at a path of the tree, or with a failure if the path does not exist.
fn nothing(request: &Request, settings: &Settings) -> Route {
    let path = request.path.strip_prefix(ROOT);
    let recursive = request
        .parameter("recursive")
        .is_some_and(|value| value.is_empty() || value.eq_ignore_ascii_case("true"));
    let alt = request.parameter("alt");
    let found = match (path, request.path.as_str()) {
        (Some(path), _) => tree::find(&settings.identity, path, recursive, alt),
        (None, "/computeMetadata" | "/computeMetadata/v1") => Found::Redirect,
        (None, "/computeMetadata/") => Found::Body(TEXT, "v1/\n".to_owned()),
        (None, _) => Found::Nothing,
    };
    let response = match found {
        Found::Body(content_type, body) => Response::value(content_type, body),
        Found::Redirect => {
            let host = request.header("host").unwrap_or("metadata.google.internal");
            Response::redirect(format!("http://{host}{}/{}", request.path, request.query_text))
        }
        Found::Nothing => {
            let fix = match path {
                Some("project/project-id") => "; set --project",
                Some("project/numeric-project-id") => "; set --project-number",
                _ => "",
            };
            let what = format!("this metadata server does not provide this value{fix}");
            Response::failure(404, &what)
        }
    };
    match wait(request, &response) {
        Some(wait) => Route::Held(response, wait),
        None => Route::Response(response),
    }
}

/// How long a client waits for a value to change. The values of this server never change, so
/// without `timeout_sec` the client waits as long as it keeps the connection open. `None` if the
/// client does not wait, or if it has another value.
/// <https://cloud.google.com/compute/docs/metadata/querying-metadata>
fn wait(request: &Request, response: &Response) -> Option<Duration> {
    let waits = request.parameter("wait_for_change")?.eq_ignore_ascii_case("true");
    let (tag, known) = (response.tag()?, request.parameter("last_etag").unwrap_or_default());
    let seconds = request.parameter("timeout_sec").and_then(|text| text.parse().ok());
    (waits && [tag.as_str(), ""].contains(&known))
        .then(|| Duration::from_secs(seconds.unwrap_or(u64::MAX)).min(LONGEST_WAIT))
}

/// The name in a path below the configured service account, such as `token`.
fn of_account<'a>(path: &'a str, settings: &Settings) -> Option<&'a str> {
    let (account, name) = path.strip_prefix("instance/service-accounts/")?.split_once('/')?;
    (account == "default" || account == settings.identity.email).then_some(name)
}

fn identity(request: &Request) -> Route {
    match request.parameter("audience").filter(|audience| !audience.is_empty()) {
        None => {
            let what = "non-empty audience parameter required";
            Route::Response(Response::failure(400, what))
        }
        Some(audience) => {
            let is_full = request.parameter("format") == Some("full");
            Route::Token(Wanted::Identity(audience.to_owned(), is_full))
        }
    }
}

/// The response with a token.
pub(super) fn token(wanted: &Wanted, token: &AccessToken) -> Response {
    match wanted {
        Wanted::Access(_) => {
            let (text, life) = (quoted(token), (token.expiry - Clock.now()).max(0));
            let body = format!(
                r#"{{"access_token":{},"expires_in":{life},"token_type":"Bearer"}}"#,
                *text
            );
            Response::token(JSON, body)
        }
        Wanted::Identity(..) => Response::token(IDENTITY, token.text.expose().to_owned()),
        Wanted::Subject(true) => {
            let (text, expiry) = (quoted(token), token.expiry);
            Response::token(JSON, format!(r#"{{"subject_token":{},"expires_at":{expiry}}}"#, *text))
        }
        Wanted::Subject(false) => Response::token(TEXT, token.text.expose().to_owned()),
    }
}

/// A token as a JSON string.
fn quoted(token: &AccessToken) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(token.text.expose()).unwrap_or_default())
}

/// The response for a failed fetch. Clients retry after 503, so a failure that a retry cannot fix
/// has another status.
pub(super) fn failure(error: &Error) -> Response {
    let status = match error.kind() {
        Kind::Denied => 403,
        Kind::Usage | Kind::Configuration | Kind::Absent | Kind::Protocol => 400,
        Kind::Unreachable | Kind::Expired | Kind::Internal => 503,
    };
    Response::failure(status, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_omit_only_the_default_port() {
        let own = |address: &str| hosts(Some(address.parse().unwrap()))[3..].join(" ");
        assert_eq!(own("127.0.0.1:8080"), "127.0.0.1:8080 localhost:8080");
        assert_eq!(own("127.0.0.1:80"), "127.0.0.1:80 127.0.0.1 localhost:80 localhost");
        assert_eq!(own("[::1]:80"), "[::1]:80 [::1] localhost:80 localhost");
        assert_eq!(hosts(None)[3..], ["localhost"]);
    }
}
