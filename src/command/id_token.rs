//! An OpenID Connect token of the service account, for Cloud Run, IAP and whatever else checks one.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oidc>

use serde_json::json;

use super::access_token::FORMAT;
use super::{CREDENTIALS, CommandInfo, DELEGATE, Invocation, Output, service_account};
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::error::Error;
use crate::options::{Format, OptionInfo, Takes, missing};

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "id-token",
    summary: "an OpenID Connect token of the service account",
    options: &[
        CREDENTIALS,
        OptionInfo::new("for", Takes::Text("AUDIENCE"), "who is to accept it").required(),
        OptionInfo::new("include-email", Takes::Flag, "put the account's email address into it"),
        DELEGATE,
        FORMAT,
    ],
    of_source: false,
    run,
};

fn run(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let audience = typed.values.text("for").ok_or_else(|| missing("for"))?;
    let config = CredentialConfig::read(&typed.values, cx)?;
    let account = service_account(&config, typed, cx)?;
    let token = account.id_token(audience, typed.values.flag("include-email"), cx)?;
    Ok(match typed.format {
        Format::Json => format!("{}\n", json!({ "id_token": token.expose() })),
        Format::Text => token.expose().to_owned(),
        Format::Header => format!("Authorization: Bearer {}", token.expose()),
    }
    .into())
}
