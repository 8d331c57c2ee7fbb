//! Gets a subject token with an HTTP GET request, for example from a metadata server, the token
//! service of a CI system or a sidecar.
//!
//! This source corresponds to a URL-sourced credential configuration. In addition, it has a timeout
//! and a cache, and it reads secret headers from a variable or a file instead of the configuration.

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::formats;
use crate::http::{self, Text, Url};
use crate::options::{Header, SecretRef, Values};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `url`.
    struct Options {
        /// URL that returns the token
        url: Url = "--url",
        /// add this header to the request; for a secret, write env:NAME or file:PATH as the last
        /// word of the value (Authorization:Bearer env:NAME)
        header: Vec<Header> = "--header",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "url",
    also: &["http", "https"],
    summary: "a URL that returns the token, as text or JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token url --url=http://127.0.0.1:8080/token --field=access_token",
    build,
};

/// A GET request whose response, or a JSON member of its response, is the token.
#[derive(Debug)]
pub(crate) struct Get {
    pub(crate) url: Url,
    /// The option or the configuration member that contains the URL, for messages.
    pub(crate) option: &'static str,
    /// The option or the configuration member that contains the headers, for messages.
    pub(crate) header_option: &'static str,
    pub(crate) headers: Vec<(String, HeaderValue)>,
    pub(crate) field: Field,
}

/// The value of a header.
#[derive(Debug)]
pub(crate) enum HeaderValue {
    /// A value that is not secret.
    Plain(String),
    /// A reference to a secret, and the words before it, such as `Bearer `.
    Secret(String, SecretRef),
    /// A secret value in the configuration itself.
    Given(Secret),
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { url, header } = Options::read(values)?;
    let headers = header.into_iter().map(|Header(name, value)| {
        let value = read_value(&value);
        if matches!(value, HeaderValue::Plain(_)) && is_secret(&name) {
            return Err(Error::new(
                Kind::Usage,
                format!("--header contains the value of the secret header {name}"),
            )
            .fix(format!("use --header={name}:env:NAME or --header={name}:file:PATH")));
        }
        Ok((name, value))
    });
    let headers = headers.collect::<Result<_, _>>()?;
    Ok(Box::new(Get {
        url,
        option: "--url",
        header_option: "--header",
        headers,
        field: Field::read(values)?,
    }))
}

/// Reads a header value, whose last word may refer to a secret.
fn read_value(value: &str) -> HeaderValue {
    let (words, last) = SecretRef::in_header(value);
    match SecretRef::parse(last) {
        Some(secret) if words.is_empty() => HeaderValue::Secret(String::new(), secret),
        Some(secret) => HeaderValue::Secret(format!("{words} "), secret),
        None => HeaderValue::Plain(value.to_owned()),
    }
}

/// Whether the value of a header with this name is secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["authorization", "cookie", "token", "key", "secret", "password"];
    ends.iter().any(|end| name.ends_with(end))
}

/// The paths of metadata servers, with the header that a request to them must have.
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
/// <https://cloud.google.com/compute/docs/metadata/querying-metadata>
const METADATA: &[(&str, &str, &str)] = &[
    ("/metadata/identity/", "Metadata", "True"),
    ("/computeMetadata/", "Metadata-Flavor", "Google"),
];

impl Get {
    /// The header that the server requires, if it is a metadata server and the header is missing.
    fn missing_header(&self) -> Option<(&'static str, &'static str)> {
        let path = self.url.path();
        let (_, name, value) = METADATA.iter().find(|(start, ..)| path.starts_with(start))?;
        let is_given = self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        (!is_given).then_some((*name, *value))
    }
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
        let headers = self.header_option;
        let response = cx.send(get)?;
        let (status, is_of_squid) = (response.status, response.is_of_squid());
        let text = response.error_text().unwrap_or_default().to_ascii_lowercase();
        let response = response.require_success().map_err(|error| match error.kind() {
            Kind::Denied | Kind::Configuration
                if let Some((name, value)) = self.missing_header() =>
            {
                let fix = format!("add the header {name} with the value {value} to {headers}");
                error.of_kind(Kind::Configuration).fix(fix)
            }
            Kind::Denied if text.contains("identity not found") => error.fix(format!(
                "assign a managed identity to this virtual machine, or check client_id in {}",
                self.option
            )),
            // These responses are not from the server, but from a proxy or the network.
            Kind::Denied if is_of_squid || matches!(status, 407 | 511) => error,
            // RFC 9110, section 15.5.6
            Kind::Denied if status == 405 => error
                .of_kind(Kind::Configuration)
                .fix(format!("set {} to a URL that accepts GET requests", self.option)),
            Kind::Denied if status == 401 && self.headers.is_empty() => {
                error.fix(format!("set {headers} to the credentials that the server requires"))
            }
            Kind::Denied if matches!(status, 401 | 403) => {
                error.fix(format!("check the credentials in {headers}"))
            }
            Kind::Denied => error.fix(format!("check {} and {headers}", self.option)),
            _ => error,
        })?;
        let what = format!("the response from {}", self.url);
        let text = str::from_utf8(&response.body).map_err(|_| {
            let is = match formats::is_utf16(&response.body) {
                true => "is UTF-16 text, not UTF-8",
                false => "is not UTF-8 text",
            };
            Error::new(Kind::Protocol, format!("{what} {is}")).fix(format!("check {}", self.option))
        })?;
        if text.trim().is_empty() {
            return Err(Error::new(Kind::Protocol, format!("{what} is empty"))
                .fix(format!("check {}", self.option)));
        }
        let renew = format!("check {} and the clocks of this host and of the server", self.option);
        self.field.token(&Secret::new(text), Origin::new(what, self.option, renew), request, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_header_may_refer_to_a_secret() {
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
    fn secret_headers_are_recognized_by_name() {
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
