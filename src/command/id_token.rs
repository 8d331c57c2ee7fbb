//! An OpenID Connect token of the service account, for Cloud Run, IAP and whatever else checks one.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oidc>

use serde_json::json;

use super::access_token::FORMAT;
use super::{CommandInfo, Credentials, Delegates, Invocation, Output, service_account};
use crate::context::Context;
use crate::error::Error;
use crate::options::Format;

options! {
    /// Options of `id-token`.
    struct Options {
        /// who is to accept it
        audience: String = "--for=AUDIENCE",
        /// put the account's email address into it
        include_email: bool = "--include-email",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "id-token",
    summary: "an OpenID Connect token of the service account",
    options: &[Credentials::TABLE, Options::TABLE, Delegates::TABLE, FORMAT],
    of_source: false,
    run,
};

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&typed.values)?;
    let config = typed.configuration(cx)?;
    let account = service_account(&config, typed, cx)?;
    let token = account.id_token(&options.audience, options.include_email, cx)?;
    Ok(match typed.format {
        Format::Json => format!("{}\n", json!({ "id_token": token.expose() })),
        Format::Text => token.expose().to_owned(),
        Format::Header => format!("Authorization: Bearer {}", token.expose()),
    }
    .into())
}
