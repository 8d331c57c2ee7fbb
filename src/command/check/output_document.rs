//! Checks the content of the output file before the command runs. Clients read this file first.
//! Some of them stop at a document that they cannot read, and never run the command that would
//! replace it.
//!
//! The behavior of each client was observed.

use std::path::Path;

use serde_json::Value;

use super::report::Report;
use crate::client::executable::{Allowed, Target};
use crate::client::subject_token;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::contract::document;
use crate::contract::existing::is_document_file;
use crate::contract::judgement::{self, Place, Trouble};
use crate::error::Kind;
use crate::files;
use crate::files::ownership;
use crate::shell::quoted;
use crate::show;
use crate::time::rfc3339;
use crate::token::{Audience, jwt};

const LINK: &str = "output file";

pub(super) fn check(
    path: &Path,
    allowed: &Allowed,
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) {
    match problem(path, allowed, config, cx) {
        Some(Trouble { what, fix, fails: true }) => {
            report.broken(LINK, Kind::Configuration, what, fix);
        }
        Some(Trouble { what, fix, fails: false }) => {
            report.warning(LINK, what, fix);
        }
        None => match ownership::require_replaceable(path, |file| is_document_file(file, None)) {
            Ok(()) => {
                report.ok(LINK, show::path(path));
            }
            Err(refusal) => {
                let what = format!("{} is not used: {refusal}", show::path(path));
                let fix = refusal.fix(path, "executable.output_file");
                report.broken(LINK, Kind::Configuration, what, fix);
            }
        },
    }
}

/// Finds what is wrong with the output file that another program left. This program never leaves an
/// invalid file.
pub(super) fn left_behind(config: &CredentialConfig, cx: &Context) -> Option<Trouble> {
    let CredentialSource::Executable { command, output_file, .. } = &config.source else {
        return None;
    };
    let allowed = Allowed::by(&cx.env).ok()?;
    let path = output_file.as_deref().filter(|path| path.is_file())?;
    match Target::of(command, &cx.env) {
        Target::ThisProgram(_) => None,
        Target::Other => {
            let Trouble { what, .. } =
                problem(path, &allowed, config, cx).filter(|trouble| trouble.fails)?;
            Some(Trouble::new(
                format!("it leaves an output file that clients refuse, because {what}"),
                "write the document to a temporary file in the same directory, and rename it",
            ))
        }
    }
}

fn problem(
    path: &Path,
    allowed: &Allowed,
    config: &CredentialConfig,
    cx: &Context,
) -> Option<Trouble> {
    let file = files::open_regular(path).ok()?;
    let bytes = files::read_limited(file, 2 * files::LIMIT).ok()?;
    let bytes = zeroize::Zeroizing::new(bytes.unwrap_or_default());
    if bytes.is_empty() {
        return None;
    }
    let document = match unreadable(path, &bytes) {
        Ok(document) => document,
        Err(problem) => return Some(problem),
    };
    if document.get("success") == Some(&Value::Bool(false)) {
        let clients = stopped_by_failure(&document);
        let what =
            format!("{} contains a failure document, so {clients} the command", path.display());
        return Some(Trouble::new(what, remove(path)));
    }
    let troubles = judgement::of_success(&document, config.token_type, Place::File);
    if let Some(Trouble { what, fix, fails }) = troubles.into_iter().next() {
        let shown = path.display();
        let what = format!("clients read {shown} before they run the command, and its {what}");
        let fix = match fails {
            true => remove(path),
            false => format!("configure the program that writes the file to {fix}"),
        };
        return Some(Trouble { what, fix, fails });
    }
    let expiry = document.get("expiration_time")?.as_i64()?;
    let now = cx.clock.now();
    if expiry <= now {
        return None;
    }
    let trouble = judgement::outlives_token(&document).map(|Trouble { what, fix, .. }| Trouble {
        what: format!("in {}, {what}", show::path(path)),
        fix: format!("configure the program that writes the file to {fix}, and {}", remove(path)),
        fails: document::expiry(&document).is_some_and(|expiry| expiry <= now),
    });
    match trouble {
        Some(trouble) if trouble.fails => Some(trouble),
        trouble => of_another(path, &document, expiry, allowed, config, cx).or(trouble),
    }
}

/// Which clients fail if the file contains a failure document. The other clients treat the document
/// as expired, unless they cannot read it.
fn stopped_by_failure(document: &Value) -> &'static str {
    let reasons = ["code", "message"].map(|name| document.get(name));
    let is_empty =
        |reason: &Option<&Value>| reason.is_some_and(|text| text.is_null() || text == "");
    match reasons {
        [None, _] | [_, None] => "Python, gcloud, Node, Java and Ruby fail and never run",
        _ if reasons.iter().any(is_empty) => "Node, Java and Ruby fail and never run",
        _ if !reasons.iter().flatten().all(|text| text.is_string()) => {
            "Go, Java and Ruby fail and never run"
        }
        _ => "Ruby fails and never runs",
    }
}

/// Parses the document. The error is why the file does not contain one.
fn unreadable(path: &Path, bytes: &[u8]) -> Result<Value, Trouble> {
    let shown = path.display();
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let stopped = "Go, Node, Java and PHP fail and never run the command";
    let own_file =
        format!("set executable.output_file to a file that nothing else uses, or {}", remove(path));
    match serde_json::from_slice::<Value>(bytes) {
        Ok(document) if document.get("version").is_some() => Ok(document),
        Ok(document) => {
            let empty = document.as_object().is_some_and(serde_json::Map::is_empty);
            let what = format!(
                "{shown} is JSON, but not a document with a version, so all clients except Rust \
                 fail and never run the command"
            );
            Err(Trouble::new(what, if empty { remove(path) } else { own_file }))
        }
        Err(_) if begins_with_document(bytes) => Err(Trouble::new(
            format!(
                "{shown} contains other text after the document, so Go, Node and PHP fail and never run \
                 the command"
            ),
            remove(path),
        )),
        Err(_) if text.is_empty() => Err(Trouble::new(
            format!("{shown} contains only whitespace or NUL characters, so {stopped}"),
            remove(path),
        )),
        Err(_) if text.starts_with('\u{feff}') => Err(Trouble::new(
            format!("{shown} begins with a byte order mark, so {stopped}"),
            remove(path),
        )),
        Err(_) if text.starts_with('{') => {
            Err(Trouble::new(format!("{shown} is not complete JSON, so {stopped}"), remove(path)))
        }
        Err(_) => {
            let what = match jwt::claims(text).is_some() {
                true => format!("{shown} contains only a token, not a document, so {stopped}"),
                false => format!("{shown} is not JSON, so {stopped}"),
            };
            Err(Trouble::new(what, own_file))
        }
    }
}

/// Whether a document is followed by other text.
fn begins_with_document(bytes: &[u8]) -> bool {
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    matches!(documents.next(), Some(Ok(Value::Object(_))))
}

/// Reports a token that clients use until it expires, although it is not the token of this
/// configuration.
fn of_another(
    path: &Path,
    document: &Value,
    expiry: i64,
    allowed: &Allowed,
    config: &CredentialConfig,
    cx: &Context,
) -> Option<Trouble> {
    let used = |whose: &str| {
        let what = format!(
            "{} contains a token {whose}, and clients use it until {} without running the command",
            path.display(),
            rfc3339(expiry)
        );
        let own_file = "give each configuration its own executable.output_file";
        Trouble::new(what, format!("{own_file}, and {}", remove(path)))
    };
    match subject_token::is_cached(allowed, config, cx) {
        Some(true) => return None,
        // The token is that of this configuration before a change, or that of another
        // configuration.
        Some(false) if document::is_ours(document) => {
            let fix = format!(
                "{} if you have changed the configuration, or give each configuration its own \
                 executable.output_file",
                remove(path)
            );
            return Some(Trouble { fix, ..used("that wif-token got for a different request") });
        }
        Some(false) => {
            return Some(match provider_of(document, config) {
                Some(provider) => used(&format!("for {provider}, from another program")),
                None => used("from another program"),
            });
        }
        None => {}
    }
    provider_of(document, config).map(|provider| used(&format!("for {provider}")))
}

/// The pool provider that the token in a document is for, if it is not the one in the
/// configuration.
fn provider_of(document: &Value, config: &CredentialConfig) -> Option<String> {
    let token = document.get("id_token")?.as_str()?;
    let claims = token.split('.').nth(1).and_then(jwt::object)?;
    let audiences: Vec<&str> = match claims.get("aud")? {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let own = Audience::new(config.audience.as_str());
    if audiences.iter().any(|audience| own.is(audience)) {
        return None;
    }
    let others = audiences.iter().filter_map(|audience| another_provider(audience, config));
    others.into_iter().next()
}

/// The short name of the pool provider that an audience names, if it is not the one in the
/// configuration, which must not allow tokens for another provider.
pub(super) fn another_provider(audience: &str, config: &CredentialConfig) -> Option<String> {
    let audience = Audience::new(audience);
    let provider = PoolProvider::parse(audience.without_scheme()).ok()?;
    (!provider.is_named(&config.audience))
        .then(|| format!("the provider {:?} of the pool {:?}", provider.provider, provider.pool))
}

fn remove(path: &Path) -> String {
    let path = path.display().to_string();
    match cfg!(windows) {
        true => format!("remove {path}"),
        false => format!("run rm {}", quoted(&path)),
    }
}
