//! `--helper=kubernetes`: checks whether the cluster that kubectl would contact accepts the access
//! token.
//!
//! One request lists at most one pod in the namespace of the context. It is authenticated and
//! authorized like the requests of kubectl, and a refusal contains the user name that the caller
//! has in the cluster. The plugin of the kubeconfig is not run: the token is that of the
//! configuration.
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>,
//! <https://cloud.google.com/kubernetes-engine/docs/how-to/iam>

use std::path::PathBuf;

use super::OFFLINE;
use super::report::{Finding, Report};
use crate::client::credentials::Credentials;
use crate::command::Invocation;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::google::gcloud::grant_project_role;
use crate::google::scopes;
use crate::helper::kubernetes::SCOPES;
use crate::http::Response;
use crate::shell::quoted;
use crate::source::kubernetes::cluster::Cluster;

choices! {
    /// The credential helper to check.
    enum Helper {
        /// The plugin of kubectl.
        Kubernetes = "kubernetes",
    }
}

options! {
    /// Options of `check` that concern a credential helper.
    pub(super) struct Options {
        /// also check this credential helper by sending a request to the cluster in the kubeconfig
        helper: Option<Helper> = "--helper",
        /// kubeconfig file; overrides KUBECONFIG and ~/.kube/config
        kubeconfig: Option<PathBuf> = "--kubeconfig=PATH",
        /// context in the kubeconfig; overrides current-context
        context: Option<String> = "--context=NAME",
    }
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// `USAGE` if an option has no effect.
    pub(super) fn of(invocation: &Invocation) -> Result<Options, Error> {
        let options = Options::read(&invocation.values)?;
        let of_kubeconfig = ["context", "kubeconfig"];
        let useless = of_kubeconfig.into_iter().find(|name| invocation.values.flag(name));
        match (useless, options.helper) {
            (Some(name), None) => {
                Err(Error::new(Kind::Usage, format!("--{name} requires --helper=kubernetes"))
                    .fix(format!("add --helper=kubernetes, or remove --{name}")))
            }
            _ => Ok(options),
        }
    }

    /// Whether there is a helper to check.
    pub(super) fn names_helper(&self) -> bool {
        self.helper.is_some()
    }
}

const CLUSTER: &str = "cluster";

/// Programs that other tools write into the exec entry of a kubeconfig, and whose credentials they use.
/// `gcloud container clusters get-credentials` writes the first one.
const OTHER_PLUGINS: [(&str, &str); 4] = [
    ("gke-gcloud-auth-plugin", "the account of gcloud"),
    ("aws", "the credentials of AWS"),
    ("aws-iam-authenticator", "the credentials of AWS"),
    ("kubelogin", "the account of another identity provider"),
];

pub(super) fn check(options: &Options, invocation: &Invocation, cx: &Context, report: &mut Report) {
    let is_broken = report.exit_status() != 0;
    let context = options.context.as_deref();
    let cluster = match Cluster::find(options.kubeconfig.as_deref(), context, cx) {
        Ok(cluster) => cluster,
        Err(error) => {
            report.error("kubeconfig", &error);
            return report.skipped(CLUSTER, "no cluster was found");
        }
    };
    kubeconfig(&cluster, report);
    if is_broken {
        return report.skipped(CLUSTER, "an earlier check failed, so there is no access token");
    }
    match ask(&cluster, invocation, cx) {
        Err(error) if error.is_offline() => report.skipped(CLUSTER, OFFLINE),
        Err(error) => report.error(CLUSTER, &error).with_step(cluster.route()),
        Ok((credentials, response)) => {
            let account = credentials.account(cx).ok().map(|account| account.account);
            judge(&cluster, account, response, report).with_step(cluster.route());
        }
    }
}

fn kubeconfig(cluster: &Cluster, report: &mut Report) {
    let Cluster { context, server, .. } = cluster;
    let found = format!("{context} points to {server}");
    let name = cluster.plugin.as_ref().and_then(|plugin| plugin.command.file_stem());
    let other = match OTHER_PLUGINS
        .iter()
        .find(|(other, _)| name.is_some_and(|name| name == *other))
    {
        Some((other, account)) => format!("runs {other}, so kubectl uses {account}"),
        None => match &cluster.plugin {
            None => "has no exec entry, so kubectl uses other credentials".to_owned(),
            Some(plugin) if !plugin.has_known_version => {
                let message = format!(
                    "{found}, but kubectl does not support the apiVersion of the exec entry of its user"
                );
                let fix = "set apiVersion in the exec entry to client.authentication.k8s.io/v1";
                report.broken("kubeconfig", Kind::Configuration, message, fix);
                return;
            }
            Some(_) => {
                report.ok("kubeconfig", found);
                return;
            }
        },
    };
    report.warning(
        "kubeconfig",
        format!("{found}, but the user of the context {other}"),
        "copy the exec entry from wif-token help helper kubernetes to the user of that context",
    );
}

/// A remaining lifetime that no cached token has, in seconds, so that a new token is requested.
const LONGEST_LIFE: i64 = 24 * 3600;

/// Sends a token like those that the helper prints to the cluster.
fn ask(
    cluster: &Cluster,
    invocation: &Invocation,
    cx: &Context,
) -> Result<(Credentials, Response), Error> {
    let credentials = invocation.credentials(cx)?;
    let token = credentials.access_token(&scopes(Some(SCOPES)), LONGEST_LIFE, cx)?;
    let path = format!("/api/v1/namespaces/{}/pods?limit=1", cluster.namespace);
    let response = cluster.get(&path, &token.text).map_err(|error| match error.how_to_fix() {
        Some(fix) if error.kind() == Kind::Unreachable => {
            error.fix(format!("{fix}, or add this host to the authorized networks of the cluster"))
        }
        _ => error,
    })?;
    Ok((credentials, response))
}

fn judge<'r>(
    cluster: &Cluster,
    account: Option<String>,
    response: Response,
    report: &'r mut Report,
) -> &'r mut Finding {
    let Cluster { context, server, namespace, .. } = cluster;
    let message = response.error_text().unwrap_or_default();
    let user = user(&message);
    let fix = match (response.status, user) {
        (403, Some(user)) if user != ANONYMOUS => {
            let what = format!(
                "{server} accepts the token, but {user} is not allowed to list pods in the \
                 namespace {namespace}"
            );
            return report.warning(CLUSTER, what, grant(cluster, user));
        }
        _ if response.is_page() => None,
        (401, _) | (403, Some(_)) => Some(match account {
            Some(_) => format!("check that {context} points to a GKE cluster"),
            None => format!(
                "check that {context} points to a GKE cluster, or use a service account with \
                 wif-token config SOURCE --service-account=EMAIL"
            ),
        }),
        (403, None) => Some(format!(
            "allow the connection to the cluster, usually with {}",
            grant_project_role(
                &project(&cluster.name),
                "container.clusterViewer",
                &member(account, report)
            )
        )),
        (404, _) => Some(format!("check that {context} points to a Kubernetes API server")),
        _ => None,
    };
    let result = response.require_success().and_then(|response| response.json());
    match (result, fix) {
        (Ok(_), _) => {
            let what = format!("{server} accepts the token and lists pods in {namespace}");
            report.ok(CLUSTER, what)
        }
        (Err(error), Some(fix)) => report.error(CLUSTER, &error.fix(fix)),
        (Err(error), None) => report.error(CLUSTER, &error),
    }
}

/// The user of a request that was not authenticated.
const ANONYMOUS: &str = "system:anonymous";

/// The user name that the caller has in the cluster, from the message of a refusal such as `pods is
/// forbidden: User "name" cannot list resource "pods"`.
fn user(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"")?;
    rest.split_once('"').map(|(user, _)| user)
}

/// The commands that allow a user to read the objects of a namespace: one in the cluster, and one in
/// its project.
fn grant(cluster: &Cluster, user: &str) -> String {
    let member = match user {
        _ if user.starts_with("principal:") => user.to_owned(),
        _ if user.ends_with(".gserviceaccount.com") => format!("serviceAccount:{user}"),
        _ => format!("user:{user}"),
    };
    format!(
        "to allow it, run kubectl create rolebinding wif-token --clusterrole=view {} \
         --namespace={}, or for the whole project, {}",
        quoted(&format!("--user={user}")),
        cluster.namespace,
        grant_project_role(&project(&cluster.name), "container.viewer", &member)
    )
}

/// The name of the caller in an IAM policy.
fn member(account: Option<String>, report: &Report) -> String {
    let account = account.map(|account| format!("serviceAccount:{account}"));
    account.or_else(|| report.principal()).unwrap_or_else(|| "MEMBER".to_owned())
}

/// The project in the name that gcloud gives a cluster, `gke_PROJECT_LOCATION_CLUSTER`.
fn project(cluster: &str) -> String {
    let parts: Vec<&str> = cluster.splitn(4, '_').collect();
    match parts[..] {
        ["gke", project, _, _] => quoted(project).into_owned(),
        _ => "PROJECT".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_in_the_name_that_gcloud_writes() {
        assert_eq!(project("gke_my-project_europe-west1_my-cluster"), "my-project");
        for name in ["", "prod", "gke_my-project", "eks_my-project_eu_a"] {
            assert_eq!(project(name), "PROJECT", "{name}");
        }
    }

    #[test]
    fn the_user_is_in_the_message() {
        let message = r#"pods is forbidden: User "a@b.example" cannot list resource "pods""#;
        assert_eq!(user(message), Some("a@b.example"));
        assert_eq!(user("Permission denied"), None);
    }
}
