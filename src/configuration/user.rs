//! The credentials of a user who signed in: `authorized_user` for a Google account, and
//! `external_account_authorized_user` for a workforce identity pool.
//!
//! `gcloud auth application-default login` writes these files. They contain a refresh token, which
//! the token endpoint exchanges for access tokens.
//! <https://google.aip.dev/auth/4113>

use std::path::{Path, PathBuf};

use super::GOOGLEAPIS;
use super::google_host::is_google;
use super::members::Members;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::grammar::is_domain;
use crate::secret::Secret;

/// The token endpoint for Google accounts.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// Token endpoints for Google accounts in files that old tools wrote.
const OLD_TOKEN_URLS: [&str; 3] = [
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v3/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

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

    /// Refuses a `token_uri` that is neither Google's, of the universe of the file, nor on this host: a
    /// refresh token works until it is revoked, and google-auth ignores `token_uri`. All clients use the
    /// `token_url` of a workforce user, which may name a gateway.
    ///
    /// # Errors
    /// `CONFIGURATION` with the endpoint to use.
    pub fn require_google(&self) -> Result<(), Error> {
        let (service, path) = self.endpoint();
        let host = self.token_url.host();
        let is_usual =
            [GOOGLEAPIS, &self.universe].iter().any(|domain| is_google(host, service, domain));
        let is_allowed = self.is_workforce || self.has_old_token_url() || self.token_url.is_local();
        if is_usual || is_allowed {
            return Ok(());
        }
        let member = self.token_url_member();
        let universe = Some(self.universe.as_str()).filter(|universe| is_domain(universe));
        let universe = universe.unwrap_or(GOOGLEAPIS);
        let what = format!("the refresh token is not sent to {host}");
        Err(Error::new(Kind::Configuration, what)
            .cause(format!("{member} is not a URL of Google"))
            .fix(format!("set {member} to https://{service}.{universe}{path}")))
    }

    /// Whether the token endpoint is one in a file that an old tool wrote.
    pub fn has_old_token_url(&self) -> bool {
        !self.is_workforce && OLD_TOKEN_URLS.contains(&self.token_url.as_typed())
    }

    /// The service and the path of the token endpoint.
    pub fn endpoint(&self) -> (&'static str, &'static str) {
        if self.is_workforce { ("sts", "/v1/oauthtoken") } else { ("oauth2", "/token") }
    }

    /// The name of the user in an IAM policy, for messages.
    pub fn member(&self) -> &'static str {
        match self.is_workforce {
            true => {
                "principal://iam.googleapis.com/locations/global/workforcePools/POOL/subject/SUBJECT"
            }
            false => "user:EMAIL",
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresh_token_of_a_google_account_is_sent_only_to_google_or_to_this_host() {
        for (is_workforce, url, is_sent) in [
            (false, "https://oauth2.googleapis.com/token", true),
            (false, "https://oauth2-mine.p.googleapis.com/token", true),
            (false, "https://oauth2.example.goog/token", true),
            (false, "https://accounts.google.com/o/oauth2/token", true),
            (false, "http://127.0.0.1:8080/token", true),
            (false, "https://storage.googleapis.com/token", false),
            (false, "https://oauth2.example.com/token", false),
            (false, "https://accounts.google.com/o/oauth2/token/x", false),
            (true, "https://sts.googleapis.com/v1/oauthtoken", true),
            (true, "https://sts.example.goog/v1/oauthtoken", true),
            (true, "https://sts.gateway.example.com/v1/oauthtoken", true),
        ] {
            let user = UserCredentials {
                path: PathBuf::new(),
                inside: None,
                is_workforce,
                token_url: Url::parse(url).unwrap(),
                client_id: String::new(),
                client_secret: Secret::new(""),
                refresh_token: Secret::new(""),
                universe: "example.goog".to_owned(),
                quota_project: None,
            };
            assert_eq!(user.require_google().is_ok(), is_sent, "{url}");
        }
    }
}
