//! The cluster that kubectl would contact, without the credentials of the kubeconfig.
//!
//! `wif-token check` sends its own token there, as kubectl does with the token of a plugin.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::endpoint::Endpoint;
use super::exec::VERSIONS;
use super::kubeconfig::Kubeconfig;
use super::token_request::is_name;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Terms, Url};
use crate::lookup::Lookup;
use crate::secret::Secret;

/// The place that contains the URL of the server, for messages.
const OPTION: &str = "the kubeconfig";

/// An exec entry: a program from which a user gets credentials.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// The program.
    pub(crate) command: PathBuf,
    /// Whether kubectl supports the `apiVersion`.
    pub(crate) has_known_version: bool,
}

/// The cluster of a context.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The context in messages, such as `the context "dev"`.
    pub(crate) context: String,
    /// The name of the cluster in the kubeconfig.
    pub(crate) name: String,
    /// The namespace of the context.
    pub(crate) namespace: String,
    /// The API server.
    pub(crate) server: Url,
    /// The exec entry of the user of the context, if there is one.
    pub(crate) plugin: Option<Plugin>,
    /// The context with the TLS settings and the proxy for the server.
    cx: Context,
}

impl Cluster {
    /// Finds the cluster of this context, or of the current context, in the files that kubectl
    /// would read.
    ///
    /// # Errors
    /// `ABSENT` if there is no kubeconfig, `CONFIGURATION` if it cannot be used.
    pub(crate) fn find(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        cx: &Context,
    ) -> Result<Cluster, Error> {
        let config = match Kubeconfig::find(kubeconfig, cx)? {
            Lookup::Found(config) => config,
            Lookup::Absent(why) => {
                return Err(Error::new(Kind::Absent, "no kubeconfig found")
                    .cause(why)
                    .fix("set --kubeconfig or KUBECONFIG"));
            }
        };
        let context = config.context(context)?;
        let name = context.required("cluster")?;
        let cluster = config.entry("cluster", name)?;
        let user = context.text("user")?.map(|name| config.entry("user", name)).transpose()?;
        let namespace = context.text("namespace")?.unwrap_or("default");
        if !is_name(namespace) {
            return Err(context.error("has a namespace that is not a valid Kubernetes name"));
        }
        let Endpoint { server, tls, proxy } = Endpoint::of(&cluster)?;
        if !server.is_https() && !server.is_local() {
            return Err(cluster
                .error("has a server with plain http, to which kubectl does not send tokens")
                .fix("set server to an https URL"));
        }
        // kubectl has no option --ca-file.
        let how_to_trust = format!("set certificate-authority-data of {} to", cluster.place());
        Ok(Cluster {
            context: context.what.clone(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            server,
            plugin: user.and_then(|user| user.part("exec")).map(|exec| {
                let text = |name| exec.get(name).and_then(Value::as_str).unwrap_or_default();
                let has_known_version = VERSIONS.contains(&text("apiVersion"));
                Plugin { command: text("command").into(), has_known_version }
            }),
            cx: cx.narrowed(|_, http| {
                http.tls = Terms { how_to_trust: Some(how_to_trust), ..tls };
                http.proxy = proxy;
            }),
        })
    }

    /// Sends a GET request for this path, with this token.
    ///
    /// # Errors
    /// The errors of [`Context::send`].
    pub(crate) fn get(&self, path: &str, token: &Secret) -> Result<Response, Error> {
        let server = self.server.as_typed().trim_end_matches('/');
        let url = Url::parse(&format!("{server}{path}")).map_err(|why| {
            Error::new(Kind::Configuration, format!("the URL of the API server {why}"))
                .fix(format!("check {OPTION}"))
        })?;
        self.cx.send(Request::get(&url, OPTION).header("Accept", ACCEPT).bearer(token))
    }

    /// How requests reach the server, for reports.
    pub(crate) fn route(&self) -> String {
        self.cx.route(&self.server)
    }
}

/// Requests only the metadata of the objects. Servers before version 1.15 do not support this form
/// and return the whole objects.
const ACCEPT: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json";
