//! Requests to Google: the Security Token Service, the IAM Service Account Credentials API and the
//! OAuth token endpoint.
//!
//! Each file builds the requests of one service and reads its responses. `refusals` translates an
//! error response into what to change; [`gcloud`] writes the commands that do it.

pub mod access_token;
pub mod domain_wide_delegation;
pub mod gcloud;
pub mod iam_credentials;
pub mod refusals;
pub mod service_account;
pub mod token_exchange;

/// The scope that allows everything that the roles of the caller allow.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
