//! A person signs in, in a browser of any device.
//!
//! The issuer gives a code and an address. Both are shown on the terminal and nowhere else; no
//! browser is started. While the person opens the address, signs in and enters or compares the code,
//! the token endpoint is asked at the interval that the issuer names, less often when it says
//! `slow_down` or has trouble. <https://www.rfc-editor.org/rfc/rfc8628#section-3>

use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{Client, Issuer};
use crate::error::{Error, Kind, one_line};
use crate::http::{Response, Text, Url};
use crate::secret::Secret;
use crate::terminal::Terminal;

/// The grant, in words.
const GRANT: &str = "device authorization";

/// What to do where a person is needed.
pub(super) const BY_HAND: &str = "run gcloud auth login --cred-file=FILE in a terminal, or this \
                                  command with GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1";

/// The pause between two questions where the issuer names none, and what `slow_down` adds to it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Trouble doubles the pause, up to this.
const LONGEST: Duration = Duration::from_secs(30);

/// The answer of the token endpoint once a person has signed in.
///
/// # Errors
/// `ABSENT` where there is no terminal, `CONFIGURATION` where the issuer does not offer this, `DENIED`
/// where the sign-in was declined, `EXPIRED` where nobody signed in.
pub(super) fn sign_in(client: &Client, issuer: &Issuer) -> Result<Map<String, Value>, Error> {
    let no_terminal = |error| {
        let what = "there is no terminal to ask a person at";
        Error::new(Kind::Absent, what).cause(error).fix(BY_HAND)
    };
    let mut terminal = Terminal::open().map_err(no_terminal)?;
    let endpoint = issuer.endpoint("device_authorization_endpoint")?.ok_or_else(|| {
        let what = format!("{} names no device_authorization_endpoint", client.issuer);
        Error::new(Kind::Configuration, what)
            .fix("turn the device authorization grant on at the issuer, or check --issuer")
    })?;
    let scope: Option<(&str, Text)> = client.scope.as_deref().map(|scope| ("scope", scope.into()));
    let response = issuer.ask(&endpoint, scope.as_slice())?;
    let code = Code::read(&issuer.accept(response, GRANT)?, &endpoint)?;
    terminal.show(&code.instructions()).map_err(no_terminal)?;
    code.wait_for_person(issuer)
}

/// What the issuer gives for the device and for the person.
#[derive(Debug)]
struct Code {
    device_code: Secret,
    user_code: Secret,
    verification_uri: String,
    /// The same with the code in it.
    verification_uri_complete: Option<String>,
    interval: Duration,
}

impl Code {
    fn read(response: &Response, endpoint: &Url) -> Result<Code, Error> {
        let answer = response.json()?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| {
            text(name).ok_or_else(|| {
                Error::new(Kind::Protocol, format!("the answer of {endpoint} has no {name}"))
                    .fix("check --issuer: RFC 8628 section 3.2 demands one")
            })
        };
        let interval = answer.get("interval").and_then(Value::as_u64).map(Duration::from_secs);
        Ok(Code {
            device_code: Secret::new(required("device_code")?),
            user_code: Secret::new(required("user_code")?),
            verification_uri: required("verification_uri")?,
            verification_uri_complete: text("verification_uri_complete"),
            interval: interval.unwrap_or(INTERVAL).max(Duration::from_secs(1)),
        })
    }

    /// What the person reads; the issuer has no say in how the terminal looks.
    fn instructions(&self) -> String {
        let code = one_line(self.user_code.expose());
        let (uri, what) = match &self.verification_uri_complete {
            Some(uri) => (uri, "check that it shows the code"),
            None => (&self.verification_uri, "enter the code"),
        };
        format!("To sign in, open\n\n    {}\n\nand {what} {code}\n\n", one_line(uri))
    }

    fn wait_for_person(&self, issuer: &Issuer) -> Result<Map<String, Value>, Error> {
        let endpoint = issuer.token_endpoint()?;
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".into()),
            ("device_code", self.device_code.clone().into()),
        ];
        let mut interval = self.interval;
        let mut trouble = None;
        while interval < issuer.cx.deadline.remaining() {
            thread::sleep(interval);
            let post = issuer.post(&endpoint, &fields)?.hiding(self.user_code.clone());
            let response = issuer.send(post);
            let refusal = response.as_ref().ok().and_then(Response::oauth_error);
            trouble = match (refusal.as_deref(), response) {
                (Some("authorization_pending"), _) => None,
                (Some("slow_down"), _) => {
                    interval += INTERVAL;
                    None
                }
                (Some("access_denied"), Ok(response)) => return Err(declined(&response)),
                // The second is what some issuers say of a code that they have forgotten.
                (Some("expired_token" | "invalid_grant"), _) => return Err(too_late()),
                (_, response) => match response.and_then(|found| issuer.accept(found, GRANT)) {
                    Err(error) if error.kind() == Kind::Unreachable => {
                        interval = (interval * 2).min(LONGEST.max(interval));
                        Some(error)
                    }
                    response => return response?.json(),
                },
            };
        }
        Err(trouble.unwrap_or_else(|| {
            too_late().fix(
                "sign in again; if the time is too short, \
                 raise --timeout and the executable's interactive_timeout_millis",
            )
        }))
    }
}

fn declined(response: &Response) -> Error {
    Error::new(Kind::Denied, "the sign-in was declined")
        .cause(response.error_text().unwrap_or_default())
        .fix("sign in again and allow it, or ask who administers the issuer")
}

fn too_late() -> Error {
    Error::new(Kind::Expired, "nobody signed in in time").fix("sign in again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_has_no_say_in_how_the_terminal_looks() {
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
             and check that it shows the code AB [2J-CD\n\n"
        );
    }
}
