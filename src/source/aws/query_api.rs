//! Calls of the AWS Security Token Service, by its query API.
//!
//! A form is posted, signed or not; XML comes back. A refusal is an `Error` with a `Code`.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use aws_credential_types::Credentials;
use roxmltree::Document;

use super::account::Account;
use super::endpoint;
use super::sign::{self, ToSign};
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, form, wrong_clock};
use crate::secret::Secret;

/// The version of the API.
pub(super) const VERSION: &str = "2011-06-15";

/// Seconds by which a clock may be wrong before AWS refuses its signatures.
const TOLERATED_SKEW: i64 = 5 * 60;

/// One call.
pub(super) struct Call<'a> {
    pub(super) action: &'a str,
    pub(super) fields: Vec<(String, String)>,
    /// Who signs it; `None` where its fields prove who calls.
    pub(super) credentials: Option<&'a Credentials>,
    /// The region of the endpoint; `None` for the global one.
    pub(super) region: Option<&'a str>,
    /// The option or setting that led to it, for messages.
    pub(super) option: &'static str,
}

/// A refusal, with its code.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) error: Error,
}

/// The answer to a call, or why there is none.
pub(super) type Answer = Result<Result<Fields, Refusal>, Error>;

impl Call<'_> {
    /// Makes the call. A refusal by STS itself is told apart from every other failure.
    pub(super) fn send(&self, account: &Account) -> Answer {
        let cx = account.cx;
        let url = match self.region {
            Some(region) => account.sts_endpoint(region)?,
            None => match account.configured_endpoint("sts")? {
                Some(url) => url,
                None => endpoint::public("sts.amazonaws.com")?,
            },
        };
        let action = [("Action", self.action), ("Version", VERSION)];
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = Secret::new(form::encode(action.into_iter().chain(fields)));
        let mut post = http::Request::post(&url, self.option)
            .header("content-type", form::CONTENT_TYPE)
            .body(body.clone());
        let secret = |name: &str| matches!(name, "WebIdentityToken" | "ExternalId");
        for (_, value) in self.fields.iter().filter(|(name, _)| secret(name)) {
            post = post.hiding(Secret::new(value.as_str()));
        }
        if let Some(credentials) = self.credentials {
            for (name, value) in self.signature(&url, body.expose(), credentials, account)? {
                post = post.header(name, Secret::new(value));
            }
        }
        self.read(cx.send(post)?, account)
    }

    fn signature(
        &self,
        url: &Url,
        body: &str,
        credentials: &Credentials,
        account: &Account,
    ) -> Result<Vec<(String, String)>, Error> {
        let request = ToSign {
            method: "POST",
            url: url.as_typed(),
            headers: &[("content-type", form::CONTENT_TYPE)],
            body,
            region: self.region.unwrap_or("us-east-1"),
            service: "sts",
            now: account.cx.clock.now(),
        };
        sign::headers(&request, credentials)
    }

    fn read(&self, response: Response, account: &Account) -> Answer {
        let fields = Fields::parse(&response.body);
        if (200..300).contains(&response.status) {
            return fields.map(Ok).ok_or_else(|| {
                Error::new(Kind::Protocol, format!("{} of AWS STS got no XML", self.action))
                    .fix(format!("check {}", self.option))
            });
        }
        let Some(code) = fields.as_ref().and_then(|fields| fields.get("Code")) else {
            return response.require_success().map(|_| Err(Refusal::unknown()));
        };
        let message = fields.as_ref().and_then(|fields| fields.get("Message")).unwrap_or_default();
        let code = response.redacted(code);
        let cause = response.redacted(&format!("{code}: {message}"));
        let (kind, fix) = self.kind_and_fix(&code, account);
        let error = Error::new(kind, format!("AWS STS refused {}", self.action)).cause(cause);
        Ok(Err(Refusal { code, error: error.fix(fix) }))
    }

    fn kind_and_fix(&self, code: &str, account: &Account) -> (Kind, String) {
        let skew = account.cx.skew().filter(|skew| skew.abs() > TOLERATED_SKEW);
        if let Some(skew) = skew {
            return (Kind::Configuration, wrong_clock(skew));
        }
        match code {
            "ExpiredToken" | "ExpiredTokenException" => (
                Kind::Expired,
                "the credentials are over: renew them where they come from".to_owned(),
            ),
            "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "IDPCommunicationError" => (Kind::Unreachable, "try again later".to_owned()),
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature" => {
                (Kind::Denied, "check the access key and its secret, and their account".to_owned())
            }
            "AccessDenied" | "AccessDeniedException" => {
                (Kind::Denied, format!("allow it in IAM: {}", statement(self.action)))
            }
            _ => (Kind::Denied, format!("check {}", self.option)),
        }
    }
}

impl Refusal {
    fn unknown() -> Refusal {
        let error = Error::new(Kind::Protocol, "AWS STS refused without a reason");
        Refusal { code: String::new(), error }
    }
}

/// The statement that allows an action, for a policy.
fn statement(action: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"sts:{action}","Resource":"*"}}"#)
}

/// The text elements of an answer, by name.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Secret)>);

impl Fields {
    fn parse(body: &[u8]) -> Option<Fields> {
        let text = str::from_utf8(body).ok()?;
        let document = Document::parse(text).ok()?;
        let leaves =
            document.descendants().filter(|node| node.is_element() && node.text().is_some());
        let field = |node: roxmltree::Node| {
            (node.tag_name().name().to_owned(), Secret::new(node.text().unwrap_or_default().trim()))
        };
        Some(Fields(leaves.map(field).collect()))
    }

    /// The text of the first element of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, text)| text.expose())
    }

    /// The same, demanded.
    ///
    /// # Errors
    /// `PROTOCOL` where it is missing or empty.
    pub(super) fn required(&self, name: &str, action: &str) -> Result<&str, Error> {
        self.get(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            Error::new(Kind::Protocol, format!("the answer to {action} of AWS STS has no {name}"))
                .fix("check that the endpoint is an AWS STS")
        })
    }
}
