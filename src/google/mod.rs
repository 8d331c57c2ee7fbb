//! Requests to Google: the Security Token Service, the IAM Service Account Credentials API and the
//! OAuth token endpoint.
//!
//! Each file builds the requests of one service and reads its responses. `refusals` translates an
//! error response into what to change; [`gcloud`] writes the commands that do it.

pub mod access_token;
pub mod domain_wide_delegation;
pub mod gcloud;
pub mod iam_credentials;
pub mod metadata_server;
pub mod refresh;
pub mod refusals;
pub mod service_account;
pub mod token_exchange;

/// The scope that allows everything that the roles of the caller allow.
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The scopes in the value of `--scope`, which are separated by commas or spaces. Without a value,
/// this is the scope `cloud-platform`.
pub fn scopes(value: Option<&str>) -> Vec<String> {
    let scopes = value.unwrap_or(CLOUD_PLATFORM).split([',', ' ']);
    scopes.filter(|scope| !scope.is_empty()).map(full_scope).collect()
}

/// A scope with its prefix `https://www.googleapis.com/auth/`, which a user may leave out.
fn full_scope(scope: &str) -> String {
    match scope.contains([':', '/']) || ["openid", "email", "profile"].contains(&scope) {
        true => scope.to_owned(),
        false => format!("https://www.googleapis.com/auth/{scope}"),
    }
}
