//! A subject token by HTTP GET: a metadata server, a CI system's token service, a sidecar.
//!
//! The counterpart of a URL-sourced credential configuration, with a deadline, a cache and secret
//! headers that stand in a variable or a file instead of the configuration.

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Text, Url};
use crate::options::SecretRef;
use crate::options::{Header, Values};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `url`.
    struct Options {
        /// the address to get
        url: Url = "--url",
        /// send this header; a secret value is env:NAME or file:PATH, after a scheme if it has one
        /// (Authorization:Bearer env:NAME)
        header: Vec<Header> = "--header",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "url",
    summary: "an HTTP GET, as text or as a member of JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    example: "wif-token url --url=http://127.0.0.1:8080/token --field=access_token",
    build,
};

/// A GET, and the member of the JSON that it answers with.
#[derive(Debug)]
pub(crate) struct Get {
    pub(crate) url: Url,
    /// The option, or the member of a configuration, that names it.
    pub(crate) option: &'static str,
    pub(crate) headers: Vec<(String, HeaderValue)>,
    pub(crate) field: Option<Field>,
}

/// The value of a header as it was asked for.
#[derive(Debug)]
pub(crate) enum HeaderValue {
    Plain(String),
    /// A secret, after these words.
    Secret(String, SecretRef),
    /// A secret that stands in the configuration itself.
    Given(Secret),
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { url, header } = Options::read(values)?;
    let headers = header.into_iter().map(|Header(name, value)| {
        let value = read_value(&value);
        if matches!(value, HeaderValue::Plain(_)) && is_secret(&name) {
            return Err(Error::new(
                Kind::Usage,
                format!("the header {name} would show its secret"),
            )
            .fix(format!("write --header={name}:env:NAME or --header={name}:file:PATH")));
        }
        Ok((name, value))
    });
    let headers = headers.collect::<Result<_, _>>()?;
    Ok(Box::new(Get { url, option: "--url", headers, field: Field::read(values)? }))
}

/// The last word of a value may say where its secret stands.
fn read_value(value: &str) -> HeaderValue {
    let (words, last) = value.rsplit_once(' ').map_or(("", value), |(words, last)| (words, last));
    match SecretRef::parse(last) {
        Some(secret) if words.is_empty() => HeaderValue::Secret(String::new(), secret),
        Some(secret) => HeaderValue::Secret(format!("{words} "), secret),
        None => HeaderValue::Plain(value.to_owned()),
    }
}

/// Whether a header of this name carries a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["authorization", "cookie", "token", "key", "secret", "password"];
    ends.iter().any(|end| name.ends_with(end))
}

impl Source for Get {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mut get = http::Request::get(&self.url, self.option);
        for (name, value) in &self.headers {
            let value: Text = match value {
                HeaderValue::Plain(text) => text.as_str().into(),
                HeaderValue::Given(secret) => secret.clone().into(),
                HeaderValue::Secret(words, secret) => {
                    let secret = secret.read("--header", cx)?;
                    let whole = Secret::new(format!("{words}{}", secret.expose()));
                    get = get.hiding(secret);
                    whole.into()
                }
            };
            get = get.header(name.as_str(), value);
        }
        let response = cx.send(get)?.require_success()?;
        let what = format!("the answer of {}", self.url);
        let text = str::from_utf8(&response.body).map_err(|_| {
            Error::new(Kind::Protocol, format!("{what} is not UTF-8 text"))
                .fix(format!("check {}", self.option))
        })?;
        if text.trim().is_empty() {
            return Err(Error::new(Kind::Protocol, format!("{what} is empty"))
                .fix(format!("check {}", self.option)));
        }
        let text = field::select(&Secret::new(text), self.field.as_ref(), &what)?;
        let renew = "it serves a token that is over: renew it there".to_owned();
        let origin = Origin { what, option: self.option, renew };
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_header_may_be_a_secret() {
        let env = |name: &str| SecretRef::Env(name.to_owned());
        for (value, read) in [
            ("true", HeaderValue::Plain("true".to_owned())),
            ("env:T", HeaderValue::Secret(String::new(), env("T"))),
            ("Bearer env:T", HeaderValue::Secret("Bearer ".to_owned(), env("T"))),
        ] {
            assert_eq!(format!("{:?}", read_value(value)), format!("{read:?}"));
        }
    }

    #[test]
    fn headers_that_carry_secrets_are_known_by_name() {
        for (name, secret) in [
            ("Authorization", true),
            ("Proxy-Authorization", true),
            ("X-Vault-Token", true),
            ("X-Api-Key", true),
            ("Metadata", false),
            ("X-aws-ec2-metadata-token-ttl-seconds", false),
        ] {
            assert_eq!(is_secret(name), secret, "{name}");
        }
    }
}
