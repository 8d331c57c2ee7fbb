//! Requests to Google: the Security Token Service and the IAM Service Account Credentials API.

pub mod access_token;
pub mod iam_credentials;
pub mod token_exchange;

/// The scope that allows all that the roles of an account allow.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
