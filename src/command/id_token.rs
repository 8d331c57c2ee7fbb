//! `id-token`: an OpenID Connect ID token of the service account, for services that check one, such
//! as Cloud Run and IAP.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oidc>

use serde_json::json;

use super::access_token::FORMAT;
use super::{CommandInfo, Invocation, OfSource};
use crate::client::credentials::CredentialOptions;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::Error;
use crate::options::Format;

options! {
    /// Options of `id-token`.
    struct Options {
        /// audience of the token, such as the URL of a Cloud Run service
        audience: String = "--for=AUDIENCE",
        /// add the email claims of the service account
        include_email: bool = "--include-email",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "id-token",
    also: &["identity-token", "print-identity-token"],
    summary: "print an OpenID Connect ID token of the service account",
    options: &[CredentialOptions::TABLE, Options::TABLE, FORMAT],
    of_source: OfSource::Never,
    own_source: None,
    rest: None,
    example: "wif-token id-token --for=https://my-service.example.com --include-email",
    run,
};

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let credentials = invocation.credentials(cx)?;
    let token = credentials.id_token(&options.audience, options.include_email, "--for", cx)?.text;
    Ok(match invocation.format {
        Format::Json => format!("{}\n", json!({ "id_token": token.expose() })),
        Format::Text => token.expose().to_owned(),
        Format::Header => format!("Authorization: Bearer {}", token.expose()),
        Format::Bearer => format!("Bearer {}", token.expose()),
    }
    .into())
}
