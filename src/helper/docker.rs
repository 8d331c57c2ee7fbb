//! The credential helper of docker, podman, buildah, skopeo and their libraries: access tokens for
//! Artifact Registry and Container Registry.
//!
//! `get` reads the server from standard input and prints a JSON object. For a server without
//! credentials, the helper prints a fixed text on standard output and exits with status 1, and the
//! tool continues without credentials. docker passes standard error on to the user and skopeo shows
//! standard output, so a failure is printed on both. `store` and `erase` succeed without storing
//! anything, so that a login and a logout do not fail.
//! <https://github.com/docker/docker-credential-helpers>

use serde_json::{Map, Value, json};

use super::{AllowHost, Call, HelperInfo, Scope, host, input};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};

/// The hosts of Artifact Registry and Container Registry.
const HOSTS: &[&str] = &["gcr.io", "*.gcr.io", "*.pkg.dev"];

/// The user name for an access token.
/// <https://cloud.google.com/artifact-registry/docs/docker/authentication#token>
const USER: &str = "oauth2accesstoken";

/// The text by which the tools recognize that there are no credentials for a server.
const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// A push can take most of the hour that a token is valid, so a token is renewed when less than this
/// remains, in seconds.
const MIN_LIFE: i64 = 55 * 60;

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "docker",
    also: &["podman", "buildah", "skopeo"],
    summary: "log in to Artifact Registry with docker, podman, buildah and skopeo",
    words: "get|list|store|erase",
    options: &[Scope::TABLE, AllowHost::TABLE],
    program: "docker-credential-",
    stanza: "\
add to ~/.docker/config.json, with one entry for each registry:
  {\"credHelpers\": {\"europe-docker.pkg.dev\": \"wif-token\"}}
docker starts docker-credential-wif-token, which the packages install.
To set options, write a script docker-credential-NAME, and use the value NAME:
  #!/bin/sh
  exec wif-token helper docker --credentials=FILE \"$@\"",
    failure: FailureForm {
        output: |error, _| format!("{error}\n"),
        status: Some(1),
        ..FailureForm::MESSAGE
    },
    run,
};

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    let hosts = call.hosts(HOSTS)?;
    match call.action(&INFO, &["get", "list", "store", "erase"])? {
        "get" => {
            let server = input::read()?;
            let server = server.trim();
            if server.is_empty() {
                let what = "standard input does not contain the address of a registry";
                let fix = "run echo europe-docker.pkg.dev | wif-token helper docker get";
                return Err(Error::new(Kind::Usage, what).fix(fix));
            }
            if !hosts.permit(host::url(server, true).as_ref(), &cx.log) {
                return Ok(Output { text: NOT_FOUND.to_owned(), status: 1 });
            }
            let token = call.access_token(MIN_LIFE, cx)?;
            let credentials =
                json!({ "ServerURL": server, "Username": USER, "Secret": token.text.expose() });
            Ok(format!("{credentials}\n").into())
        }
        "list" => {
            let fixed = HOSTS.iter().copied().filter(|host| !host.starts_with('*'));
            let known = fixed.chain(hosts.allowed().iter().map(String::as_str));
            let url = |host: &str| match host.contains(':') && !host.starts_with('[') {
                true => format!("https://[{host}]"),
                false => format!("https://{host}"),
            };
            let servers: Map<String, Value> = known.map(|host| (url(host), USER.into())).collect();
            Ok(format!("{}\n", Value::from(servers)).into())
        }
        _ => input::read().map(|_| String::new().into()),
    }
}
