//! The credential helper of Bazel and of other build tools: access tokens for Google Cloud APIs,
//! such as Cloud Storage and remote execution, and for Artifact Registry.
//!
//! `get` reads `{"uri": …}` from standard input and prints the headers of a request to that URI,
//! and the time at which to ask again. Unknown members are ignored. For a URI without credentials,
//! the helper prints no headers: the specification recommends an error, but an error fails the
//! build, even if the server requires no credentials. Bazel shows standard error if the status is
//! not 0.
//! <https://github.com/EngFlow/credential-helper-spec/blob/main/spec.md>

use serde_json::{Value, json};

use super::{AllowHost, Call, HelperInfo, Scope, ask_again_at, input};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::MIN_LIFE;
use crate::http::Url;
use crate::time::rfc3339;

/// The hosts of Google Cloud APIs and of Artifact Registry.
const HOSTS: &[&str] = &["*.googleapis.com", "*.pkg.dev"];

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "bazel",
    also: &[],
    summary: "Bazel: authenticate to Google Cloud APIs and caches",
    words: "get",
    options: &[Scope::TABLE, AllowHost::TABLE],
    program: "bazel-credential-",
    stanza: "\
add to .bazelrc, with one line for each host pattern:
  common --credential_helper=*.googleapis.com=bazel-credential-wif-token
  common --credential_helper=*.pkg.dev=bazel-credential-wif-token
Bazel passes only the argument get, so link the program under this name:
  ln -s \"$(command -v wif-token)\" ~/.local/bin/bazel-credential-wif-token",
    failure: FailureForm::MESSAGE,
    run,
};

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    let hosts = call.hosts(HOSTS)?;
    call.action(&INFO, &["get"])?;
    let uri = uri(&input::read()?)?;
    if !hosts.permit(Url::parse(&uri).ok().as_ref(), &cx.log) {
        return Ok(format!("{}\n", json!({ "headers": {} })).into());
    }
    let token = call.access_token(MIN_LIFE, cx)?;
    let credentials = json!({
        "headers": { "Authorization": [format!("Bearer {}", token.text.expose())] },
        "expires": rfc3339(ask_again_at(&token, cx)),
    });
    Ok(format!("{credentials}\n").into())
}

/// The URI in a request.
pub(super) fn uri(request: &str) -> Result<String, Error> {
    let request: Option<Value> = serde_json::from_str(request).ok();
    let uri = request.as_ref().and_then(|request| request.get("uri")?.as_str());
    uri.map(str::to_owned).ok_or_else(|| {
        Error::new(Kind::Usage, r#"standard input is not a JSON object with a string member "uri""#)
            .fix(r#"write a request such as {"uri": "https://storage.googleapis.com/"}"#)
    })
}
