//! A service account to impersonate, directly or through delegates.

use std::borrow::Cow;

use super::access_token::AccessToken;
use crate::configuration::{CredentialConfig, Impersonation};
use crate::error::{Error, Kind};

/// A service account, and the credentials and delegates to impersonate it.
#[derive(Debug)]
pub struct ServiceAccount<'a> {
    /// The service account to impersonate.
    pub account: Cow<'a, Impersonation>,
    /// The email addresses of the delegates, in the order from the caller to the account.
    pub delegates: Vec<String>,
    /// The federated access token.
    pub bearer: AccessToken,
    /// The caller's name in an IAM policy, for messages.
    pub member: String,
}

impl<'a> ServiceAccount<'a> {
    /// The service account of a configuration. `federated` returns the federated access token and the
    /// caller's name in an IAM policy.
    ///
    /// # Errors
    /// `CONFIGURATION` if the configuration names no service account, `USAGE` if a delegate is the
    /// account itself, and those of `federated`.
    pub fn new(
        config: &'a CredentialConfig,
        delegates: Vec<String>,
        federated: impl FnOnce() -> Result<(AccessToken, String), Error>,
    ) -> Result<ServiceAccount<'a>, Error> {
        let account = config.service_account()?;
        if delegates.contains(&account.account) {
            return Err(Error::new(
                Kind::Usage,
                "a delegate is the service account of the configuration itself",
            )
            .fix(
                "remove it: delegates are only the accounts between the workload and that service \
                 account",
            ));
        }
        let (bearer, member) = federated()?;
        Ok(ServiceAccount { account: Cow::Borrowed(account), delegates, bearer, member })
    }

    /// Impersonates the delegate at this index instead, through the delegates before it.
    pub fn up_to(&self, index: usize) -> Option<ServiceAccount<'static>> {
        let (before, from) = self.delegates.split_at_checked(index)?;
        Some(ServiceAccount {
            account: Cow::Owned(self.account.beside(from.first()?)?),
            delegates: before.to_vec(),
            bearer: self.bearer.clone(),
            member: self.member.clone(),
        })
    }
}
