//! Credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, as on AWS
//! Lambda.

use super::{Account, Lookup, made};
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::time::parse_rfc3339;

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let env = &account.cx.env;
    let secret = |name| env.text(name).map(|value| value.map(Secret::new));
    let Some(key) = env.text("AWS_ACCESS_KEY_ID")? else {
        return Ok(Lookup::Absent("AWS_ACCESS_KEY_ID is not set".to_owned()));
    };
    let Some(secret_key) = secret("AWS_SECRET_ACCESS_KEY")? else {
        return Err(Error::new(
            Kind::Configuration,
            "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not",
        )
        .fix("set both or none"));
    };
    let token = secret("AWS_SESSION_TOKEN")?;
    let expiry = env.text("AWS_CREDENTIAL_EXPIRATION")?;
    let expiry = expiry.as_deref().and_then(parse_rfc3339);
    let token = token.as_ref().map(Secret::expose);
    let what = "what AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN hold";
    made(&key, secret_key.expose(), token, expiry, what).map(Lookup::Found)
}
