//! The credential helper of git: access tokens for Google's git servers.
//!
//! Git writes `key=value` lines up to an empty line, and expects the response in the same form. For
//! a host without credentials, the helper prints nothing, so that git runs the next helper. An
//! unknown action is ignored. After a server has refused a credential, git runs the action `erase`.
//! Git 2.46 and later announces the capability `authtype` and can send the token as a bearer token;
//! older versions get the token as a password.
//! <https://git-scm.com/docs/gitcredentials>

use super::{AllowHost, Call, HelperInfo, Scope, ask_again_at, host, input};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::{AccessToken, MIN_LIFE};
use crate::http::Url;

/// The hosts of Google's git servers: Cloud Source Repositories, Secure Source Manager, Developer
/// Connect, and the servers of Gerrit.
const HOSTS: &[&str] = &[
    "source.developers.google.com",
    "googlesource.com",
    "*.googlesource.com",
    "*.sourcemanager.dev",
    "*.developerconnect.dev",
    "*.blueoryx.dev",
];

/// The user name for an access token. `googlesource.com` requires a name that begins with `git-`,
/// and the other servers accept any name.
const USER: &str = "git-account";

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "git",
    also: &[],
    summary: "clone, fetch and push with git to Google's git servers",
    words: "get|store|erase",
    options: &[Scope::TABLE, AllowHost::TABLE],
    program: "git-credential-",
    stanza: "\
add to ~/.gitconfig:
  [credential \"https://source.developers.google.com\"]
      helper =
      helper = wif-token
git starts git-credential-wif-token, which the packages install.",
    failure: FailureForm::MESSAGE,
    run,
};

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    let hosts = call.hosts(HOSTS)?;
    match call.words.first().map(String::as_str) {
        None => Err(call.wrong_words(&INFO)),
        Some("get") => {
            let input = input::read_lossy()?;
            let request = Request::parse(&input)?;
            match hosts.permit(request.server()?.as_ref(), &cx.log) {
                true => {
                    let token = call.access_token(MIN_LIFE, cx)?;
                    Ok(request.answer(&token, ask_again_at(&token, cx)).into())
                }
                false => Ok(String::new().into()),
            }
        }
        Some("store") => input::read_lossy().map(|_| String::new().into()),
        Some("erase") => {
            let input = input::read_lossy()?;
            let request = Request::parse(&input)?;
            let refused = request.value("password").or(request.value("credential"));
            // A user who runs `git credential reject` usually does not type the token, so the host
            // decides.
            if refused.is_some() || hosts.permit(request.server()?.as_ref(), &cx.log) {
                call.forget(refused, cx);
            }
            Ok(String::new().into())
        }
        Some(_) => Ok(String::new().into()), // a later version of git may have more actions
    }
}

/// The attributes in a request, in order.
struct Request<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Request<'a> {
    fn parse(text: &'a str) -> Result<Request<'a>, Error> {
        let lines = text.split('\n').take_while(|line| !line.is_empty());
        // A line break inside a value would begin an attribute for another host (CVE-2020-5260).
        let parsed =
            lines.map(|line| line.split_once('=').filter(|_| !line.contains(['\r', '\0'])));
        let wrong_line = || wrong("has a line that is not NAME=VALUE");
        let attributes: Vec<_> = parsed.collect::<Option<_>>().ok_or_else(wrong_line)?;
        // The other values may come from a server.
        let is_of_url = |name| ["protocol", "host", "path", "username"].contains(&name);
        match attributes
            .iter()
            .find(|(name, value)| is_of_url(name) && value.contains(char::is_control))
        {
            Some((name, _)) => Err(wrong(&format!("has a control character in {name}"))),
            None => Ok(Request(attributes)),
        }
    }

    /// The value of an attribute. A later value replaces an earlier one.
    fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// The values of an attribute, the last one first.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().rev().filter(move |(key, _)| *key == name);
        named.map(|(_, value)| *value)
    }

    /// The server that requires credentials; `None` if it is not reached through https, or if its
    /// name is not valid.
    fn server(&self) -> Result<Option<Url>, Error> {
        match self.value("protocol").ok_or_else(|| wrong("does not name a protocol"))? {
            "https" => match self.value("host") {
                None | Some("") => Err(wrong("does not name a host")),
                Some(server) => Ok(host::url_of(server)),
            },
            _ => Ok(None),
        }
    }

    /// Whether git can send a bearer token, and the server does not require something else.
    fn takes_bearer(&self) -> bool {
        // An empty value clears the list.
        let list = |name| self.values(name).take_while(|value| !value.is_empty());
        // A quoted string, such as a realm, may contain the word too.
        let is_bearer = |challenge: &str| {
            let mut words = challenge.split('"').step_by(2).flat_map(|part| part.split([' ', ',']));
            words.any(|word| word.eq_ignore_ascii_case("bearer"))
        };
        list("capability[]").any(|capability| capability == "authtype")
            && (list("wwwauth[]").next().is_none() || list("wwwauth[]").any(is_bearer))
    }

    fn answer(&self, token: &AccessToken, expiry: i64) -> String {
        let text = token.text.expose();
        let credential = match self.takes_bearer() {
            true => format!("capability[]=authtype\nauthtype=Bearer\ncredential={text}\n"),
            false => format!("username={USER}\npassword={text}\n"),
        };
        format!("{credential}password_expiry_utc={expiry}\n")
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("the request on standard input {what}"))
        .fix("configure git to run wif-token, or test the helper with git credential fill")
}

/// The server of a request, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(super) fn server(text: &str) -> Result<Option<Url>, Error> {
    let request = Request::parse(text)?;
    request.takes_bearer();
    request.server()
}
