//! The other side: Google's Security Token Service, the IAM Service Account Credentials API, and
//! the credential configuration that says how to reach them.

pub mod access_token;
pub mod credential_config;
pub mod credential_source;
pub mod iam_credentials;
mod members;
pub mod pool_provider;
pub mod sts;
pub mod subject;

/// The scope with which everything may be asked for that the roles of an account allow.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The universe that is meant where none is named.
pub const GOOGLEAPIS: &str = "googleapis.com";
