//! How to reach an API server, and how to authenticate there.

use crate::context::Context;
use crate::http::{ClientCert, Url};
use crate::secret::Secret;

/// An API server and the client's access to it.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) server: Url,
    /// The file or the variable that contains the server, for messages.
    pub(super) option: &'static str,
    /// The context with the TLS settings and the proxy for this server.
    pub(super) cx: Context,
    /// The bearer token of the client; `None` if a client certificate authenticates the client, or
    /// nothing does.
    pub(super) bearer: Option<Secret>,
    /// The namespace of the service account unless `--namespace` is set.
    pub(super) namespace: String,
    /// The service account unless `--account` is set.
    pub(super) service_account: Option<String>,
    /// The option with which `kubectl create rolebinding` binds a role to the client.
    pub(super) subject: String,
    /// What to do if the server does not accept the credentials.
    pub(super) renew: String,
}

/// What authenticates a client to the API server.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    pub(super) bearer: Option<Secret>,
    pub(super) client_cert: Option<ClientCert>,
}
