//! The credentials of a user who signed in: `authorized_user` for a Google account, and
//! `external_account_authorized_user` for a workforce identity pool.
//!
//! `gcloud auth application-default login` writes these files. They contain a refresh token, which
//! the token endpoint exchanges for access tokens.
//! <https://google.aip.dev/auth/4113>

use std::path::{Path, PathBuf};

use super::GOOGLEAPIS;
use super::members::Members;
use crate::error::Error;
use crate::http::Url;
use crate::secret::Secret;

/// The token endpoint for Google accounts.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// The credentials of a user.
#[derive(Debug)]
pub struct UserCredentials {
    /// The path of the file.
    pub path: PathBuf,
    /// The object in the file that contains the members, such as `source_credentials`.
    pub inside: Option<&'static str>,
    /// Whether the user belongs to a workforce identity pool.
    pub is_workforce: bool,
    /// The token endpoint: `token_url` of a workforce user, `token_uri` of a Google account.
    pub token_url: Url,
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: Secret,
    /// `refresh_token`
    pub refresh_token: Secret,
    /// `universe_domain`
    pub universe: String,
    /// `quota_project_id`
    pub quota_project: Option<String>,
}

impl UserCredentials {
    pub(super) fn read(
        members: &Members,
        path: &Path,
        inside: Option<&'static str>,
        is_workforce: bool,
    ) -> Result<UserCredentials, Error> {
        let usual = || Url::parse(TOKEN_URL).map_err(|why| members.wrong(&why));
        let token_url = match is_workforce {
            true => members.url("token_url")?.ok_or_else(|| members.missing("token_url"))?,
            false => members.url("token_uri")?.map_or_else(usual, Ok)?,
        };
        Ok(UserCredentials {
            path: path.to_owned(),
            inside,
            is_workforce,
            token_url,
            client_id: members.required("client_id")?,
            client_secret: Secret::new(members.required("client_secret")?),
            refresh_token: Secret::new(members.required("refresh_token")?),
            universe: members.text("universe_domain")?.unwrap_or_else(|| GOOGLEAPIS.to_owned()),
            quota_project: members.text("quota_project_id")?,
        })
    }

    /// The member with the URL of the token endpoint.
    pub fn token_url_member(&self) -> &'static str {
        if self.is_workforce { "token_url" } else { "token_uri" }
    }

    /// What identifies these credentials without the refresh token.
    pub fn identity(&self) -> [&str; 3] {
        [self.token_url.as_typed(), &self.client_id, self.client_secret.expose()]
    }
}
