//! The exec plugin of a user in a kubeconfig: a program that prints credentials.
//!
//! The program gets an `ExecCredential` object with the cluster in the variable
//! `KUBERNETES_EXEC_INFO`. It prints an `ExecCredential` object with a token or a client
//! certificate.
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

/// The API versions that kubectl supports.
pub(super) const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// The name of the cluster extension that is passed to plugins.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Runs the plugin and reads its output.
///
/// # Errors
/// `CONFIGURATION` if the kubeconfig is wrong, `PROTOCOL` if the output contains no credentials;
/// otherwise as for [`Program::output`].
pub(super) fn credentials(
    plugin: &Entry,
    cluster: &Entry,
    cx: &Context,
) -> Result<Credentials, Error> {
    let version = plugin.required("apiVersion")?;
    if !VERSIONS.contains(&version) {
        return Err(plugin
            .error("has an apiVersion that is not supported")
            .fix(format!("update the plugin, and set apiVersion to {}", VERSIONS.join(" or "))));
    }
    if plugin.text("interactiveMode")? == Some("Always") {
        return Err(plugin
            .error("requires a terminal (interactiveMode: Always), which wif-token cannot provide")
            .fix("set --context to a context with a different user"));
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
        false => command.into(), // found in PATH
    };
    let args = plugin.list("args")?.iter().map(|arg| arg.as_str().map(OsString::from));
    let args = args.collect::<Option<Vec<_>>>().ok_or_else(|| {
        plugin
            .error("has an argument that is not a string")
            .fix("put each value of args in quotation marks")
    })?;
    let spec = match plugin.is_true("provideClusterInfo")? {
        true => json!({"interactive": false, "cluster": cluster_info(cluster)?}),
        false => json!({"interactive": false}),
    };
    let info = json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec});
    let variables = plugin.list("env")?.iter().map(variable);
    let mut variables = variables.collect::<Option<Vec<_>>>().ok_or_else(|| {
        plugin
            .error("has a variable in env without a name or with a value that is not a string")
            .fix("set name, and put each value of env in quotation marks")
    })?;
    variables.push(("KUBERNETES_EXEC_INFO".to_owned(), info.to_string().into()));
    Ok(Program { name, args, variables, place: plugin.place() })
}

/// Reads the name and the value of a variable for the plugin. A missing value is the same as an
/// empty one.
fn variable(variable: &Value) -> Option<(String, OsString)> {
    let name = variable.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let value = match variable.get("value") {
        None | Some(Value::Null) => "",
        Some(value) => value.as_str()?,
    };
    Some((name.to_owned(), value.into()))
}

/// Creates the description of the cluster for the plugin, with the cluster extension for plugins.
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
    let extensions = cluster.list("extensions")?.iter();
    let is_for_plugins = |extension: &&Value| extension.get("name") == Some(&EXTENSION.into());
    if let Some(config) = extensions.filter(is_for_plugins).find_map(|found| found.get("extension"))
    {
        info.insert("config".to_owned(), config.clone());
    }
    Ok(info.into())
}

/// Reads the credentials in the output of the plugin.
pub(super) fn read(output: &Secret, version: &str, plugin: &Entry) -> Result<Credentials, Error> {
    let wrong = |why: String| {
        Error::new(Kind::Protocol, format!("the output of {} {why}", plugin.place()))
            .fix("run the plugin by hand to see its output, or update the plugin")
    };
    let object: Value =
        serde_json::from_str(output.expose()).map_err(|_| wrong("is not JSON".to_owned()))?;
    let is = |key, value| object.get(key).and_then(Value::as_str) == Some(value);
    if !is("kind", "ExecCredential") || !is("apiVersion", version) {
        return Err(wrong(format!("is not an ExecCredential of {version}")));
    }
    let status = |key| object.get("status")?.get(key)?.as_str().filter(|text| !text.is_empty());
    let bearer = status("token").map(Secret::new);
    let client_cert = match (status("clientCertificateData"), status("clientKeyData")) {
        (Some(chain), Some(key)) => {
            let place = format!("the output of {}", plugin.place());
            let fix = ["clientKeyData", "FILE"];
            Some(ClientCert::new(&Secret::new(chain), &Secret::new(key), &place, fix)?)
        }
        (None, None) if bearer.is_some() => None,
        _ => {
            return Err(wrong(
                "has neither a token nor both a client certificate and its key".to_owned(),
            ));
        }
    };
    Ok(Credentials { bearer, client_cert })
}
