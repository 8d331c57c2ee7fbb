//! The SSO session of a profile: its region, and the file that caches its token.

use std::path::PathBuf;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::REQUIRED;
use crate::error::{Error, Kind};
use crate::hex::hex;
use crate::http::Url;
use crate::source::aws::account::{Account, Service};
use crate::source::aws::endpoint;
use crate::source::aws::profile_file::Profile;

/// The SSO session of a profile.
pub(super) struct Session<'a> {
    pub(super) profile: &'a str,
    region: &'a str,
    /// The file of the AWS CLI that caches the access token.
    pub(super) cache_file: PathBuf,
}

impl<'a> Session<'a> {
    /// Reads the session of a profile.
    ///
    /// # Errors
    /// `CONFIGURATION` if a key is missing or contradicts the section `[sso-session NAME]`.
    pub(super) fn new(
        name: &'a str,
        profile: &'a Profile,
        account: &'a Account,
    ) -> Result<Self, Error> {
        if let Some(key) = REQUIRED.iter().find(|key| profile.get(key).is_none()) {
            let what = format!("the profile {name:?} has no {key}");
            return Err(wrong(what, format!("set {key}, or run aws configure sso")));
        }
        let (region, key) = match profile.get("sso_session") {
            Some(session) => (named_session_region(name, session, profile, account)?, session),
            None => {
                let start_url = profile.get("sso_start_url").ok_or_else(|| {
                    let what =
                        format!("the profile {name:?} has neither sso_session nor sso_start_url");
                    wrong(what, "run aws configure sso")
                })?;
                (profile.get("sso_region"), start_url)
            }
        };
        let region = region.ok_or_else(|| {
            let (what, fix) = match profile.get("sso_session") {
                Some(session) => (
                    format!(
                        "the sso_session {session:?} of the profile {name:?} has no sso_region"
                    ),
                    format!("add sso_region to the section [sso-session {session}]"),
                ),
                None => {
                    (format!("the profile {name:?} has no sso_region"), "set sso_region".to_owned())
                }
            };
            wrong(what, fix)
        })?;
        if let Some(why) = endpoint::not_a_region(region) {
            let what = format!("the profile {name:?} has no valid sso_region");
            let fix = "set sso_region to a name such as eu-west-1";
            return Err(wrong(what, fix).cause(why));
        }
        let cache_file = cache_path(key, account)?;
        Ok(Session { profile: name, region, cache_file })
    }

    /// The endpoint of a service: the configured one, or the public one. Also returns the setting that
    /// names the endpoint or its region.
    pub(super) fn endpoint(
        &self,
        service: Service,
        account: &Account,
    ) -> Result<(Url, &'static str), Error> {
        match account.configured_endpoint(service)? {
            Some(configured) => Ok(configured),
            None => Ok((account.public_endpoint(service, self.region)?, "sso_region")),
        }
    }
}

/// Reads `sso_region` from the section of the session that a profile names.
fn named_session_region<'a>(
    name: &str,
    session: &str,
    profile: &Profile,
    account: &'a Account,
) -> Result<Option<&'a str>, Error> {
    let keys = account.files.sso_session(session).ok_or_else(|| {
        let what = format!("the sso_session {session:?} of the profile {name:?} does not exist");
        let add = format!("add the section [sso-session {session}] to the config file");
        let names = account.files.sso_session_names().join(", ");
        wrong(
            what,
            match names.is_empty() {
                true => add,
                false => format!("set sso_session to one of {names}, or {add}"),
            },
        )
    })?;
    let differs = |key: &&str| profile.get(key).is_some_and(|own| keys.get(key) != Some(own));
    if let Some(key) = ["sso_region", "sso_start_url"].into_iter().find(differs) {
        let what = format!("{key} in the profile {name:?} differs from {key} in its sso_session");
        return Err(wrong(what, format!("remove {key} from the profile {name:?}")));
    }
    Ok(keys.get("sso_region"))
}

/// The cache file. Its name is the SHA-1 hash of the session name, or of the start URL in a profile
/// without `sso_session`.
fn cache_path(key: &str, account: &Account) -> Result<PathBuf, Error> {
    let home = account.cx.env.home()?.unwrap_or_default();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    Ok(home.join(".aws/sso/cache").join(hex(digest.as_ref()) + ".json"))
}

fn wrong(what: String, fix: impl Into<String>) -> Error {
    Error::new(Kind::Configuration, what).fix(fix)
}
