//! The region of a request that requires one.

use super::account::{Account, no_region};
use super::credentials::imds;
use crate::error::Error;

/// The configured region, or that of the EC2 instance.
///
/// # Errors
/// `CONFIGURATION` if there is none, or the configured region is not valid; otherwise those of
/// [`imds::region`].
pub(super) fn required(account: &Account) -> Result<String, Error> {
    match account.configured_region()? {
        Some(region) => Ok(region),
        None => imds::region(account)?.ok_or_else(no_region),
    }
}
