//! The program `keyring` of pip, uv, pdm and others: access tokens for Python repositories in
//! Artifact Registry.
//!
//! The tools run `keyring get SERVICE [USER]`, where the service is first the URL of the index and
//! then only its host. `--mode=creds` requests the user name too. For a service without a password,
//! the helper prints nothing and exits with a status other than 0.
//! <https://github.com/jaraco/keyring#command-line-utility>

use serde_json::json;

use super::{AllowHost, Call, HelperInfo, Scope, host};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::Error;
use crate::google::access_token::MIN_LIFE;

/// The hosts of Artifact Registry.
const HOSTS: &[&str] = &["*.pkg.dev"];

/// The user name for an access token.
/// <https://cloud.google.com/artifact-registry/docs/python/authentication>
const USER: &str = "oauth2accesstoken";

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "keyring",
    also: &["pip", "uv", "pdm"],
    summary: "install packages from Artifact Registry with pip and uv",
    words: "get URL [USER]",
    options: &[Options::TABLE, Scope::TABLE, AllowHost::TABLE],
    program: "keyring",
    stanza: "\
link the program as keyring in a directory in PATH:
  ln -s \"$(command -v wif-token)\" ~/.local/bin/keyring
pip and uv:
  url=oauth2accesstoken@europe-python.pkg.dev/my-project/my-repo/simple/
  pip config set global.keyring-provider subprocess
  pip config set global.index-url \"https://$url\"
  export UV_KEYRING_PROVIDER=subprocess UV_DEFAULT_INDEX=\"https://$url\"",
    failure: FailureForm::MESSAGE,
    run,
};

choices! {
    /// What is printed.
    enum Mode {
        /// Only the password.
        Password = "password",
        /// The user name and the password.
        Creds = "creds",
    }
}

choices! {
    /// The format of the output.
    enum Form {
        /// A line for each value.
        Plain = "plain",
        /// A JSON object.
        Json = "json",
    }
}

options! {
    /// Options of `keyring`.
    struct Options {
        /// print the password (default), or the user name and the password
        mode: Option<Mode> = "--mode",
        /// print a line for each value (default), or a JSON object
        output: Option<Form> = "--output",
    }
}

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    let hosts = call.hosts(HOSTS)?;
    let Options { mode, output } = Options::read(&call.values)?;
    let service = match call.words.as_slice() {
        [action, service] | [action, service, _] if action == "get" => service,
        _ => return Err(call.wrong_words(&INFO)),
    };
    if !hosts.permit(host::url(service, false).as_ref(), &cx.log) {
        return Ok(Output { text: String::new(), status: 1 });
    }
    let token = call.access_token(MIN_LIFE, cx)?;
    let password = token.text.expose();
    let text = match (mode.unwrap_or(Mode::Password), output.unwrap_or(Form::Plain)) {
        (Mode::Password, Form::Plain) => password.to_owned(),
        (Mode::Password, Form::Json) => json!({ "password": password }).to_string(),
        (Mode::Creds, Form::Plain) => format!("{USER}\n{password}"),
        (Mode::Creds, Form::Json) => json!({ "username": USER, "password": password }).to_string(),
    };
    Ok((text + "\n").into())
}
