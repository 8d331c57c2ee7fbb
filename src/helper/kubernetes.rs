//! The credential plugin of kubectl and of every other client that uses client-go: access tokens for
//! clusters of Google Kubernetes Engine.
//!
//! The client states the version of the protocol in `KUBERNETES_EXEC_INFO` and expects it in the
//! `ExecCredential` object that the plugin prints. On a failure it shows only standard error. It
//! sends the token to the server of the kubeconfig that also names this program, so this helper has
//! no list of hosts. Clients do not send tokens through plain http.
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>

use serde_json::{Value, json};

use super::{Call, HelperInfo, Scope, ask_again_at};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::MIN_LIFE;
use crate::time::rfc3339;

/// The scopes of gke-gcloud-auth-plugin. Without `userinfo.email`, the cluster knows a service
/// account only by its numeric ID, which no role binding names.
pub const SCOPES: &str = "cloud-platform,userinfo.email";

/// The variable that contains the request.
const REQUEST: &str = "KUBERNETES_EXEC_INFO";

/// The versions of the protocol. A client that does not set the variable supports the second one.
const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "kubernetes",
    also: &["kubectl", "helm", "gke"],
    summary: "kubectl, Helm and others: authenticate to a GKE cluster",
    words: "",
    options: &[Scope::TABLE],
    program: "",
    stanza: "\
add to the kubeconfig, for the user of the cluster:
  users:
  - name: my-cluster
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: wif-token
        args: [helper, kubernetes]
        interactiveMode: Never
then run wif-token check --helper=kubernetes",
    failure: FailureForm::MESSAGE,
    run,
};

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    if !call.words.is_empty() {
        return Err(call.wrong_words(&INFO));
    }
    let version = version(cx.env.text(REQUEST)?.as_deref())?;
    let token = call.access_token_with(SCOPES, MIN_LIFE, cx)?;
    let credential = json!({
        "kind": "ExecCredential",
        "apiVersion": version,
        "status": {
            "token": token.text.expose(),
            "expirationTimestamp": rfc3339(ask_again_at(&token, cx)),
        },
    });
    Ok(format!("{credential}\n").into())
}

/// The protocol version of the response to a request.
pub(super) fn version(request: Option<&str>) -> Result<&'static str, Error> {
    let [_, without_request] = VERSIONS;
    let Some(request) = request else { return Ok(without_request) };
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    if request.get("kind").and_then(Value::as_str) != Some("ExecCredential") {
        return Err(Error::new(Kind::Usage, format!("{REQUEST} is not an ExecCredential object"))
            .fix(format!("unset {REQUEST}, or run the helper through kubectl")));
    }
    let asked = request.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let version = VERSIONS.into_iter().find(|version| *version == asked).ok_or_else(|| {
        let what = format!("the apiVersion in {REQUEST} is not supported");
        Error::new(Kind::Configuration, what).fix(format!(
            "set apiVersion in the exec entry of the kubeconfig to {}",
            VERSIONS.join(" or ")
        ))
    })?;
    let is_insecure = request.pointer("/spec/cluster/insecure-skip-tls-verify");
    match is_insecure == Some(&Value::Bool(true)) {
        false => Ok(version),
        true => {
            let what = "the token could be sent to a server that is not verified";
            let fix = "remove insecure-skip-tls-verify, and set certificate-authority-data or \
                       tls-server-name";
            Err(Error::new(Kind::Configuration, what)
                .cause("insecure-skip-tls-verify is set for the cluster in the kubeconfig")
                .fix(fix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_request_is_echoed() {
        assert_eq!(version(None).unwrap(), "client.authentication.k8s.io/v1beta1");
        for asked in VERSIONS {
            let spec =
                json!({"interactive": true, "new": [], "cluster": {"server": "https://192.0.2.1"}});
            let request = json!({"kind": "ExecCredential", "apiVersion": asked, "spec": spec});
            assert_eq!(version(Some(&request.to_string())).unwrap(), asked);
        }
    }

    #[test]
    fn other_requests_are_refused() {
        let insecure = r#"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
                           "spec": {"cluster": {"insecure-skip-tls-verify": true}}}"#;
        let alpha =
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1"}"#;
        for (request, kind) in [
            ("", Kind::Usage),
            ("no JSON", Kind::Usage),
            ("[]", Kind::Usage),
            (r#"{"kind":"TokenReview"}"#, Kind::Usage),
            (r#"{"kind":"ExecCredential"}"#, Kind::Configuration),
            (alpha, Kind::Configuration),
            (insecure, Kind::Configuration),
        ] {
            assert_eq!(version(Some(request)).unwrap_err().kind(), kind, "{request}");
        }
    }
}
