//! The members of a configuration that this program does not use.
//!
//! A member that changes whom the token is for is refused by name: a client that supports the
//! member gets the token of one identity, and this program would silently get that of another. All
//! other unknown members are ignored, as every client does.
//!
//! - At the top level, clients and tools store settings that have nothing to do with the identity
//!   (`quota_project_id`, `token_info_url`, `trust_boundary`, comments). Only the names in
//!   [`IDENTITY`] are refused.
//! - The objects inside the configuration exist only to select a token. Any unknown member may
//!   select another token, so all except notes are refused.

use serde_json::{Map, Value};

use super::members::Members;
use crate::error::Error;
use crate::options::nearest;

/// Top-level members that change the identity of the token, or that name another type of
/// credentials. `*` stands for any ending.
const IDENTITY: &[(&str, &str)] = &[
    // With these members, the token exchange (RFC 8693) returns a token for two parties.
    ("actor_*", "it makes another party act for the subject"),
    // The library calls code of the application instead of using credential_source.
    ("subject_token_*", "it selects another subject token"),
    ("aws_security_credentials_*", "it selects other AWS credentials"),
    ("certificate*", "it selects the client certificate as identity"),
    ("credential_source_*", "it selects another subject token"),
    // Members of impersonated_service_account and of service account keys.
    ("source_credentials", "it selects other credentials"),
    ("delegat*", "it changes the impersonation chain; use --delegate instead"),
    ("impersonat*", "it selects the service account"),
    ("service_account_*", "it selects the service account"),
    ("target_principal", "it selects the service account"),
    ("requested_*", "it selects another kind of token"),
    ("resource", "it selects the recipient of the token"),
    ("workforce_pool_*", "it selects the principal"),
    ("workload_*", "it selects the principal"),
];

/// The top-level members that [`IDENTITY`] covers, but that this program uses.
const TOP: &[&str] = &[
    "subject_token_type",
    "service_account_impersonation_url",
    "service_account_impersonation",
    "workforce_pool_user_project",
];

/// The members of `credential_source` that select where the token comes from. A configuration has
/// one of them, because clients disagree about which one to use.
const PLACES: [&str; 5] = ["executable", "environment_id", "certificate", "file", "url"];

/// The other members of `credential_source`. Those of AWS are checked by [`aws_urls`].
const SOURCE: &[&str] = &["format", "headers"];

/// The members of `credential_source` for AWS, with the ends of the values that every client uses by
/// default. Another value selects the credentials of another host, or signs another request.
const AWS: &[(&str, &[&str])] = &[
    ("url", &["/latest/meta-data/iam/security-credentials"]),
    (
        "region_url",
        &["/latest/meta-data/placement/availability-zone", "/latest/meta-data/placement/region"],
    ),
    ("imdsv2_session_token_url", &["/latest/api/token"]),
];
/// The servers of the AWS instance metadata.
const METADATA_SERVERS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];
/// The request that every client signs by default.
pub const VERIFICATION: (&str, &str) = (
    "regional_cred_verification_url",
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
);

/// The members that have an effect only in one object, listed by object.
const PLACE: &[(&str, &[&str])] = &[
    ("service_account_impersonation", &["token_lifetime_seconds"]),
    ("credential_source.executable", EXECUTABLE),
    ("credential_source", &["executable", "file", "url", "headers", "format", "environment_id"]),
];

/// The members of `credential_source.executable`.
const EXECUTABLE: &[&str] =
    &["command", "timeout_millis", "interactive_timeout_millis", "output_file"];

/// Refuses the members of the top level that change whom the token is for.
///
/// # Errors
/// `CONFIGURATION` with the name of the first such member.
pub(super) fn refuse_at_the_top(members: &Members) -> Result<(), Error> {
    for name in given(members).filter(|name| !TOP.contains(name)) {
        if let Some((_, why)) = IDENTITY.iter().find(|(pattern, _)| covers(pattern, name)) {
            return Err(refused(members, name).cause(why));
        }
    }
    match members.object("service_account_impersonation")? {
        Some(object) => refuse_unknown(&object, &["token_lifetime_seconds"]),
        None => Ok(()),
    }
}

/// Refuses the members of `credential_source` and its objects that select another token.
///
/// # Errors
/// `CONFIGURATION` with the name of the first such member.
pub(super) fn refuse_in_source(source: &Members) -> Result<(), Error> {
    let is_aws = given(source).any(|name| name == "environment_id");
    let mut places = PLACES.iter().filter(|name| given(source).any(|given| given == **name));
    match (places.next(), places.next()) {
        (Some(first), Some(second)) if !(is_aws && *second == "url") => {
            return Err(source
                .wrong(&format!("{first} and {second} cannot be used together"))
                .cause("clients disagree about which one to use")
                .fix(format!("remove {first} or {second} from credential_source")));
        }
        _ => {}
    }
    aws_urls(source, is_aws)?;
    let known: Vec<&'static str> = PLACES.iter().chain(SOURCE).copied().collect();
    let aws: Vec<&'static str> =
        AWS.iter().map(|(name, _)| *name).chain([VERIFICATION.0]).collect();
    refuse_unknown(source, &[known, aws].concat())?;
    let certificate =
        ["use_default_certificate_config", "certificate_config_location", "trust_chain_path"];
    for (name, known) in [
        ("executable", EXECUTABLE),
        ("certificate", &certificate),
        ("format", &["type", "subject_token_field_name"]),
    ] {
        if let Some(object) = source.object(name)? {
            refuse_unknown(&object, known)?;
        }
    }
    Ok(())
}

/// Refuses the URLs of an AWS source that are not the default of every client. Without
/// `environment_id`, refuses all members that only AWS sources have.
fn aws_urls(source: &Members, is_aws: bool) -> Result<(), Error> {
    for name in given(source).filter(|name| is_aws || *name != "url") {
        let value = source.map.get(name).and_then(Value::as_str).unwrap_or_default();
        let usual = match AWS.iter().find(|(known, _)| *known == name) {
            Some((_, ends)) => METADATA_SERVERS.iter().any(|server| {
                let end = value.strip_prefix(server).map(|end| end.trim_end_matches('/'));
                end.is_some_and(|end| ends.contains(&end))
            }),
            None if name == VERIFICATION.0 => value == VERIFICATION.1,
            None => continue,
        };
        if !is_aws {
            return Err(source
                .wrong(&format!("{name} requires environment_id"))
                .cause("without it, clients do not use the AWS credentials")
                .fix("set credential_source.environment_id to aws1"));
        }
        if !usual {
            return Err(source
                .wrong(&format!("{name} is not the default, and other values are not supported"))
                .cause("it selects different AWS credentials or signs a different request")
                .fix(
                    "create the configuration with gcloud iam workload-identity-pools \
                      create-cred-config --aws, or use wif-token aws as the executable",
                ));
        }
    }
    Ok(())
}

fn refuse_unknown(members: &Members, known: &[&'static str]) -> Result<(), Error> {
    match given(members).find(|name| !known.contains(name) && !is_note(name)) {
        Some(name) => {
            let refused = refused(members, name).cause("it may select another token");
            let place = PLACE.iter().find(|(_, names)| names.contains(&name));
            // A name that begins with another letter is probably not a typing mistake.
            let is_similar = |known: &&str| known.get(..1) == name.get(..1);
            Err(match (place, nearest(name, known.iter().copied()).filter(is_similar)) {
                (Some((place, _)), _) => refused.fix(format!("move {name} to {place}")),
                (None, Some(known)) => refused.fix(format!("rename {name} to {known}")),
                (None, None) => refused,
            })
        }
        None => Ok(()),
    }
}

/// Lists the top-level members that belong in another object, where clients look for them, each
/// with that object.
pub fn misplaced(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &'static str)> {
    map.keys().filter_map(|name| {
        let (place, _) = PLACE.iter().find(|(_, names)| names.contains(&name.as_str()))?;
        Some((name.as_str(), *place))
    })
}

fn refused(members: &Members, name: &str) -> Error {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let shown = if name.len() <= 64 && name.chars().all(fits) { name } else { "a member" };
    members
        .wrong(&format!("{shown} is not supported"))
        .fix(format!("remove {shown}, or use a Google client library that supports it"))
}

/// The names of the members that have a value.
fn given<'a>(members: &Members<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let is_given = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    members.map.iter().filter(move |(_, value)| is_given(value)).map(|(name, _)| name.as_str())
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Whether a member is a note by the author of the file, which no client reads.
fn is_note(name: &str) -> bool {
    name.starts_with(['_', '$', '/', '#'])
        || ["comment", "comments", "description", "name", "note", "notes"].contains(&name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn refusal(value: &Value) -> Option<String> {
        let empty = serde_json::Map::new();
        let path = Path::new("/c.json");
        let map = value.as_object().unwrap_or(&empty);
        let members = Members { map, path, inside: String::new(), fix: "" };
        let source = members.object("credential_source").unwrap();
        let refused = refuse_at_the_top(&members)
            .and_then(|()| source.map_or(Ok(()), |source| refuse_in_source(&source)));
        refused.err().map(|error| error.to_string())
    }

    fn expect_refusals<const N: usize>(cases: [(Value, &str); N]) {
        for (value, words) in cases {
            let refusal = refusal(&value).unwrap_or_default();
            assert!(refusal.contains(words), "{value}: {refusal}");
        }
    }

    #[test]
    fn members_that_select_another_token_are_refused_by_name() {
        expect_refusals([
            (
                json!({"actor_token_type": "urn:x"}),
                "/c.json: actor_token_type is not supported: it makes another party",
            ),
            (json!({"actor_token": {"file": "/a"}}), "actor_token is not"),
            (json!({"delegates": ["a@b"]}), "delegates is not"),
            (json!({"subject_token_supplier": "x"}), "subject_token_supplier is not"),
            (json!({"source_credentials": {}}), "source_credentials is not"),
            (json!({"service_account_email": "a@b"}), "service_account_email is not"),
            (json!({"workforce_pool_user": "a"}), "workforce_pool_user is not"),
            (
                json!({"service_account_impersonation": {"delegates": ["a@b"]}}),
                "service_account_impersonation.delegates is not",
            ),
        ]);
    }

    #[test]
    fn members_of_the_source_that_select_another_token_are_refused_by_name() {
        let file =
            |name: &str, value: Value| json!({"credential_source": {"file": "/t", name: value}});
        expect_refusals([
            (
                file("format", json!({"type": "json", "actor_token_field_name": "a"})),
                "format.actor_token_field_name is not supported: it may select another token",
            ),
            (
                file("certificate", json!({})),
                "certificate and file cannot be used together: clients disagree",
            ),
            (file("url", json!("https://x")), "file and url cannot be used together"),
            (
                file("executable", json!({"command": "x"})),
                "executable and file cannot be used together",
            ),
            (
                file("environment_id", json!("aws1")),
                "environment_id and file cannot be used together",
            ),
            (file("method", json!("POST")), "credential_source.method is not"),
            (
                file("regional_cred_verification_url", json!("https://x")),
                "regional_cred_verification_url requires environment_id",
            ),
            (
                json!({"credential_source": {"executable": {"command": "x", "environment": {}}}}),
                "executable.environment is not",
            ),
            (json!({"credential_source": {"file": "/t", "a b": 1}}), "a member is not supported"),
            (
                file("timeout_millis", json!(5000)),
                "move timeout_millis to credential_source.execut",
            ),
            (file("headres", json!({})), "rename headres to headers"),
        ]);
    }

    #[test]
    fn urls_of_aws_that_are_not_the_default_are_refused() {
        let aws = |name: &str, value: &str| json!({"credential_source": {"environment_id": "aws1", name: value}});
        expect_refusals([
            (
                aws(
                    "regional_cred_verification_url",
                    "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
                ),
                "regional_cred_verification_url is not the default",
            ),
            (
                aws("url", "http://169.254.169.253/latest/meta-data/iam/security-credentials"),
                "url is not the default",
            ),
            (
                aws(
                    "url",
                    "http://169.254.169.254.example/latest/meta-data/iam/security-credentials",
                ),
                "url is not the default",
            ),
            (
                aws("region_url", "http://169.254.169.254/latest/api/token"),
                "region_url is not the default",
            ),
        ]);
    }

    #[test]
    fn other_members_are_ignored() {
        for value in [
            json!({"quota_project_id": "p", "token_info_url": "https://x", "trust_boundary": {}, "comment": "c", "cloud_resource_manager_url": "https://x"}),
            json!({"actor_token_type": null, "delegates": "", "resource": []}),
            json!({"subject_token_type": "t", "workforce_pool_user_project": "1", "service_account_impersonation": {"token_lifetime_seconds": 600}}),
            json!({"credential_source": {"file": "/t", "url": null, "_note": "n", "headers": {}, "format": {"type": "text"}}}),
            json!({"credential_source": {"executable": {"command": "x", "timeout_millis": 5000, "interactive_timeout_millis": 30000, "output_file": "/o", "description": "d"}}}),
            json!({"credential_source": {
                "environment_id": "aws1",
                "url": "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
                "region_url": "http://[fd00:ec2::254]/latest/meta-data/placement/availability-zone",
                "imdsv2_session_token_url": "http://169.254.169.254/latest/api/token",
                "regional_cred_verification_url": VERIFICATION.1,
            }}),
        ] {
            assert_eq!(refusal(&value), None, "{value}");
        }
    }
}
