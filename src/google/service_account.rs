//! A service account to impersonate, directly or through delegates.

use std::borrow::Cow;

use super::access_token::AccessToken;
use crate::configuration::Impersonation;
use crate::context::Context;

/// A service account, and the credentials and delegates to impersonate it.
#[derive(Debug)]
pub struct ServiceAccount<'a> {
    /// The service account to impersonate.
    pub account: Cow<'a, Impersonation>,
    /// The email addresses of the delegates, in the order from the caller to the account.
    pub delegates: Vec<String>,
    /// The access token of the caller.
    pub bearer: AccessToken,
    /// The caller's name in an IAM policy, for messages.
    pub member: String,
    /// The context of the requests, in which they may present a client certificate.
    pub cx: &'a Context,
}

impl ServiceAccount<'_> {
    /// Selects the delegate at this index as the account to impersonate, through the delegates
    /// before it.
    pub fn up_to(&self, index: usize) -> Option<ServiceAccount<'_>> {
        let (before, from) = self.delegates.split_at_checked(index)?;
        Some(ServiceAccount {
            account: Cow::Owned(self.account.beside(from.first()?)?),
            delegates: before.to_vec(),
            bearer: self.bearer.clone(),
            member: self.member.clone(),
            cx: self.cx,
        })
    }
}
