//! The sign-in of a user with a browser on any device.
//!
//! The device authorization endpoint returns a code and a URL. They are shown on the terminal and
//! nowhere else; no browser is started. The user opens the URL, signs in, and enters or compares
//! the code. In the meantime, the token endpoint is polled at the interval that the issuer
//! specifies, and less often after `slow_down` or an error.
//! <https://www.rfc-editor.org/rfc/rfc8628#section-3>

use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{Client, Issuer};
use crate::error::{Error, Kind, one_line};
use crate::http::{Response, Text, Url};
use crate::secret::Secret;
use crate::terminal::Terminal;

/// The name of the grant, for messages.
const GRANT: &str = "device authorization";

/// The fix if a user must sign in.
pub(super) const HOW_TO_SIGN_IN: &str = "run gcloud auth login --cred-file=FILE in a terminal, \
                                         or run wif-token oidc with the same options and \
                                         GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1";

/// The default polling interval, and the increase after `slow_down` (RFC 8628, section 3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// The maximum interval after errors. Each error doubles the interval up to this value.
const MAX_INTERVAL: Duration = Duration::from_secs(30);

/// Asks the user to sign in, and returns the response of the token endpoint.
///
/// # Errors
/// `ABSENT` without a terminal, `CONFIGURATION` if the issuer does not support the grant, `DENIED`
/// if the user or the issuer declines the sign-in, `EXPIRED` if no user signs in in time.
pub(super) fn sign_in(client: &Client, issuer: &Issuer) -> Result<Map<String, Value>, Error> {
    let no_terminal = |error| {
        let what = "cannot ask a user to sign in without a terminal";
        Error::new(Kind::Absent, what).cause(error).fix(HOW_TO_SIGN_IN)
    };
    let mut terminal = Terminal::open().map_err(no_terminal)?;
    let endpoint = issuer.endpoint("device_authorization_endpoint")?.ok_or_else(|| {
        let what =
            format!("the metadata of {} has no device_authorization_endpoint", client.issuer);
        Error::new(Kind::Configuration, what)
            .fix("enable the device authorization grant at the issuer, or check --issuer")
    })?;
    let scope: Option<(&str, Text)> = client.scope.as_deref().map(|scope| ("scope", scope.into()));
    let response = issuer.request(&endpoint, scope.as_slice())?;
    let code = Code::read(&issuer.require_success(response, GRANT)?, &endpoint)?;
    terminal.show(&code.instructions()).map_err(no_terminal)?;
    code.wait_for_user(issuer)
}

/// The device authorization response (RFC 8628, section 3.2).
#[derive(Debug)]
struct Code {
    device_code: Secret,
    user_code: Secret,
    verification_uri: String,
    /// The URL that already contains the user code.
    verification_uri_complete: Option<String>,
    interval: Duration,
}

impl Code {
    fn read(response: &Response, endpoint: &Url) -> Result<Code, Error> {
        let members = response.json()?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| {
            text(name).ok_or_else(|| {
                Error::new(Kind::Protocol, format!("the response from {endpoint} has no {name}"))
                    .fix("check --issuer")
            })
        };
        let interval = members.get("interval").and_then(Value::as_u64).map(Duration::from_secs);
        Ok(Code {
            device_code: Secret::new(required("device_code")?),
            user_code: Secret::new(required("user_code")?),
            verification_uri: required("verification_uri")?,
            verification_uri_complete: text("verification_uri_complete"),
            interval: interval.unwrap_or(INTERVAL).max(Duration::from_secs(1)),
        })
    }

    /// The text for the user. Control characters from the issuer are removed, because they could
    /// change what the terminal shows.
    fn instructions(&self) -> String {
        let code = one_line(self.user_code.expose());
        let (uri, what) = match &self.verification_uri_complete {
            Some(uri) => (uri, "check that the page shows the code"),
            None => (&self.verification_uri, "enter the code"),
        };
        format!("To sign in, open\n\n    {}\n\nand {what} {code}\n\n", one_line(uri))
    }

    /// Polls the token endpoint until the user has signed in.
    fn wait_for_user(&self, issuer: &Issuer) -> Result<Map<String, Value>, Error> {
        let endpoint = issuer.token_endpoint()?;
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".into()),
            ("device_code", self.device_code.clone().into()),
        ];
        let mut interval = self.interval;
        let mut last_error = None;
        while interval < issuer.cx.deadline.remaining() {
            thread::sleep(interval);
            let post = issuer.post(&endpoint, &fields)?.hiding(self.user_code.clone());
            let response = issuer.send(post);
            let oauth_error = response.as_ref().ok().and_then(Response::oauth_error);
            last_error = match (oauth_error.as_deref(), response) {
                (Some("authorization_pending"), _) => None,
                (Some("slow_down"), _) => {
                    interval += INTERVAL;
                    None
                }
                (Some("access_denied"), Ok(response)) => return Err(declined(&response)),
                // Some issuers return invalid_grant for an expired code.
                (Some("expired_token" | "invalid_grant"), _) => return Err(code_expired()),
                (_, response) => {
                    match response.and_then(|found| issuer.require_success(found, GRANT)) {
                        Err(error) if error.kind() == Kind::Unreachable => {
                            interval = (interval * 2).min(MAX_INTERVAL.max(interval));
                            Some(error)
                        }
                        response => return response?.json(),
                    }
                }
            };
        }
        Err(last_error.unwrap_or_else(|| {
            Error::new(Kind::Expired, "no user signed in before the timeout").fix(
                "run the command again and sign in, or increase --timeout and the interactive_timeout_millis of the \
                 credential configuration",
            )
        }))
    }
}

fn declined(response: &Response) -> Error {
    response.failure(Kind::Denied, "the sign-in was declined").fix(
        "run the command again and approve the request, or contact the administrator of the issuer",
    )
}

fn code_expired() -> Error {
    Error::new(Kind::Expired, "no user signed in before the code expired")
        .fix("run the command again and sign in with the new code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_cannot_control_the_terminal() {
        let mut code = Code {
            device_code: Secret::new("d"),
            user_code: Secret::new("AB\x1b[2J-CD"),
            verification_uri: "https://idp.example/device\r\n".to_owned(),
            verification_uri_complete: None,
            interval: INTERVAL,
        };
        assert_eq!(
            code.instructions(),
            "To sign in, open\n\n    https://idp.example/device  \n\nand enter the code AB [2J-CD\n\n"
        );
        code.verification_uri_complete = Some("https://idp.example/device?c=1".to_owned());
        assert_eq!(
            code.instructions(),
            "To sign in, open\n\n    https://idp.example/device?c=1\n\n\
             and check that the page shows the code AB [2J-CD\n\n"
        );
    }
}
