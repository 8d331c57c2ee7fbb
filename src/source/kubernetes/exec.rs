//! The exec plugin of a user: a program that is told the cluster in `KUBERNETES_EXEC_INFO` and prints
//! an `ExecCredential` with a token or a client certificate.
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>

use std::ffi::OsString;
use std::path::MAIN_SEPARATOR;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::access::Credentials;
use super::entry::Entry;
use crate::context::Context;
use crate::error::{Error, Kind, redacted};
use crate::http::ClientCert;
use crate::program::Program;
use crate::secret::Secret;

/// The versions that kubectl still knows.
const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// The name of the extension of a cluster that is passed on to plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Runs the plugin and reads what it prints.
pub(super) fn credentials(
    plugin: &Entry,
    cluster: &Entry,
    cx: &Context,
) -> Result<Credentials, Error> {
    let version = plugin.required("apiVersion")?;
    if !VERSIONS.contains(&version) {
        return Err(plugin
            .wrong(format!("has another apiVersion than {}", VERSIONS.join(" or ")))
            .fix("renew the plugin and its part of the kubeconfig"));
    }
    if plugin.text("interactiveMode")? == Some("Always") {
        return Err(plugin
            .wrong("wants a person at a terminal (interactiveMode: Always)")
            .fix("nobody can be asked here: take the context of another user"));
    }
    let program = program(plugin, cluster, version)?;
    let output = program.output(cx).map_err(|error| match plugin.text("installHint") {
        Ok(Some(fix)) if error.kind() == Kind::Absent => error.fix(redacted(fix, &[])),
        _ => error,
    })?;
    read(&output, version, plugin)
}

fn program(plugin: &Entry, cluster: &Entry, version: &str) -> Result<Program, Error> {
    let command = plugin.required("command")?;
    let name: OsString = match command.contains(['/', MAIN_SEPARATOR]) {
        true => plugin.resolve(command).into(),
        false => command.into(), // looked up in PATH
    };
    let args = plugin.get("args").and_then(Value::as_array).into_iter().flatten();
    let args = args.map(|arg| arg.as_str().map(OsString::from)).collect::<Option<Vec<_>>>();
    let args = args.ok_or_else(|| plugin.wrong("has args that are no text").fix("quote them"))?;
    let spec = match plugin.is_true("provideClusterInfo") {
        true => json!({"interactive": false, "cluster": cluster_info(cluster)?}),
        false => json!({"interactive": false}),
    };
    let info = json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec});
    let variables = plugin.get("env").and_then(Value::as_array).into_iter().flatten();
    let mut variables: Vec<(String, OsString)> = variables
        .filter_map(|variable| {
            let text = |key| variable.get(key).and_then(Value::as_str).map(str::to_owned);
            Some((text("name")?, text("value")?.into()))
        })
        .collect();
    variables.push(("KUBERNETES_EXEC_INFO".to_owned(), info.to_string().into()));
    Ok(Program { name, args, variables, place: plugin.place() })
}

/// What a plugin may know of the cluster, with the extension that is meant for it.
fn cluster_info(cluster: &Entry) -> Result<Value, Error> {
    let mut info = Map::new();
    for key in ["server", "tls-server-name", "proxy-url"] {
        if let Some(text) = cluster.text(key)? {
            info.insert(key.to_owned(), text.into());
        }
    }
    if let Some((pem, _)) = cluster.pem("certificate-authority")? {
        let data = STANDARD.encode(pem.expose());
        info.insert("certificate-authority-data".to_owned(), data.into());
    }
    let extensions = cluster.get("extensions").and_then(Value::as_array).into_iter().flatten();
    let ours = |extension: &&Value| extension.get("name") == Some(&EXTENSION.into());
    if let Some(config) = extensions.filter(ours).find_map(|found| found.get("extension")) {
        info.insert("config".to_owned(), config.clone());
    }
    Ok(info.into())
}

fn read(output: &Secret, version: &str, plugin: &Entry) -> Result<Credentials, Error> {
    let wrong = |why: String| {
        Error::new(Kind::Protocol, format!("the output of {} {why}", plugin.place()))
            .fix("run the plugin by hand, or renew it")
    };
    let answer: Value =
        serde_json::from_str(output.expose()).map_err(|_| wrong("is no JSON".to_owned()))?;
    let is = |key, value| answer.get(key).and_then(Value::as_str) == Some(value);
    if !is("kind", "ExecCredential") || !is("apiVersion", version) {
        return Err(wrong(format!("is no ExecCredential of {version}")));
    }
    let status = |key| answer.get("status")?.get(key)?.as_str().filter(|text| !text.is_empty());
    let bearer = status("token").map(Secret::new);
    let client_cert = match (status("clientCertificateData"), status("clientKeyData")) {
        (Some(chain), Some(key)) => {
            let place = format!("the output of {}", plugin.place());
            Some(ClientCert::new(&Secret::new(chain), &Secret::new(key), &place)?)
        }
        (None, None) if bearer.is_some() => None,
        _ => return Err(wrong("has neither a token nor a whole client certificate".to_owned())),
    };
    Ok(Credentials { bearer, client_cert })
}
