//! Credential files, and where they are found. This file is about those of the type
//! `external_account`: where the subject token comes from, where it is exchanged, and which service
//! account is impersonated.
//!
//! `wif-token config` and `gcloud iam workload-identity-pools create-cred-config` write such a file.
//! Every Google client reads it from `GOOGLE_APPLICATION_CREDENTIALS`.
//! <https://google.aip.dev/auth/4117>

pub mod certificate_config;
pub mod credential_file;
pub mod credential_source;
pub mod duplicates;
mod firmware;
pub mod google_host;
mod members;
pub mod pool_provider;
pub mod search;
pub mod unsupported;
pub mod user;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use self::credential_source::CredentialSource;
use self::members::{Members, WIF_TOKEN_CONFIG};
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::grammar::is_domain;
use crate::secret::Secret;
use crate::token::TokenType;

/// The default universe domain.
pub const GOOGLEAPIS: &str = "googleapis.com";

/// The variable that contains the path of the file.
pub const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// A credential configuration with typed members. Whether their values work is checked elsewhere.
#[derive(Debug)]
pub struct CredentialConfig {
    /// The path of the file.
    pub path: PathBuf,
    /// A digest of the whole file, including secrets.
    pub digest: String,
    /// `audience`
    pub audience: String,
    /// `subject_token_type`
    pub token_type: TokenType,
    /// `token_url`
    pub token_url: Url,
    /// `service_account_impersonation_url` and `service_account_impersonation`
    pub impersonation: Option<Impersonation>,
    /// `workforce_pool_user_project`
    pub user_project: Option<String>,
    /// `client_id` and `client_secret` (empty if missing) of an OAuth client that the token service
    /// authenticates
    pub client: Option<(String, Secret)>,
    /// `universe_domain`
    pub universe: String,
    /// `credential_source`
    pub source: CredentialSource,
}

/// The service account to impersonate.
#[derive(Debug, Clone)]
pub struct Impersonation {
    /// The URL of its method `generateAccessToken`.
    pub url: Url,
    /// Its email address or unique ID, as in `url`.
    pub account: String,
    /// `service_account_impersonation.token_lifetime_seconds`
    pub lifetime: Option<u64>,
}

impl Impersonation {
    /// Creates the impersonation of an account in this universe.
    ///
    /// # Errors
    /// `CONFIGURATION` if the universe is not a domain.
    pub fn of(account: &str, universe: &str) -> Result<Impersonation, Error> {
        let service = format!("https://iamcredentials.{universe}/v1/projects/-/serviceAccounts");
        let url = Url::parse(&format!("{service}/{account}:generateAccessToken"));
        let url = url.ok().filter(|_| is_domain(universe)).ok_or_else(|| {
            Error::new(Kind::Configuration, "universe_domain is not a domain")
                .fix("correct universe_domain in the credential file")
        })?;
        Ok(Impersonation { url, account: account.to_owned(), lifetime: None })
    }

    /// Creates the impersonation of another account at the same service.
    pub fn beside(&self, account: &str) -> Option<Impersonation> {
        let tail = format!("/{}:generateAccessToken", self.account);
        let service = self.url.as_typed().strip_suffix(tail.as_str())?;
        let url = Url::parse(&format!("{service}/{account}:generateAccessToken")).ok()?;
        Some(Impersonation { url, account: account.to_owned(), lifetime: None })
    }
}

impl CredentialConfig {
    pub(crate) fn parse(
        value: &Value,
        path: &Path,
        digest: String,
    ) -> Result<CredentialConfig, Error> {
        let empty = Map::new();
        let members = Members {
            map: value.as_object().unwrap_or(&empty),
            path,
            inside: String::new(),
            fix: WIF_TOKEN_CONFIG,
        };
        unsupported::refuse_at_the_top(&members)?;
        let audience = members.required("audience")?;
        let source = credential_source::read(&members)?;
        let token_type = credential_source::token_type(&members, &source)?;
        let client_id = members.text("client_id")?;
        let client_secret = Secret::new(members.text("client_secret")?.unwrap_or_default());
        Ok(CredentialConfig {
            path: path.to_owned(),
            digest,
            audience,
            token_type,
            token_url: members.url("token_url")?.ok_or_else(|| members.missing("token_url"))?,
            impersonation: impersonation(&members)?,
            user_project: members.text("workforce_pool_user_project")?,
            client: client_id.map(|id| (id, client_secret)),
            universe: members.text("universe_domain")?.unwrap_or_else(|| GOOGLEAPIS.to_owned()),
            source,
        })
    }
}

fn impersonation(members: &Members) -> Result<Option<Impersonation>, Error> {
    let member = "service_account_impersonation_url";
    let form = "use the form https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                EMAIL:generateAccessToken, with a hyphen as the project";
    let url = members.url(member).map_err(|error| error.fix(form))?;
    let Some(url) = url else { return Ok(None) };
    let account = url
        .path()
        .strip_suffix(":generateAccessToken")
        .and_then(|path| path.split_once("/projects/-/serviceAccounts/"))
        .map(|(_, account)| account.to_owned())
        .filter(|account| !account.is_empty() && !account.contains('/'));
    let account = account.ok_or_else(|| {
        members.wrong(&format!("{member} is not the URL of generateAccessToken")).fix(form)
    })?;
    let lifetime = match members.object("service_account_impersonation")? {
        None => None,
        Some(object) => object.whole("token_lifetime_seconds")?,
    };
    Ok(Some(Impersonation { url, account, lifetime }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
            "service_account_impersonation": {"token_lifetime_seconds": 1200},
            "credential_source": {"file": "/t"},
        })
    }

    fn parse(value: &Value) -> Result<CredentialConfig, Error> {
        CredentialConfig::parse(value, Path::new("/c.json"), String::new())
    }

    #[test]
    fn members_are_typed() {
        let config = parse(&good()).unwrap();
        let impersonation = config.impersonation.unwrap();
        assert_eq!(impersonation.account, "a@b.iam.gserviceaccount.com");
        assert_eq!(impersonation.lifetime, Some(1200));
        assert_eq!(config.universe, "googleapis.com");
        assert!(
            matches!(config.source, CredentialSource::File(path, None) if path == Path::new("/t"))
        );
    }

    #[test]
    fn errors_name_the_member() {
        for (member, value, words) in [
            ("audience", json!(null), "/c.json: audience is missing; create the configuration"),
            ("audience", json!(1), "audience is not a string"),
            ("audience", json!("a\nb"), "contains a line break"),
            ("subject_token_type", json!("jwt"), "not a known token type; use one of urn:"),
            ("token_url", json!("sts"), "token_url must be an absolute https:// URL"),
            (
                "service_account_impersonation_url",
                json!("https://x/v1/projects/p/serviceAccounts/a:generateAccessToken"),
                "with a hyphen as the project",
            ),
            (
                "service_account_impersonation",
                json!({"token_lifetime_seconds": "1200"}),
                "service_account_impersonation.token_lifetime_seconds is a string",
            ),
            ("credential_source", json!([]), "credential_source is not an object"),
            ("credential_source", json!({}), "has no executable, file, url"),
            (
                "credential_source",
                json!({"certificate": {}}),
                "certificate.certificate_config_location is missing; set",
            ),
            (
                "credential_source",
                json!({"certificate": {"use_default_certificate_config": true}}),
                "subject_token_type is not the type for a certificate; set",
            ),
            (
                "subject_token_type",
                json!(TokenType::MTLS),
                "this subject_token_type requires credential_source.certificate",
            ),
            ("credential_source", json!({"executable": {}}), "executable.command is missing"),
            ("credential_source", json!({"environment_id": "aws2"}), "environment_id is not aws1"),
            (
                "credential_source",
                json!({"file": "/t", "format": {"type": "json"}}),
                "format.subject_token_field_name is missing",
            ),
            (
                "credential_source",
                json!({"file": "/t", "format": {"type": "xml"}}),
                "format.type is not text or json",
            ),
        ] {
            let mut bad = good();
            bad[member] = value;
            let error = parse(&bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
