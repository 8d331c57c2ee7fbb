//! A request: what is sent, and which of it is secret.

use std::borrow::Cow;
use std::time::Duration;

use ureq::http::Method;
use zeroize::Zeroizing;

use super::{Url, form};
use crate::secret::Secret;

/// A value that is sent: shown to nobody, and struck from the far end's words if it is secret.
#[derive(Debug, Clone)]
pub enum Text {
    /// What may be seen.
    Plain(String),
    /// What may not.
    Secret(Secret),
}

impl Text {
    pub(super) fn expose(&self) -> &str {
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
    /// The option whose value chose the address, such as `--url`, for messages.
    pub(super) option: &'static str,
    pub(super) method: Method,
    pub(super) headers: Vec<(Cow<'a, str>, Text)>,
    pub(super) form: Vec<(Cow<'a, str>, Text)>,
    body: Option<Text>,
    /// Secrets that stand inside of what is sent.
    hidden: Vec<Secret>,
    /// How long it may last, where that is less than the deadline leaves.
    pub(super) limit: Option<Duration>,
    /// Whether it must not be sent again as it is.
    pub(super) once: bool,
    /// Whether it goes to the platform beneath this host.
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

    /// A GET of `url`, which `option` led to.
    pub fn get(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::GET, url, option)
    }

    /// A POST to `url`, which `option` led to.
    pub fn post(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::POST, url, option)
    }

    /// A PUT to `url`, which `option` led to.
    pub fn put(url: &'a Url, option: &'static str) -> Request<'a> {
        Request::new(Method::PUT, url, option)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a form field.
    pub fn field(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Text>) -> Self {
        self.form.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes; the content type is a header.
    pub fn body(mut self, body: impl Into<Text>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Keeps this too out of messages, should the far end repeat it: a part of a header or of
    /// the body.
    pub fn hiding(mut self, secret: Secret) -> Self {
        self.hidden.push(secret);
        self
    }

    /// Gives up after so long, even when the deadline leaves more.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Never sends it again: it carries what counts once, or the sender repeats more than this.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Sends it past any proxy, and over plain http to a private address too: for an endpoint that
    /// the platform beneath this host names.
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// What may not be seen in any message.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let sent = self.headers.iter().chain(&self.form).map(|(_, text)| text).chain(&self.body);
        sent.filter_map(|text| match text {
            Text::Secret(secret) => Some(secret.clone()),
            Text::Plain(_) => None,
        })
        .chain(self.hidden.iter().cloned())
        .collect()
    }

    /// What is sent: the body, or the form in its place.
    pub(super) fn content(&self) -> Zeroizing<Vec<u8>> {
        let form = || form::encode(self.form.iter().map(|(name, value)| (name, value.expose())));
        let text = self.body.as_ref().map_or_else(form, |body| body.expose().to_owned());
        Zeroizing::new(text.into_bytes())
    }
}
