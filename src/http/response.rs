//! A response: its status as an error, its JSON, and the error message of the server.

use std::time::Duration;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::Body;
use ureq::http::HeaderMap;
use zeroize::Zeroizing;

use super::Request;
use crate::error::{Error, Kind, redacted};
use crate::files::LIMIT;
use crate::secret::Secret;

/// A response of at most 1 MiB.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, which may contain a token.
    pub body: Zeroizing<Vec<u8>>,
    /// The server's time in seconds since 1970, if it sent the time.
    pub date: Option<i64>,
    headers: HeaderMap,
    redirect: Option<String>,
    place: String,
    host: String,
    option: &'static str,
    secrets: Vec<Secret>,
}

impl Response {
    pub(super) fn read(
        response: ureq::http::Response<Body>,
        request: &Request,
        secrets: &[Secret],
    ) -> Result<Response, ureq::Error> {
        let status = response.status().as_u16();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok());
        let redirect = location.and_then(|location| {
            let uri: ureq::http::Uri = location.parse().ok()?;
            Some(uri.host().unwrap_or(request.url.host()).to_owned())
        });
        // A cache sends the time at which it stored the response, and the age of the response.
        let is_cached = response.headers().contains_key("age");
        let date = response.headers().get("date").filter(|_| !is_cached);
        let date = date.and_then(|value| value.to_str().ok());
        let date = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
        // The limit of ureq excludes the last byte.
        let limit = LIMIT as u64 + 1;
        let headers = response.headers().clone();
        let body = response.into_body().into_with_config().limit(limit).read_to_vec()?;
        Ok(Response {
            status,
            body: Zeroizing::new(body),
            date: date.map(OffsetDateTime::unix_timestamp),
            headers,
            redirect,
            place: request.url.to_string(),
            host: request.url.host().to_owned(),
            option: request.option,
            secrets: secrets.to_vec(),
        })
    }

    /// The values of a header, except those that are not text.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The `Retry-After` of the server, if it is in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers("retry-after").next()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Returns this response if its status is 2xx.
    ///
    /// # Errors
    /// `DENIED` for a refusal, `CONFIGURATION` for 404, redirects and a server that accepts only
    /// TLS, `UNREACHABLE` for 408, 429 and 5xx.
    pub fn require_success(self) -> Result<Response, Error> {
        let (place, option, status) = (&self.place, self.option, self.status);
        let (kind, fix) = match status {
            200..=299 => return Ok(self),
            300..=399 => return Err(self.redirected()),
            400 if self.requires_tls() => {
                let what = format!("{place} accepts only TLS");
                let fix = format!("begin the URL in {option} with https://");
                return Err(Error::new(Kind::Configuration, what).fix(fix));
            }
            401 | 403 | 407 if self.is_of_squid() => {
                let host = &self.host;
                (
                    Kind::Denied,
                    format!(
                        "allow {host} in the proxy (Squid), which responded in place of the server"
                    ),
                )
            }
            500..=599 if self.is_of_squid() => {
                let host = &self.host;
                let fix =
                    "check that the proxy (Squid) that responded in place of the server can reach";
                (Kind::Unreachable, format!("{fix} {host}"))
            }
            401 | 403 => {
                let credentials =
                    format!("check the credentials for {option} and their permissions");
                let fix = match self.is_html() {
                    true => format!(
                        "check whether a proxy responded in place of {}, otherwise {credentials}",
                        self.host
                    ),
                    false => credentials,
                };
                (Kind::Denied, fix)
            }
            // RFC 9110, section 15.5.8, and RFC 6585, section 6
            407 | 511 => {
                let host = &self.host;
                let fix = format!(
                    "sign in to the proxy or the network that responded in place of {host}"
                );
                (Kind::Denied, fix)
            }
            404 => (Kind::Configuration, format!("check the path of the URL in {option}")),
            408 | 429 | 500..=599 => (Kind::Unreachable, "try again later".to_owned()),
            _ => (Kind::Denied, format!("check {option} and the options of this source")),
        };
        Err(self.failure(kind, format!("{place} responded with status {status}")).fix(fix))
    }

    /// The error for a redirect.
    fn redirected(&self) -> Error {
        let (place, option) = (&self.place, self.option);
        let to = self.redirect.as_deref().map(|host| self.redacted(host));
        let is_elsewhere = to.as_deref().is_some_and(|to| to != self.host);
        let to = to.as_deref().unwrap_or("another URL");
        let fix = match is_elsewhere {
            // Without this check, a user could send a secret to the sign-in page of a network.
            true => format!(
                "check whether a sign-in page or a proxy of this network responded, or change the URL in \
                 {option} if the server has moved to {to}"
            ),
            false => format!(
                "change the URL in {option} to the final URL, because redirects are not followed"
            ),
        };
        Error::new(Kind::Configuration, format!("{place} redirects to {to}")).fix(fix)
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// `PROTOCOL` if the body is not a JSON object. The message says if it is HTML.
    pub fn json(&self) -> Result<Map<String, Value>, Error> {
        let option = self.option;
        self.object().ok_or_else(|| {
            let (what, fix) = match self.is_html() {
                true => {
                    ("HTML, not JSON", ", and check whether a sign-in page or a proxy responded")
                }
                false if serde_json::from_slice::<Value>(&self.body).is_ok() => {
                    ("not a JSON object", "")
                }
                false if self.headers("content-encoding").next().is_some() => {
                    ("compressed", ", and check whether a proxy compressed the response")
                }
                false => ("not JSON", ""),
            };
            Error::new(Kind::Protocol, format!("the response from {} is {what}", self.place))
                .fix(format!("check {option}{fix}"))
        })
    }

    /// Whether the response is a page, such as that of a proxy, and not the JSON of an API.
    pub fn is_page(&self) -> bool {
        self.is_html() || self.is_of_squid() || self.requires_tls()
    }

    /// Whether a server with TLS refused a request without TLS, as servers written in Go
    /// (<https://github.com/golang/go/blob/master/src/net/http/server.go>) and nginx do.
    fn requires_tls(&self) -> bool {
        let says = |text: &str| self.text().is_some_and(|body| body.contains(text));
        says("Client sent an HTTP request to an HTTPS server")
            || says("The plain HTTP request was sent to HTTPS port")
    }

    /// Whether the proxy Squid responded in place of the server.
    pub fn is_of_squid(&self) -> bool {
        self.headers("x-squid-error").next().is_some()
    }

    /// Whether the body is HTML or XML.
    pub fn is_html(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    /// The `error` code of an OAuth error response (RFC 6749, section 5.2).
    pub fn oauth_error(&self) -> Option<String> {
        Some(self.redacted(self.object()?.get("error")?.as_str()?))
    }

    /// The `error_subtype` of Google's OAuth error response.
    pub fn oauth_error_subtype(&self) -> Option<String> {
        Some(self.redacted(self.object()?.get("error_subtype")?.as_str()?))
    }

    /// The body as text; `None` if it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// Creates an error with the server's error code in parentheses and the server's message as the
    /// cause.
    pub fn failure(&self, kind: Kind, what: impl Into<String>) -> Error {
        let (code, message) = self.error_parts();
        let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
        let error = Error::new(kind, what.into() + &code);
        match message {
            Some(message) => error.cause(message),
            None => error,
        }
    }

    /// The error code and message in a JSON error response. The body itself is never shown.
    pub fn error_text(&self) -> Option<String> {
        let (code, message) = self.error_parts();
        let parts: Vec<String> = code.into_iter().chain(message).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    /// The error code and the message. An `error` that contains spaces is a message.
    fn error_parts(&self) -> (Option<String>, Option<String>) {
        let object = self.object().unwrap_or_default();
        let nested = object.get("error").and_then(Value::as_object).unwrap_or(&object);
        let text = |name: &str| nested.get(name).and_then(Value::as_str);
        // Okta's own APIs have other names: <https://developer.okta.com/docs/reference/error-codes/>
        let description = text("error_description").or(text("message")).or(text("errorSummary"));
        let list = object.get("errors").and_then(Value::as_array).into_iter().flatten();
        let list = list.filter_map(Value::as_str);
        let (code, sentence) = match text("error") {
            Some(error) if error.contains(char::is_whitespace) => (None, Some(error)),
            code => (code.or(text("errorCode")), None),
        };
        let parts: Vec<&str> = sentence.into_iter().chain(description).chain(list).collect();
        let message = (!parts.is_empty()).then(|| self.redacted(&parts.join(": ")));
        (code.map(|code| self.redacted(code)), message)
    }

    fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Removes secrets from text of this server, for use in a message: see [`redacted`].
    pub fn redacted(&self, text: &str) -> String {
        let secrets: Vec<&str> = self.secrets.iter().map(Secret::expose).collect();
        redacted(text, &secrets)
    }
}
