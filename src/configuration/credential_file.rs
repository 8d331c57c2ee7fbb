//! A credential file of any type that Google's tools write.

use std::path::Path;

use serde_json::{Map, Value};

use super::members::{GCLOUD_LOGIN, Members, WIF_TOKEN_CONFIG};
use super::user::UserCredentials;
use super::{CredentialConfig, Impersonation, impersonation};
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::grammar::is_service_account;
use crate::show;

/// The content of a credential file.
#[derive(Debug)]
pub enum CredentialFile {
    /// `external_account`: a subject token of another identity provider.
    ExternalAccount(Box<CredentialConfig>),
    /// `authorized_user` or `external_account_authorized_user`.
    User(Box<UserCredentials>),
    /// `impersonated_service_account`: other credentials, and a service account that they
    /// impersonate.
    Impersonated {
        /// The credentials in `source_credentials`.
        source: Box<CredentialFile>,
        /// The service account.
        account: Box<Impersonation>,
        /// The service accounts between them, in order from the source.
        delegates: Vec<String>,
        /// The scopes of its tokens if no others are requested.
        scopes: Vec<String>,
    },
}

impl CredentialFile {
    /// Reads the file at `path`, which the option or variable `place` contains.
    ///
    /// # Errors
    /// `CONFIGURATION` if the file is not valid, or of a type that is not supported.
    pub fn read(path: &Path, place: &'static str) -> Result<CredentialFile, Error> {
        let text = files::read_text(path, place, Kind::Configuration)?;
        let shown = show::path(path);
        let value: Value = serde_json::from_str(text.expose()).map_err(|error| {
            Error::new(Kind::Configuration, format!("{shown} is not JSON"))
                .cause(format!("syntax error in line {}, column {}", error.line(), error.column()))
                .fix("correct the file, or create it again with wif-token config SOURCE")
        })?;
        let digest = digest([text.expose().as_bytes()].into_iter());
        CredentialFile::parse(&value, path, None, digest)
    }

    /// Reads an object, which is in the member `inside` of the file.
    pub(crate) fn parse(
        value: &Value,
        path: &Path,
        inside: Option<&'static str>,
        digest: String,
    ) -> Result<CredentialFile, Error> {
        let empty = Map::new();
        let map = value.as_object().unwrap_or(&empty);
        let prefix = if inside.is_some() { "source_credentials." } else { "" };
        let members = Members { map, path, inside: prefix, remedy: WIF_TOKEN_CONFIG };
        let kind = members.text("type")?;
        let of_user = Members { map, path, inside: prefix, remedy: GCLOUD_LOGIN };
        let user = |is_workforce| {
            let user = UserCredentials::read(&of_user, path, inside, is_workforce)?;
            Ok(CredentialFile::User(Box::new(user)))
        };
        match kind.as_deref() {
            Some("external_account") => CredentialConfig::parse(value, path, digest)
                .map(|config| CredentialFile::ExternalAccount(Box::new(config))),
            Some("authorized_user") => user(false),
            Some("external_account_authorized_user") => user(true),
            // Google's libraries do not nest them either.
            Some("impersonated_service_account") if inside.is_none() => {
                impersonated(&of_user, path, digest)
            }
            found => Err(other_type(found, path, prefix)),
        }
    }
}

/// What gcloud writes before the email address of a delegate.
const ACCOUNTS: &str = "projects/-/serviceAccounts/";

fn impersonated(members: &Members, path: &Path, digest: String) -> Result<CredentialFile, Error> {
    let account = impersonation(members)?;
    let account = account.ok_or_else(|| members.missing("service_account_impersonation_url"))?;
    let delegates = members.texts("delegates")?;
    let email = |name: String| name.strip_prefix(ACCOUNTS).map(str::to_owned).unwrap_or(name);
    let delegates: Vec<String> = delegates.into_iter().map(email).collect();
    if !delegates.iter().all(|name| is_service_account(name)) {
        return Err(members
            .wrong("delegates contains a name that is not the email address of a service account")
            .fix("set delegates to a list of email addresses of service accounts"));
    }
    let source = match members.map.get("source_credentials") {
        None | Some(Value::Null) => Err(members.missing("source_credentials")),
        Some(source) if source.is_object() => Ok(source),
        Some(_) => Err(members.wrong("source_credentials is not an object").fix(GCLOUD_LOGIN)),
    }?;
    let source = CredentialFile::parse(source, path, Some("source_credentials"), digest)?;
    let scopes = members.texts("scopes")?;
    let (source, account) = (Box::new(source), Box::new(account));
    Ok(CredentialFile::Impersonated { source, account, delegates, scopes })
}

fn other_type(found: Option<&str>, path: &Path, inside: &str) -> Error {
    let shown = show::path(path);
    let what = match inside.is_empty() {
        true => format!("{shown} does not contain usable credentials"),
        false => format!("source_credentials in {shown} cannot be used"),
    };
    let config = "create the configuration with wif-token config SOURCE";
    let (cause, fix) = match found {
        Some("service_account") => (
            "it is a service account key, a long-lived secret that works for anyone who copies the \
             file"
                .to_owned(),
            "run wif-token config SOURCE --service-account=EMAIL to set up access without a key, \
             then delete the key with gcloud iam service-accounts keys delete"
                .to_owned(),
        ),
        Some("impersonated_service_account") => (
            "it is itself of the type impersonated_service_account".to_owned(),
            "set source_credentials to the credentials of the first account of the chain, and \
             delegates to the accounts in between"
                .to_owned(),
        ),
        Some(_) => ("its type is not supported".to_owned(), config.to_owned()),
        None => ("the member type is not set".to_owned(), config.to_owned()),
    };
    Error::new(Kind::Configuration, what).cause(cause).fix(fix)
}
