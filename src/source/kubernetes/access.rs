//! An API server, and who one is there.

use crate::context::Context;
use crate::http::{ClientCert, Url};
use crate::secret::Secret;

/// Where to ask for a token, and as whom.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) server: Url,
    /// What led to the server, for messages.
    pub(super) option: &'static str,
    /// Speaks TLS as this server expects.
    pub(super) cx: Context,
    /// What proves who one is, where no client certificate does.
    pub(super) bearer: Option<Secret>,
    /// Where a service account is looked for unless `--namespace` says it.
    pub(super) namespace: String,
    /// Whose token is meant unless `--account` says it.
    pub(super) service_account: Option<String>,
    /// The option by which kubectl binds a role to whoever asks.
    pub(super) subject: String,
    /// What to do when the server does not know who asks.
    pub(super) renew: String,
}

/// What is shown to the API server.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) bearer: Option<Secret>,
    pub(super) client_cert: Option<ClientCert>,
}
