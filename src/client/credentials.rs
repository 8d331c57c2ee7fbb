//! The credentials that a command or helper uses.

use std::path::PathBuf;

use super::federated;
use crate::configuration::{CredentialConfig, Impersonation};
use crate::context::Context;
use crate::error::Error;
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::AccessToken;
use crate::google::service_account::ServiceAccount;
use crate::options::{Values, grammar};
use crate::secret::Secret;

options! {
    /// Options that select credentials.
    pub struct CredentialOptions {
        /// credential configuration to use; overrides GOOGLE_APPLICATION_CREDENTIALS
        credentials: Option<PathBuf> = "--credentials=FILE",
        /// service account to impersonate with these credentials
        service_account: Option<String> = "--service-account=EMAIL",
        /// service account between the caller and the target service account; in order from the caller
        delegate: Vec<String> = "--delegate=EMAIL",
    }
}

/// Credentials, and the service account that they impersonate.
#[derive(Debug)]
pub struct Credentials {
    config: CredentialConfig,
    delegates: Vec<String>,
}

impl Credentials {
    /// Reads the credentials that the options select.
    ///
    /// # Errors
    /// `USAGE` if an option has a wrong value; otherwise those of [`CredentialConfig::read`].
    pub fn find(values: &Values, cx: &Context) -> Result<Credentials, Error> {
        let options = CredentialOptions::read(values)?;
        for name in &options.delegate {
            grammar::require_service_account(name, "--delegate")?;
        }
        let config = CredentialConfig::read(options.credentials, cx)?;
        Ok(Credentials { config, delegates: options.delegate })
    }

    /// An access token with these scopes. A cached one is used if it is still valid for `min_life`
    /// seconds.
    ///
    /// # Errors
    /// Those of the source and of Google.
    pub fn access_token(
        &self,
        scopes: &[String],
        _min_life: i64,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        if self.config.impersonation.is_none() {
            return Ok(federated(&self.config, &scopes.join(" "), cx)?.0);
        }
        Ok(self.service_account(cx)?.access_token(scopes, None, "--scope", cx)?)
    }

    /// An ID token of the service account for this audience. `place` names the option with the
    /// audience. A cached one is used if it is still valid for `min_life` seconds.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no service account, and those of the source and of Google.
    pub fn id_token(
        &self,
        audience: &str,
        place: &str,
        _min_life: i64,
        cx: &Context,
    ) -> Result<Secret, Error> {
        self.service_account(cx)?.id_token(audience, true, place, cx)
    }

    /// The service account whose tokens these are.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is none.
    pub fn account(&self) -> Result<&Impersonation, Error> {
        self.config.service_account()
    }

    fn service_account(&self, cx: &Context) -> Result<ServiceAccount<'_>, Error> {
        let delegates = self.delegates.clone();
        ServiceAccount::new(&self.config, delegates, || federated(&self.config, CLOUD_PLATFORM, cx))
    }
}
