//! Credentials of `aws login`, which the AWS CLI caches for a profile with `login_session`.
//!
//! The credentials live for 15 minutes. Only the AWS CLI and the AWS SDKs refresh them, because the
//! refresh token in the file is shared with them.
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html>

use std::path::PathBuf;

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::{Account, Credentials, from_server};
use crate::error::{Error, Kind};
use crate::files;
use crate::shell;
use crate::source::aws::profile_file::expand_home;
use crate::time::{parse_rfc3339, rfc3339};

const DIRECTORY: &str = "AWS_LOGIN_CACHE_DIRECTORY";

/// The cached credentials of a session.
///
/// # Errors
/// `EXPIRED` if the user must sign in again, or another program must refresh the credentials.
pub(super) fn load(profile: &str, session: &str, account: &Account) -> Result<Credentials, Error> {
    let sign_in = format!("run aws login --profile {}", shell::quoted(profile));
    let path = cache_file(session, account)?;
    let text =
        files::read_text(&path, "login_session", Kind::Expired).map_err(|error| {
            match error.kind() {
                Kind::Expired => {
                    let what = format!("the user of the profile {profile:?} is not signed in");
                    Error::new(Kind::Expired, what)
                        .cause(format!("its login_session has no file {}", path.display()))
                        .fix(&*sign_in)
                }
                _ => error.fix(&*sign_in),
            }
        })?;
    let wrong = |why: &str| {
        Error::new(Kind::Configuration, format!("{} {why}", path.display())).fix(&*sign_in)
    };
    let file: Map<String, Value> =
        serde_json::from_str(text.expose()).map_err(|_| wrong("is not a JSON object"))?;
    let token = file.get("accessToken").and_then(Value::as_object);
    let member = |name: &str| {
        let text = token.and_then(|token| token.get(name)?.as_str());
        text.ok_or_else(|| wrong(&format!("has no accessToken.{name}")))
    };
    let expiry = parse_rfc3339(member("expiresAt")?)
        .ok_or_else(|| wrong("has an accessToken.expiresAt that is not an RFC 3339 time"))?;
    if expiry <= account.cx.clock.now() {
        let what = format!(
            "the credentials of aws login in the profile {profile:?} expired at {}",
            rfc3339(expiry)
        );
        return Err(Error::new(Kind::Expired, what)
            .cause("wif-token does not refresh the credentials of login_session")
            .fix(format!(
                "run aws sts get-caller-identity --profile {0} to refresh them, or aws login \
                 --profile {0}, or set credential_process of another profile to aws configure \
                 export-credentials --profile {0}",
                shell::quoted(profile)
            )));
    }
    let place = path.display().to_string();
    let (key, secret) = (member("accessKeyId")?, member("secretAccessKey")?);
    from_server(key, secret, Some(member("sessionToken")?), Some(expiry), &place)
        .map_err(|error| error.of_kind(Kind::Configuration).fix(&*sign_in))
}

/// The cache file of a session, named by the SHA-256 of its name.
fn cache_file(session: &str, account: &Account) -> Result<PathBuf, Error> {
    let directory = match account.cx.env.text(DIRECTORY)? {
        Some(path) => expand_home(&path, account.cx)?,
        None => account.cx.env.home()?.unwrap_or_default().join(".aws/login/cache"),
    };
    let digest = digest(&SHA256, session.as_bytes());
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(directory.join(name + ".json"))
}
