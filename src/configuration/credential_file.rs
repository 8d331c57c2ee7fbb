//! A credential file of any supported type.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Map, Value};

use super::members::{GCLOUD_LOGIN, Members, WIF_TOKEN_CONFIG};
use super::user::UserCredentials;
use super::{CredentialConfig, Impersonation, impersonation};
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::grammar::is_service_account;
use crate::options::nearest;
use crate::shell::{self, quoted};
use crate::show::{self, Content};

/// The content of a credential file.
#[derive(Debug)]
pub enum CredentialFile {
    /// `external_account`: a subject token from another identity provider.
    ExternalAccount(Box<CredentialConfig>),
    /// `authorized_user` or `external_account_authorized_user`.
    User(Box<UserCredentials>),
    /// `impersonated_service_account`: other credentials, and a service account that they
    /// impersonate.
    Impersonated {
        /// The credentials in `source_credentials`.
        source: Box<CredentialFile>,
        /// The service account.
        account: Box<Impersonation>,
        /// The service accounts between them, in order from the source.
        delegates: Vec<String>,
        /// The scopes of its tokens if no others are requested.
        scopes: Vec<String>,
    },
}

/// The types that are supported.
const TYPES: &[&str] = &[
    "external_account",
    "authorized_user",
    "external_account_authorized_user",
    "impersonated_service_account",
];

impl CredentialFile {
    /// Reads the file at `path`, which the option or variable `place` contains.
    ///
    /// # Errors
    /// `CONFIGURATION` if the file is not valid, or of a type that is not supported.
    pub fn read(path: &Path, place: &'static str) -> Result<CredentialFile, Error> {
        let text = files::read_text(path, place, Kind::Configuration)?;
        let shown = show::path(path);
        let value: Value = serde_json::from_str(text.expose()).map_err(|error| {
            let wrong = Error::new(Kind::Configuration, format!("{shown} is not JSON"));
            match other_content(text.expose(), path) {
                Some((what, fix)) => wrong.cause(what).fix(fix),
                None => {
                    let (line, column) = (error.line(), error.column());
                    let slip =
                        (!error.is_eof()).then(|| slip(text.expose(), line, column)).flatten();
                    let (what, fix) = slip.unwrap_or((
                        "syntax error",
                        "correct the file, or create it again with wif-token config SOURCE",
                    ));
                    wrong.cause(format!("{what} in line {line}, column {column}")).fix(fix)
                }
            }
        })?;
        let digest = digest([text.expose().as_bytes()].into_iter());
        CredentialFile::parse(&value, path, None, digest)
    }

    /// Reads an object: the whole file, or its member `inside`.
    pub(crate) fn parse(
        value: &Value,
        path: &Path,
        inside: Option<&'static str>,
        digest: String,
    ) -> Result<CredentialFile, Error> {
        let empty = Map::new();
        let map = value.as_object().unwrap_or(&empty);
        let prefix = if inside.is_some() { "source_credentials." } else { "" };
        let members = Members { map, path, inside: prefix.to_owned(), fix: WIF_TOKEN_CONFIG };
        let is_own =
            map.get("type").and_then(Value::as_str).is_some_and(|own| TYPES.contains(&own));
        if let Some(name) = wrapper(map).filter(|_| !is_own) {
            let cause = format!("the credentials are in the member {name}");
            let file = quoted(&path.to_string_lossy()).into_owned();
            let fix = format!(
                "write only this member to another file, for example with jq .{name} {file}"
            );
            return Err(unusable(path, prefix, (cause, fix)));
        }
        let kind = members.text("type")?;
        let of_user = Members { map, path, inside: prefix.to_owned(), fix: GCLOUD_LOGIN };
        let user = |is_workforce| {
            let user = UserCredentials::read(&of_user, path, inside, is_workforce)?;
            Ok(CredentialFile::User(Box::new(user)))
        };
        match kind.as_deref() {
            Some("external_account") => CredentialConfig::parse(value, path, digest)
                .map(|config| CredentialFile::ExternalAccount(Box::new(config))),
            Some("authorized_user") => user(false),
            Some("external_account_authorized_user") => user(true),
            // Google's libraries do not accept nested impersonation either.
            Some("impersonated_service_account") if inside.is_none() => {
                impersonated(&of_user, path, digest)
            }
            None => {
                let (cause, fix) = other_value(value);
                let fix = fix.replace("FILE", &quoted(&path.to_string_lossy()));
                Err(unusable(path, prefix, (cause, fix)))
            }
            Some(found) => Err(other_type(found, path, prefix)),
        }
    }
}

/// Recognizes a common mistake at the place of a syntax error, and returns the mistake and the fix.
fn slip(text: &str, line: usize, column: usize) -> Option<(&'static str, &'static str)> {
    let current = text.lines().nth(line.checked_sub(1)?)?;
    let at = column.saturating_sub(1);
    let (before, rest) = current.split_at_checked(at).unwrap_or((current, ""));
    let before = text.lines().take(line - 1).chain([before]).collect::<Vec<_>>().join("\n");
    let is_closed = before.trim_end().ends_with('}') && !before.trim_start().starts_with("//");
    Some(match rest {
        _ if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| current.starts_with(mark)) => {
            ("it has the marks of a merge conflict", "resolve the conflict, and remove the marks")
        }
        _ if ["//", "/*", "#"].iter().any(|start| rest.starts_with(start)) => {
            ("it has a comment", "remove the comments, which JSON does not allow")
        }
        _ if rest.starts_with('\'') => {
            ("it has a single quotation mark", "write names and values in double quotes")
        }
        _ if rest.starts_with(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}']) => (
            "it has a typographic quotation mark",
            "write names and values in straight double quotes",
        ),
        _ if rest.starts_with(['}', ']']) && before.trim_end().ends_with(',') => {
            ("it has a comma before the closing bracket", "remove the comma after the last member")
        }
        _ if rest.starts_with('"') && !before.trim_end().ends_with([',', '{', '[', ':']) => {
            ("it has no comma between two members", "add the comma")
        }
        _ if is_closed && serde_json::from_str::<Value>(&before).is_ok() => {
            ("it has text after the JSON object", "remove the text after the object")
        }
        _ => return None,
    })
}

/// Recognizes what a file contains instead of JSON, and returns it with the fix.
fn other_content(text: &str, path: &Path) -> Option<(&'static str, String)> {
    let trimmed = text.trim();
    let file = path.to_string_lossy();
    let file = quoted(&file);
    Some(match trimmed {
        _ if show::is_base64_json(trimmed) => (
            "it is base64-encoded",
            format!("decode it, for example with base64 -d {file}, and save the result"),
        ),
        _ if text.contains('\0') => {
            ("it is UTF-16 text", format!("save {file} as UTF-8 without a byte order mark"))
        }
        _ if trimmed.starts_with("version https://git-lfs") => {
            ("it is a pointer of Git LFS", "run git lfs pull".to_owned())
        }
        _ if trimmed.starts_with("{{") || shell::expansion(trimmed).is_some() => (
            "it is an unexpanded variable or template expression",
            format!("write the credentials themselves to {file}"),
        ),
        "" => ("it is empty", WIF_TOKEN_CONFIG.to_owned()),
        _ if trimmed.starts_with("type:") => ("it is YAML", format!("write {file} as JSON")),
        _ if trimmed.starts_with("apiVersion:") || trimmed.starts_with("kind:") => (
            "it is a manifest of Kubernetes",
            format!(
                "write only the JSON in its data to {file}, decoded with base64 -d if it is a \
                 Secret"
            ),
        ),
        _ if trimmed.starts_with('<') && !trimmed.starts_with("<<") => (
            "it is HTML or XML, usually a sign-in page or an error page",
            "download or create the file again".to_owned(),
        ),
        _ => match show::content(trimmed)? {
            Content::Jwt | Content::Token => (
                "it is a token",
                format!("create a configuration for it with wif-token config file --path={file}"),
            ),
            Content::Pem => {
                ("it is a key or a certificate in PEM format", WIF_TOKEN_CONFIG.to_owned())
            }
            _ => return None,
        },
    })
}

/// Explains why a JSON value is not an object with credentials, with the fix.
fn other_value(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::String(_) => (
            "it is a JSON string, so the object was encoded twice",
            "decode it once, for example with jq -r . FILE",
        ),
        Value::Array(_) => ("it is a list", "remove the brackets around the object"),
        Value::Object(map) if map.contains_key("installed") || map.contains_key("web") => (
            "it is an OAuth client, not credentials",
            "run gcloud auth application-default login --client-id-file=FILE, and use the file that it \
             writes",
        ),
        Value::Object(map) if map.contains_key("apiVersion") && map.contains_key("kind") => (
            "it is a manifest of Kubernetes",
            "write only the JSON in its data to FILE, decoded with base64 -d if it is a Secret",
        ),
        Value::Object(map) if map.contains_key("sops") => {
            ("it is encrypted with SOPS", "decrypt it with sops --decrypt FILE")
        }
        _ => ("the member type is not set", WIF_TOKEN_CONFIG),
    }
}

/// What gcloud writes before the email address of a delegate.
const ACCOUNTS: &str = "projects/-/serviceAccounts/";

fn impersonated(members: &Members, path: &Path, digest: String) -> Result<CredentialFile, Error> {
    let account = impersonation(members)?;
    let account = account.ok_or_else(|| members.missing("service_account_impersonation_url"))?;
    let delegates = members.texts("delegates")?;
    let email = |name: String| name.strip_prefix(ACCOUNTS).map(str::to_owned).unwrap_or(name);
    let delegates: Vec<String> = delegates.into_iter().map(email).collect();
    if !delegates.iter().all(|name| is_service_account(name)) {
        return Err(members
            .wrong("delegates contains a name that is not the email address of a service account")
            .fix("set delegates to a list of email addresses of service accounts"));
    }
    let source = match members.map.get("source_credentials") {
        None | Some(Value::Null) => Err(members.missing("source_credentials")),
        Some(source) if source.is_object() => Ok(source),
        Some(_) => Err(members.wrong("source_credentials is not an object").fix(GCLOUD_LOGIN)),
    }?;
    let source = CredentialFile::parse(source, path, Some("source_credentials"), digest)?;
    let scopes = members.texts("scopes")?;
    let (source, account) = (Box::new(source), Box::new(account));
    Ok(CredentialFile::Impersonated { source, account, delegates, scopes })
}

/// Finds the member that contains the credentials, for example in the output of `terraform output
/// -json`.
fn wrapper(map: &Map<String, Value>) -> Option<&str> {
    let is_credentials = |value: &Value| {
        value.get("type").and_then(Value::as_str).is_some_and(|kind| TYPES.contains(&kind))
    };
    let is_name = |name: &str| {
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word && name.len() <= 40 && show::content(name).is_none()
    };
    let (name, _) = map.iter().find(|(name, value)| is_name(name) && is_credentials(value))?;
    Some(name)
}

/// The error for a file or object without usable credentials, with the cause and the fix.
fn unusable(path: &Path, inside: &str, (cause, fix): (impl Display, impl Into<String>)) -> Error {
    let shown = show::path(path);
    let what = match inside.is_empty() {
        true => format!("{shown} does not contain usable credentials"),
        false => format!("source_credentials in {shown} cannot be used"),
    };
    Error::new(Kind::Configuration, what).cause(cause).fix(fix)
}

fn other_type(found: &str, path: &Path, inside: &str) -> Error {
    let (cause, fix) = match found {
        "service_account" => (
            "it is a service account key, a long-lived secret that works for anyone who copies the \
             file"
                .to_owned(),
            "run wif-token config SOURCE --service-account=EMAIL to set up access without a key, \
             then delete the key with gcloud iam service-accounts keys delete"
                .to_owned(),
        ),
        "impersonated_service_account" => (
            "it is itself of the type impersonated_service_account".to_owned(),
            "set source_credentials to the credentials of the first account of the chain, and \
             delegates to the accounts in between"
                .to_owned(),
        ),
        _ => {
            // A text of another form may be a secret.
            let is_type = found.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let shown = if is_type { format!(" {}", show::value(found)) } else { String::new() };
            let cause = format!("its type{shown} is not supported");
            let name = found.trim().to_ascii_lowercase().replace('-', "_");
            let known = nearest(&name, TYPES.iter().copied());
            let fix = known.map(|known| format!("set type to {known}"));
            (cause, fix.unwrap_or_else(|| WIF_TOKEN_CONFIG.to_owned()))
        }
    };
    unusable(path, inside, (cause, fix))
}
