//! The credentials of a role: their form in the output and in a cached file.

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use crate::cache::{Cached, sealed};
use crate::files::ownership::Existing;
use crate::secret::Secret;
use crate::time::{LAST_SECOND, rfc3339};

/// The value of the member `type` in a cached file.
const TYPE: &str = "aws_role_credentials";

/// Temporary credentials of a role.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    key_id: String,
    secret: Secret,
    session_token: Secret,
    /// When they expire, in seconds since 1970.
    expiry: i64,
}

impl RoleCredentials {
    /// These credentials, which expire at `expiry`, in seconds since 1970.
    pub(super) fn new(credentials: &Credentials, expiry: i64) -> RoleCredentials {
        RoleCredentials {
            key_id: credentials.access_key_id().to_owned(),
            secret: Secret::new(credentials.secret_access_key()),
            session_token: Secret::new(credentials.session_token().unwrap_or_default()),
            expiry,
        }
    }

    /// Whether a file was written for such credentials, completely or not.
    pub(super) fn is_ours(existing: &Existing<'_>, _new: Option<&str>) -> bool {
        existing.content.starts_with(format!(r#"{{"type":"{TYPE}""#).as_bytes())
    }

    /// The output of a `credential_process`, for a role of this account.
    pub(super) fn to_json(&self, account: &str) -> String {
        let credentials = json!({
            "Version": 1,
            "AccessKeyId": self.key_id,
            "SecretAccessKey": self.secret.expose(),
            "SessionToken": self.session_token.expose(),
            "Expiration": rfc3339(self.expiry),
            "AccountId": account,
        });
        format!("{credentials}\n")
    }
}

impl Cached for RoleCredentials {
    fn from_file(bytes: &[u8], request: &str) -> Result<RoleCredentials, &'static str> {
        let value = sealed::open(bytes, request)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("type") != Some(TYPE) {
            return Err("it does not contain credentials of an AWS role");
        }
        let is_graphic =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte: u8| byte.is_ascii_graphic());
        let part = |name| {
            text(name).filter(is_graphic).ok_or("a part of the credentials is missing or not valid")
        };
        let expiry = value.get("expiration_time").and_then(Value::as_i64);
        Ok(RoleCredentials {
            key_id: part("access_key_id")?.to_owned(),
            secret: Secret::new(part("secret_access_key")?),
            session_token: Secret::new(part("session_token")?),
            expiry: expiry
                .filter(|time| *time <= LAST_SECOND)
                .ok_or("it has no expiration_time")?,
        })
    }

    fn to_file(&self, request: &str) -> Secret {
        let members = json!({
            "type": TYPE,
            "access_key_id": self.key_id,
            "secret_access_key": self.secret.expose(),
            "session_token": self.session_token.expose(),
            "expiration_time": self.expiry,
        });
        sealed::seal(members, request)
    }

    fn usable_until(&self) -> i64 {
        self.expiry
    }

    fn valid_until(&self) -> i64 {
        self.expiry
    }

    fn without_margin(self) -> RoleCredentials {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> RoleCredentials {
        let found = Credentials::new("ASIAX", "s/+=", Some("t/+=".to_owned()), None, "test");
        RoleCredentials::new(&found, 1_795_276_800)
    }

    #[test]
    fn the_output_is_that_of_a_credential_process() {
        assert_eq!(
            credentials().to_json("123456789012"),
            "{\"Version\":1,\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s/+=\",\
             \"SessionToken\":\"t/+=\",\"Expiration\":\"2026-11-21T16:00:00Z\",\
             \"AccountId\":\"123456789012\"}\n"
        );
    }

    #[test]
    fn a_cached_file_is_used_only_for_its_request() {
        let file = credentials().to_file("d");
        let read = |text: &str, request| RoleCredentials::from_file(text.as_bytes(), request);
        let found = read(file.expose(), "d").unwrap();
        assert_eq!(found.to_json("1"), credentials().to_json("1"));
        assert_eq!(found.valid_until(), 1_795_276_800);
        assert!(read(file.expose(), "e").is_err());
        for (from, to) in [
            ("ASIAX", ""),
            ("s/+=", "s s"),
            ("t/+=", "t\\n"),
            ("1795276800", "1795276800000"),
            ("1795276800", "\"1795276800\""),
            (TYPE, "access_token"),
            ("}", ""),
        ] {
            let bad = file.expose().replacen(from, to, 1);
            assert_ne!(bad, file.expose());
            assert!(read(&bad, "d").is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_displayed() {
        let shown = format!("{:?}", credentials());
        assert!(!shown.contains("/+="), "{shown}");
    }
}
