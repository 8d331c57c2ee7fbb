//! What a refusal by Google means, and what to change.
//!
//! The Security Token Service responds with an OAuth error whose `error_description` is an English
//! sentence. The IAM Service Account Credentials API responds with an HTTP status and a message.
//! The texts are not documented, so the fix for an unknown text depends on the code or the status.
//! Both services may instead respond with a structured [`reason`].
//! <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>

mod exchange;
mod reason;
mod service_account;

pub(super) use self::exchange::of_exchange;
pub(super) use self::service_account::of_service_account;
pub use self::service_account::{MissingRole, Refusal};
