//! A real client: Google's Rust library, which exchanges the token that the executable returns.
//!
//! `rust-client CREDENTIAL_CONFIGURATION` prints `{"access_token":…}`, or the error and its causes
//! on stderr. Without a configuration, it uses the default credentials, which are those of a
//! metadata server if there is no file. The client uses only the public interface:
//! <https://docs.rs/google-cloud-auth/latest/google_cloud_auth/credentials/external_account/>.

use google_cloud_auth::credentials::{self, external_account::Builder};
use std::error::Error;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let result = match std::env::args().nth(1) {
        Some(path) => exchange(&path).await,
        None => default().await,
    };
    if let Err(error) = result {
        eprintln!("{error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("caused by: {error}");
            cause = error.source();
        }
        std::process::exit(1);
    }
}

/// Reads the configuration, lets the library run the executable and exchange its token, prints the access token.
async fn exchange(path: &str) -> Result<(), Box<dyn Error>> {
    let configuration = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let credentials =
        Builder::new(configuration).with_scopes([SCOPE]).build_access_token_credentials()?;
    let token = credentials.access_token().await?.token;
    println!("{}", serde_json::json!({ "access_token": token }));
    Ok(())
}

/// Prints the access token of the default credentials.
async fn default() -> Result<(), Box<dyn Error>> {
    let credentials =
        credentials::Builder::default().with_scopes([SCOPE]).build_access_token_credentials()?;
    let token = credentials.access_token().await?.token;
    println!("{}", serde_json::json!({ "access_token": token }));
    Ok(())
}
