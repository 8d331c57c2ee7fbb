//! Members that are null, empty or missing. This program reads them as missing, as some clients do; other
//! clients refuse the file. Templates and `jsonencode` of Terraform write such members for a value that
//! is not set.
//!
//! Java reads null as an object, and fails when it expects a string. What the other clients do was
//! observed, with Python google-auth 2.62, Node google-auth-library 10.9 and Rust google-cloud-auth 1.18.
//! <https://github.com/googleapis/google-auth-library-java/blob/main/oauth2_http/java/com/google/auth/oauth2/ExternalAccountCredentials.java>

use serde_json::Value;

use crate::configuration::unsupported::VERIFICATION;

/// The path of a member, the sources with which it matters (`ANY`: all), the clients that refuse it
/// if it is null, and those that refuse it if it is an empty string.
type Row = (&'static str, &'static [&'static str], &'static str, &'static str);

const ANY: &[&str] = &[];
const TOKEN: &[&str] = &["file", "url"];
const AWS: &[&str] = &["environment_id"];
const EXECUTABLE: &[&str] = &["executable"];

/// The project to bill, which clients allow only for a workforce pool.
const USER_PROJECT: &str = "workforce_pool_user_project";

const MEMBERS: &[Row] = &[
    ("universe_domain", ANY, "Python and Java refuse", ""),
    ("token_info_url", ANY, "Java refuses", ""),
    (
        "service_account_impersonation_url",
        ANY,
        "Java refuses",
        "Python, gcloud, Java and Rust refuse",
    ),
    ("service_account_impersonation", ANY, "Java refuses", ""),
    ("service_account_impersonation.token_lifetime_seconds", ANY, "Java refuses", ""),
    ("client_id", ANY, "Java refuses", ""),
    ("client_secret", ANY, "Java refuses", ""),
    (USER_PROJECT, ANY, "Java refuses", "Java and Rust refuse"),
    ("quota_project_id", ANY, "Java refuses", ""),
    ("credential_source.executable", TOKEN, "Java refuses", ""),
    ("credential_source.executable.timeout_millis", ANY, "Node and Java refuse", ""),
    ("credential_source.executable.output_file", ANY, "Java refuses", ""),
    ("credential_source.environment_id", EXECUTABLE, "Java refuses", "Rust refuses"),
    (
        "credential_source.environment_id",
        TOKEN,
        "Python, gcloud and Java refuse",
        "Python, gcloud and Rust refuse",
    ),
    ("credential_source.file", &["url"], "Java refuses", "Python, gcloud and Java refuse"),
    ("credential_source.url", &["file"], "Java refuses", "Python, gcloud, Java and Rust refuse"),
    ("credential_source.url", AWS, "Java refuses", ""),
    ("credential_source.headers", &["url"], "Node and Java refuse", ""),
    ("credential_source.headers", &["file"], "Java refuses", "Go and Java refuse"),
    ("credential_source.format", TOKEN, "Python, gcloud and Java refuse", ""),
    ("credential_source.format.type", TOKEN, "Java and Rust refuse", "Java refuses"),
    ("credential_source.format.subject_token_field_name", TOKEN, "Rust refuses", "Rust refuses"),
    ("credential_source.region_url", AWS, "Java refuses", ""),
    ("credential_source.imdsv2_session_token_url", AWS, "Java refuses", "Rust refuses"),
    (
        "credential_source.regional_cred_verification_url",
        AWS,
        "Python, gcloud, Node and Java refuse",
        "Python, gcloud, Node, Java and Rust refuse",
    ),
];

/// Lists what is wrong with a configuration of the type `external_account`, with the fix, for each
/// member that is null, empty or missing.
pub(super) fn problems(members: &Value) -> impl Iterator<Item = (String, String)> {
    let source = members.get("credential_source");
    let is_given = |name: &&&str| {
        let value = source.and_then(|source| source.get(**name));
        value.is_some_and(|value| !value.is_null() && value != "")
    };
    // AWS sources have a url too.
    let kind = ["environment_id", "executable", "url", "file"].iter().find(is_given).copied();
    let audience = members.get("audience").and_then(Value::as_str).unwrap_or_default();
    let is_workforce = audience.contains("/workforcePools/");
    let found = MEMBERS.iter().filter_map(move |(path, sources, null, empty)| {
        let value = members.pointer(&format!("/{}", path.replace('.', "/")))?;
        let (state, clients) = match value {
            Value::Null => ("null", null),
            // No client refuses this member for a workforce pool.
            Value::String(_) if *path == USER_PROJECT && is_workforce => return None,
            Value::String(text) if text.is_empty() => ("empty", empty),
            _ => return None,
        };
        let matters = sources.is_empty() || kind.is_some_and(|kind| sources.contains(&kind));
        let is_refused = matters && !clients.is_empty();
        is_refused
            .then(|| (format!("{path} is {state}, which {clients}"), format!("remove {path}")))
    });
    found.chain(source.zip(kind).and_then(|(source, kind)| of_source(source, kind)))
}

/// Like [`problems`], for members of a `credential_source` of this kind that are not in the table.
fn of_source(source: &Value, kind: &str) -> Option<(String, String)> {
    let members = |name| source.get(name).and_then(Value::as_object);
    let (what, fix) = match kind {
        "environment_id" if source.get(VERIFICATION.0).is_none() => (
            format!(
                "credential_source.{} is missing, which Python, gcloud, Node and Java refuse",
                VERIFICATION.0
            ),
            format!("set credential_source.{} to {}", VERIFICATION.0, VERIFICATION.1),
        ),
        "url" if members("headers").is_some_and(|map| map.values().any(Value::is_null)) => (
            "a member of credential_source.headers is null, which Rust refuses".to_owned(),
            "set the member to a string in double quotes".to_owned(),
        ),
        "url" | "file" if !members("format")?.contains_key("type") => (
            "credential_source.format.type is missing, which Rust refuses".to_owned(),
            "set credential_source.format.type to text or json".to_owned(),
        ),
        _ => return None,
    };
    Some((what, fix))
}
