//! Credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, for example
//! on AWS Lambda.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html>

use super::{Account, Lookup, from_user};
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::time::parse_rfc3339;

pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let env = &account.cx.env;
    let text = |name| env.text(name).map(|value| value.filter(|value| !value.trim().is_empty()));
    let secret = |name| text(name).map(|value| value.map(Secret::new));
    let Some(key) = text("AWS_ACCESS_KEY_ID")? else {
        return Ok(Lookup::absent(match env.get("AWS_ACCESS_KEY_ID") {
            Some(_) => "AWS_ACCESS_KEY_ID is empty",
            None => "AWS_ACCESS_KEY_ID is not set",
        }));
    };
    let Some(secret_key) = secret("AWS_SECRET_ACCESS_KEY")? else {
        let what = "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not set";
        return Err(Error::new(Kind::Configuration, what)
            .fix("set AWS_SECRET_ACCESS_KEY, or unset AWS_ACCESS_KEY_ID"));
    };
    let token = secret("AWS_SESSION_TOKEN")?;
    let expiry = env.text("AWS_CREDENTIAL_EXPIRATION")?;
    let expiry = expiry.as_deref().and_then(parse_rfc3339);
    let token = token.as_ref().map(Secret::expose);
    let place = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN";
    from_user(&key, secret_key.expose(), token, expiry, place).map(Lookup::Found)
}
