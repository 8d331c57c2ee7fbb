//! `access-token`: an access token for Google Cloud APIs.
//!
//! The token is that of the service account that the configuration impersonates, or the federated
//! token if there is no account. With `--subject`, it is the token of a user, through domain-wide
//! delegation. A federated token that is only used for impersonation has the scope
//! `cloud-platform`, as with Google's libraries.
//! <https://cloud.google.com/iam/docs/workload-identity-federation>

use std::path::PathBuf;

use serde_json::json;

use super::{After, CommandInfo, Invocation};
use crate::client::credentials::{CredentialOptions, Credentials, Entry};
use crate::configuration::GOOGLEAPIS;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};
use crate::google::access_token::{AccessToken, MIN_LIFE};
use crate::google::domain_wide_delegation;
use crate::http::Url;
use crate::options::{Format, OptionInfo, Seconds};
use crate::secret::Secret;

options! {
    /// Options of `access-token`.
    struct Options {
        /// OAuth scopes, separated by commas (default: cloud-platform)
        scope: Option<String> = "--scope=SCOPE",
        /// lifetime of the service account's token; overrides the configuration
        lifetime: Option<Seconds<600, 43_200>> = "--lifetime",
        /// get a token of this user through domain-wide delegation to the service account
        subject: Option<String> = "--subject=USER",
        /// token endpoint for --subject (default: https://oauth2.googleapis.com/token)
        oauth_endpoint: Option<Url> = "--oauth-endpoint",
        /// cache the token in this file instead of the private cache of the user
        cache_file: Option<PathBuf> = "--cache-file=PATH",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "access-token",
    also: &["token", "get-token", "print-access-token", "print-token", "exchange"],
    summary: "print an access token, of the service account if the configuration has one",
    options: &[CredentialOptions::TABLE, Options::TABLE, FORMAT],
    after: After::Options,
    own_source: None,
    rest: None,
    example: "wif-token access-token --credentials=credentials.json --format=header",
    run,
};

choices! {
    /// How a token is printed.
    enum Shape {
        /// Only the token.
        Text = "text",
        /// A JSON object.
        Json = "json",
        /// `Authorization: Bearer …`.
        Header = "header",
        /// `Bearer …`.
        Bearer = "bearer",
    }
}

/// `--format` of the commands that print a bearer token. The value is read as a [`Format`].
pub(super) const FORMAT: &[OptionInfo] = &[OptionInfo::of::<Option<Shape>>(
    "--format",
    &["print only the token (default), a JSON object, an Authorization header, or its value"],
)];

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    options.check()?;
    let credentials = invocation.credentials(cx)?;
    if credentials.hops.is_empty() {
        options.require_no_service_account()?;
    }
    if options.subject.is_some() && credentials.universe() != GOOGLEAPIS {
        let what = format!("{} does not support domain-wide delegation", credentials.universe());
        return Err(Error::new(Kind::Configuration, what)
            .fix("remove --subject, which works only in the universe googleapis.com"));
    }
    let token = options.token(&credentials, cx)?;
    Ok(printed(&token.text, || to_json(&token), invocation.format))
}

/// The output of `--format=json`, without a line break.
fn to_json(token: &AccessToken) -> String {
    json!({
        "access_token": token.text.expose(),
        "token_type": "Bearer",
        "expiration_time": token.expiry,
    })
    .to_string()
}

/// Formats a bearer token as `--format` requires. `json` creates the JSON object.
pub(super) fn printed(token: &Secret, json: impl FnOnce() -> String, format: Format) -> Output {
    let token = token.expose();
    match format {
        Format::Json => json() + "\n",
        Format::Text => token.to_owned(),
        Format::Header => format!("Authorization: Bearer {token}"),
        Format::Bearer => format!("Bearer {token}"),
    }
    .into()
}

impl Options {
    /// Checks that the options can be used together.
    fn check(&self) -> Result<(), Error> {
        if self.subject.is_some() && self.lifetime.is_some() {
            return Err(Error::new(
                Kind::Usage,
                "--lifetime and --subject cannot be used together",
            )
            .fix("remove --lifetime or --subject"));
        }
        if self.oauth_endpoint.is_some() && self.subject.is_none() {
            return Err(Error::new(Kind::Usage, "--oauth-endpoint requires --subject")
                .fix("add --subject=USER"));
        }
        Ok(())
    }

    /// Refuses the options that require a service account.
    fn require_no_service_account(&self) -> Result<(), Error> {
        let option = match self {
            Options { subject: Some(_), .. } => "subject",
            Options { lifetime: Some(_), .. } => "lifetime",
            _ => return Ok(()),
        };
        let what = format!("--{option} requires a service account");
        Err(Error::new(Kind::Configuration, what)
            .cause("the credentials do not name one")
            .fix(format!("remove --{option}, or add --service-account=EMAIL")))
    }

    /// Returns the cached token for this request, or a new one.
    fn token(&self, credentials: &Credentials, cx: &Context) -> Result<AccessToken, Error> {
        let scopes = credentials.scopes(self.scope.as_deref());
        let lifetime = self.lifetime.as_ref().map(|Seconds(seconds)| *seconds);
        let user = self.subject.as_deref();
        let endpoint = self.oauth_endpoint.as_ref();
        let file = self.cache_file.as_deref();
        let Some(hop) = credentials.hops.last() else {
            return credentials.access_token_of_origin(&scopes, MIN_LIFE, file, cx);
        };
        let (identity, endpoint_text) = (hop.identity(), endpoint.map(Url::as_typed));
        let request = format!(
            "access token of {identity:?} {scopes:?} {lifetime:?} {user:?} {endpoint_text:?}"
        );
        let entry = Entry { file, ..Entry::new("access-token", &request) };
        let token = credentials.cached(entry, cx, &|| match user {
            None => credentials.with_account(cx, |account| {
                Ok(account.access_token(&scopes, lifetime, "--scope and --lifetime")?)
            }),
            Some(user) => credentials.with_account(cx, |account| {
                let endpoint = (endpoint, "--oauth-endpoint");
                domain_wide_delegation::access_token(account, user, &scopes.join(" "), endpoint, cx)
            }),
        })?;
        Ok(token.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_pinned() {
        let token =
            AccessToken { text: Secret::new("ya29.x"), expiry: 1600, issued: 1000, member: None };
        assert_eq!(
            to_json(&token),
            r#"{"access_token":"ya29.x","token_type":"Bearer","expiration_time":1600}"#
        );
    }
}
