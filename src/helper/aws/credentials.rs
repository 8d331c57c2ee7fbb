//! The credentials of a role: their form in the output and in a cached file.

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use crate::cache::{Cached, bound};
use crate::files::ownership::Existing;
use crate::google::access_token;
use crate::secret::Secret;
use crate::time::{self, rfc3339};

/// The value of the member `type` in a cached file.
const TYPE: &str = "aws_role_credentials";

/// Temporary credentials of a role.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    key_id: String,
    secret: Secret,
    session_token: Secret,
    /// When they were issued, in seconds since 1970.
    issued: i64,
    /// When they expire, in seconds since 1970.
    expiry: i64,
}

impl RoleCredentials {
    /// Creates credentials that are valid from `issued` to `expiry`, in seconds since 1970.
    pub(super) fn new(credentials: &Credentials, [issued, expiry]: [i64; 2]) -> RoleCredentials {
        RoleCredentials {
            key_id: credentials.access_key_id().to_owned(),
            secret: Secret::new(credentials.secret_access_key()),
            session_token: Secret::new(credentials.session_token().unwrap_or_default()),
            issued,
            expiry: time::limited(expiry, issued),
        }
    }

    /// The expiry to report to an SDK, in seconds since 1970. Like that of an access token, it is
    /// earlier than the real expiry, unless at most `min_life` seconds would remain until then.
    pub(super) fn expiry_for_clients(&self, now: i64, min_life: i64) -> i64 {
        let early = self.expiry.saturating_sub(self.spread(min_life));
        if early.saturating_sub(min_life) > now { early } else { self.expiry }
    }

    /// Whether a file contains such credentials, even if it was not written completely.
    pub(super) fn is_ours(existing: &Existing<'_>, _new: Option<&str>) -> bool {
        existing.content.starts_with(format!(r#"{{"type":"{TYPE}""#).as_bytes())
    }

    /// The output of a `credential_process`. `account` is the AWS account of the role. An SDK
    /// requests new credentials before `expiry`, in seconds since 1970.
    pub(super) fn to_json(&self, account: &str, expiry: i64) -> String {
        let credentials = json!({
            "Version": 1,
            "AccessKeyId": self.key_id,
            "SecretAccessKey": self.secret.expose(),
            "SessionToken": self.session_token.expose(),
            "Expiration": rfc3339(expiry),
            "AccountId": account,
        });
        format!("{credentials}\n")
    }
}

impl Cached for RoleCredentials {
    fn from_file(bytes: &[u8], request: &str) -> Result<RoleCredentials, &'static str> {
        let value = bound::read(bytes, request)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("type") != Some(TYPE) {
            return Err("it does not contain credentials of an AWS role");
        }
        let is_graphic =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte: u8| byte.is_ascii_graphic());
        let part = |name| {
            text(name).filter(is_graphic).ok_or("a part of the credentials is missing or not valid")
        };
        let expiry = value.get("expiration_time").and_then(time::whole_second);
        Ok(RoleCredentials {
            key_id: part("access_key_id")?.to_owned(),
            secret: Secret::new(part("secret_access_key")?),
            session_token: Secret::new(part("session_token")?),
            expiry: expiry.ok_or("it has no expiration_time")?,
            issued: value.get("issued").and_then(Value::as_i64).unwrap_or(i64::MIN),
        })
    }

    fn to_file(&self, request: &str) -> Secret {
        let members = json!({
            "type": TYPE,
            "access_key_id": self.key_id,
            "secret_access_key": self.secret.expose(),
            "session_token": self.session_token.expose(),
            "expiration_time": self.expiry,
            "issued": self.issued,
        });
        bound::to_request(members, request)
    }

    fn usable_until(&self) -> i64 {
        self.expiry
    }

    fn valid_until(&self) -> i64 {
        self.expiry
    }

    fn spread(&self, min_life: i64) -> i64 {
        access_token::spread_of(&self.session_token, [self.issued, self.expiry], min_life)
    }

    fn issued(&self) -> i64 {
        self.issued
    }

    fn without_margin(self) -> RoleCredentials {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn credentials() -> RoleCredentials {
        let found = Credentials::new("ASIAX", "s/+=", Some("t/+=".to_owned()), None, "test");
        RoleCredentials::new(&found, [1_795_273_200, 1_795_276_800])
    }

    #[test]
    fn the_output_is_that_of_a_credential_process() {
        assert_eq!(
            credentials().to_json("123456789012", 1_795_276_800),
            "{\"Version\":1,\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s/+=\",\
             \"SessionToken\":\"t/+=\",\"Expiration\":\"2026-11-21T16:00:00Z\",\
             \"AccountId\":\"123456789012\"}\n"
        );
    }

    #[test]
    fn credentials_are_not_used_forever() {
        let found = Credentials::new("ASIAX", "s", None, None, "test");
        assert_eq!(RoleCredentials::new(&found, [1000, i64::MAX]).expiry, 1000 + 90 * 86_400);
    }

    #[test]
    fn a_cached_file_is_used_only_for_its_request() {
        let file = credentials().to_file("d");
        let read = |text: &str, request| RoleCredentials::from_file(text.as_bytes(), request);
        let found = read(file.expose(), "d").unwrap();
        assert_eq!(found.to_json("1", 1), credentials().to_json("1", 1));
        assert_eq!([found.issued(), found.valid_until()], [1_795_273_200, 1_795_276_800]);
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
    fn credentials_with_the_same_lifetime_are_renewed_at_different_times() {
        let credentials = |number: usize| {
            let token = Some(format!("hunter2-{number}"));
            let found = Credentials::new("ASIAX", "s", token, None, "test");
            RoleCredentials::new(&found, [0, 3600])
        };
        let spreads = (0..100).map(|number| credentials(number).spread(600));
        let spreads = spreads.collect::<BTreeSet<_>>();
        assert!(spreads.len() > 50 && spreads.iter().all(|spread| (0..=300).contains(spread)));
        for number in 0..100 {
            let found = credentials(number);
            let early = 3600 - found.spread(600);
            assert_eq!(found.expiry_for_clients(0, 600), early);
            assert_eq!(found.expiry_for_clients(early - 600, 600), 3600);
        }
    }

    #[test]
    fn secrets_are_not_displayed() {
        let shown = format!("{:?}", credentials());
        assert!(!shown.contains("/+="), "{shown}");
    }
}
