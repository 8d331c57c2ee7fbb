//! Calls to the AWS Security Token Service (AWS STS) with its Query API.
//!
//! A call is an HTTP POST of form fields, signed or unsigned. The response is XML. An error
//! response contains an `Error` element with a `Code` and a `Message`.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use aws_credential_types::Credentials;

use super::account::Account;
use super::endpoint;
use super::sign::{self, SigningRequest};
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, form, wrong_clock};
use crate::secret::Secret;
use crate::token::xml;

/// The version of the API.
pub(super) const VERSION: &str = "2011-06-15";

/// The fix for a response that is not from AWS STS.
const CHECK_ENDPOINT: &str =
    "check --sts-endpoint, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL and endpoint_url in the profile";

/// How many seconds the clock of this host may differ before AWS refuses a signature.
const TOLERATED_SKEW: i64 = 5 * 60;

/// One call.
pub(super) struct Call<'a> {
    pub(super) action: &'a str,
    pub(super) fields: Vec<(String, String)>,
    /// The credentials to sign with; `None` if a field authenticates the caller.
    pub(super) credentials: Option<&'a Credentials>,
    /// The region of the endpoint; `None` for the global endpoint.
    pub(super) region: Option<&'a str>,
    /// The option or setting that caused the call, for messages.
    pub(super) option: &'static str,
}

/// An error response of AWS STS.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    /// The `Code`, such as `AccessDenied`; empty if the response has none.
    pub(super) code: String,
    pub(super) error: Error,
}

/// The result of a call. The inner error is an error response of AWS STS; the outer error is any
/// other failure.
pub(super) type CallResult = Result<Result<Fields, ErrorResponse>, Error>;

impl Call<'_> {
    /// Sends the call.
    pub(super) fn send(&self, account: &Account) -> CallResult {
        let (url, setting) = self.endpoint(account)?;
        let action = [("Action", self.action), ("Version", VERSION)];
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = Secret::new(form::encode(action.into_iter().chain(fields)));
        let mut post = http::Request::post(&url, setting)
            .header("content-type", form::CONTENT_TYPE)
            .body(body.clone());
        let is_secret = |name: &str| matches!(name, "WebIdentityToken" | "ExternalId");
        for (_, value) in self.fields.iter().filter(|(name, _)| is_secret(name)) {
            post = post.hiding(Secret::new(value.as_str()));
        }
        if let Some(credentials) = self.credentials {
            for (name, value) in self.signature(&url, body.expose(), credentials, account)? {
                post = post.header(name, Secret::new(value));
            }
        }
        self.read(account.cx.send(post)?, account)
    }

    /// The endpoint, and the setting that names it or the region.
    fn endpoint(&self, account: &Account) -> Result<(Url, &'static str), Error> {
        match self.region {
            Some(region) => account.sts_endpoint(region),
            None => match account.configured_endpoint("sts")? {
                Some(configured) => Ok(configured),
                None => Ok((endpoint::public("sts.amazonaws.com")?, "AWS_REGION")),
            },
        }
    }

    fn signature(
        &self,
        url: &Url,
        body: &str,
        credentials: &Credentials,
        account: &Account,
    ) -> Result<Vec<(String, String)>, Error> {
        let request = SigningRequest {
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

    fn read(&self, response: Response, account: &Account) -> CallResult {
        let fields = Fields::parse(&response.body);
        if (200..300).contains(&response.status) {
            return fields.map(Ok).ok_or_else(|| {
                let what = format!("the response from AWS STS to {} is not XML", self.action);
                Error::new(Kind::Protocol, what).fix(CHECK_ENDPOINT)
            });
        }
        let Some(code) = fields.as_ref().and_then(|fields| fields.get("Code")) else {
            return response.require_success().map(|_| Err(ErrorResponse::without_code()));
        };
        let code = response.redacted(code);
        let message = fields.as_ref().and_then(|fields| fields.get("Message")).unwrap_or_default();
        let (kind, fix) = self.kind_and_fix(&code, account);
        let error = Error::new(kind, format!("AWS STS refused {} ({code})", self.action));
        let error = match message {
            "" => error,
            message => error.cause(response.redacted(message)),
        };
        Ok(Err(ErrorResponse { code, error: error.fix(fix) }))
    }

    fn kind_and_fix(&self, code: &str, account: &Account) -> (Kind, String) {
        let skew = account.cx.skew().filter(|skew| skew.abs() > TOLERATED_SKEW);
        if let Some(skew) = skew {
            return (Kind::Configuration, wrong_clock(skew));
        }
        match code {
            "ExpiredToken" | "ExpiredTokenException" => (Kind::Expired, self.renewal()),
            "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "IDPCommunicationError" => (Kind::Unreachable, "try again later".to_owned()),
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature" => (
                Kind::Denied,
                "check the access key ID, the secret access key and the session token".to_owned(),
            ),
            "AccessDenied" | "AccessDeniedException" => {
                let statement = policy_statement(self.action);
                (Kind::Denied, format!("attach an IAM policy with {statement} to the caller"))
            }
            _ => (Kind::Denied, format!("check {}", self.option)),
        }
    }

    /// How to renew what authenticates the caller.
    fn renewal(&self) -> String {
        match self.credentials {
            Some(_) => "renew the AWS credentials, for example with aws sso login".to_owned(),
            None => {
                format!("check the program that writes the token file named by {}", self.option)
            }
        }
    }
}

impl ErrorResponse {
    fn without_code() -> ErrorResponse {
        let error = Error::new(Kind::Protocol, "AWS STS returned an error without a code");
        ErrorResponse { code: String::new(), error }
    }
}

/// An IAM policy statement that allows an action of AWS STS.
fn policy_statement(action: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"sts:{action}","Resource":"*"}}"#)
}

/// The text elements of a response, by name.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Secret)>);

impl Fields {
    fn parse(body: &[u8]) -> Option<Fields> {
        let text = str::from_utf8(body).ok()?;
        let document = xml::parse(text)?;
        let elements =
            document.descendants().filter(|node| node.is_element() && node.text().is_some());
        let field = |node: roxmltree::Node| {
            (node.tag_name().name().to_owned(), Secret::new(node.text().unwrap_or_default().trim()))
        };
        Some(Fields(elements.map(field).collect()))
    }

    /// The text of the first element with this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, text)| text.expose())
    }

    /// The text of the first element with this name, in the response to `action`.
    ///
    /// # Errors
    /// `PROTOCOL` if the element is missing or empty.
    pub(super) fn required(&self, name: &str, action: &str) -> Result<&str, Error> {
        self.get(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let what = format!("the response from AWS STS to {action} has no {name}");
            Error::new(Kind::Protocol, what).fix(CHECK_ENDPOINT)
        })
    }
}
