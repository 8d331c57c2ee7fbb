//! A real client: Google's Rust library exchanging what the executable answers.
//!
//! `rust-client CREDENTIAL_CONFIGURATION` prints `{"access_token":…}`, or the error and its causes on stderr.
//! It uses the public interface only: <https://docs.rs/google-cloud-auth/latest/google_cloud_auth/credentials/external_account/>.

use google_cloud_auth::credentials::external_account::Builder;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args().nth(1).expect("the path of a credential configuration");
    if let Err(error) = exchange(&path).await {
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
    let credentials = Builder::new(configuration)
        .with_scopes(["https://www.googleapis.com/auth/cloud-platform"])
        .build_access_token_credentials()?;
    let token = credentials.access_token().await?.token;
    println!("{}", serde_json::json!({ "access_token": token }));
    Ok(())
}
