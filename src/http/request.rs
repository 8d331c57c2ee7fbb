//! A request: its content, and which parts of it are secret.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::{Url, form};
use crate::secret::Secret;

/// A value that is sent. A secret is never shown, and is removed from text that the server sends.
#[derive(Debug, Clone)]
pub enum Text {
    /// A value that may be shown.
    Plain(String),
    /// A secret.
    Secret(Secret),
}

impl Text {
    /// The text itself, for the code that sends it.
    pub fn expose(&self) -> &str {
        match self {
            Text::Plain(text) => text,
            Text::Secret(secret) => secret.expose(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Plain(text.to_owned())
    }
}

impl From<Secret> for Text {
    fn from(secret: Secret) -> Text {
        Text::Secret(secret)
    }
}

/// A request that has not been sent.
#[derive(Debug)]
pub struct Request<'a> {
    pub(super) url: &'a Url,
    /// The option that contains the URL, such as `--url`, for messages.
    pub(super) option: &'static str,
    pub(super) method: Method,
    pub(super) headers: Vec<(Cow<'a, str>, Text)>,
    pub(super) form: Vec<(Cow<'a, str>, Text)>,
    body: Option<Text>,
    /// Secrets that are a part of a header or of the body.
    hidden: Vec<Secret>,
    /// A time limit, if it is shorter than the time until the deadline.
    pub(super) limit: Option<Duration>,
    /// Whether the request must not be repeated.
    pub(super) once: bool,
    /// Whether the request goes to the platform that runs this host.
    pub(super) direct: bool,
}

impl<'a> Request<'a> {
    fn new(method: Method, url: &'a Url, option: &'static str) -> Request<'a> {
        Request {
            url,
            option,
            method,
            headers: Vec::new(),
            form: Vec::new(),
            body: None,
            hidden: Vec::new(),
            limit: None,
            once: false,
            direct: false,
        }
    }

    /// Creates a GET request to `url`, which `option` contains.
    pub fn get(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::GET, url, option)
    }

    /// Creates a POST request to `url`, which `option` contains.
    pub fn post(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::POST, url, option)
    }

    /// Creates a PUT request to `url`, which `option` contains.
    pub fn put(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::PUT, url, option)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Authenticates with a name and a password (RFC 7617).
    pub fn basic(self, name: &str, password: &Secret) -> Self {
        let value = Request::basic_value(name, password);
        self.header("Authorization", value).hiding(password.clone())
    }

    /// The value of a header that authenticates with a name and a password.
    pub(super) fn basic_value(name: &str, password: &Secret) -> Secret {
        let pair = Secret::new(format!("{name}:{}", password.expose()));
        Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
    }

    /// Authenticates with a token (RFC 6750, section 2.1).
    pub fn bearer(self, token: &Secret) -> Self {
        let header = Secret::new(format!("Bearer {}", token.expose()));
        self.header("Authorization", header).hiding(token.clone())
    }

    /// Adds a form field.
    pub fn field(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.form.push((name.into(), value.into()));
        self
    }

    /// Sets the body. The content type must be set as a header.
    pub fn body(mut self, body: impl Into<Text>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Also removes `secret`, which is a part of a header or of the body, from text that the server
    /// sends.
    pub fn hiding(mut self, secret: Secret) -> Self {
        self.hidden.push(secret);
        self
    }

    /// Sets a time limit that is shorter than the time until the deadline.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Never repeats the request, because its content is valid only once or the caller retries.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Uses no proxy, and allows plain http to a private address. The URL must be an endpoint of the
    /// platform that runs this host.
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// The secrets that must not appear in any message.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let sent = self.headers.iter().chain(&self.form).map(|(_, text)| text).chain(&self.body);
        sent.filter_map(|text| match text {
            Text::Secret(secret) => Some(secret.clone()),
            Text::Plain(_) => None,
        })
        .chain(self.hidden.iter().cloned())
        .collect()
    }

    /// The content that is sent: the body, or the encoded form.
    pub(super) fn content(&self) -> Zeroizing<Vec<u8>> {
        let form =
            || form::encode(self.form.iter().map(|(name, value)| (name.as_ref(), value.expose())));
        let text = self.body.as_ref().map_or_else(form, |body| body.expose().to_owned());
        Zeroizing::new(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorization_header_is_secret() {
        let url = Url::parse("https://idp.example/token").unwrap();
        let secret = Secret::new("hunter2-secret");
        for (request, expected) in [
            (Request::post(&url, "--url").basic("id", &secret), "Basic aWQ6aHVudGVyMi1zZWNyZXQ="),
            (Request::post(&url, "--url").bearer(&secret), "Bearer hunter2-secret"),
        ] {
            let secrets = request.secrets();
            let secrets: Vec<&str> = secrets.iter().map(Secret::expose).collect();
            assert_eq!(secrets, [expected, "hunter2-secret"]);
        }
    }
}
