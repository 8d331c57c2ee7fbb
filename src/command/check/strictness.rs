//! Reports what this program accepts in a configuration and some clients do not: a byte order mark,
//! members that occur twice, that are null or empty, or that have the wrong type and are not used
//! by this program, and paths that only a shell completes.

use std::path::Path;

use serde_json::Value;

use super::empty_members;
use super::hosts::Address;
use super::report::Report;
use crate::configuration::credential_source::CredentialSource;
use crate::configuration::{CredentialConfig, duplicates, unsupported};
use crate::error::Kind;
use crate::files;
use crate::http::Url;
use crate::shell;
use crate::show;
use crate::token::TokenType;

const LINK: &str = "configuration";

/// Members that this program ignores, and that Go reads as a string.
const STRINGS: [&str; 10] = [
    "quota_project_id",
    "token_info_url",
    "project_id",
    "client_email",
    "revoke_url",
    "private_key",
    "private_key_id",
    "auth_uri",
    "token_uri",
    "refresh_token",
];

/// The members of [`STRINGS`] that Java reads too.
const JAVA: [&str; 2] = ["quota_project_id", "token_info_url"];

pub(super) fn check(config: &CredentialConfig, universe: &str, report: &mut Report) {
    file(&config.path, config.token_type == TokenType::Mtls, universe, report);
    match &config.source {
        CredentialSource::File(path, _) => token_file(path, report),
        CredentialSource::Url(_, headers, _) => {
            headers.iter().for_each(|(name, value)| header(name, value.expose(), report));
        }
        _ => {}
    }
}

/// Checks the text of a credential file of any type.
pub(super) fn file(path: &Path, mtls: bool, universe: &str, report: &mut Report) {
    let shown = show::path(path);
    let mut refused = |what: String, fix: String| {
        report.broken(LINK, Kind::Configuration, format!("{shown}{what}"), fix);
    };
    if files::has_byte_order_mark(path) {
        let what = " begins with a byte order mark, which Python, gcloud, Go, Node and Rust refuse";
        refused(what.to_owned(), format!("save {shown} as UTF-8 without a byte order mark"));
    }
    let text = files::read_text(path, "--credentials", Kind::Configuration);
    let text = text.as_ref().map_or("", |text| text.expose());
    if let Some(name) = duplicates::first(text) {
        let name = show::value(&name);
        let what = format!(
            ": the member {name} occurs twice, and clients disagree about which one to use"
        );
        refused(what, "remove one of them".to_owned());
    }
    let members: Value = serde_json::from_str(text).unwrap_or_default();
    for name in STRINGS {
        if members.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            let clients = if JAVA.contains(&name) { "Go and Java refuse" } else { "Go refuses" };
            let what = format!(": {name} is not a string, so {clients} the file");
            refused(what, format!("set {name} to a string in double quotes, or remove {name}"));
        }
    }
    if members.get("type").is_some_and(|kind| kind == "external_account") {
        for (what, fix) in empty_members::problems(&members).chain(unused(&members)) {
            refused(format!(": {what}"), fix);
        }
    }
    without_effect(&members, report);
    if let Some(url) = members.get("token_info_url").and_then(Value::as_str) {
        token_info_url(url, mtls, universe, report);
    }
}

/// Lists members that this program and most clients ignore, but that one client refuses.
fn unused(members: &Value) -> impl Iterator<Item = (String, String)> {
    let is_list =
        |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    let is_url = |value: &Value| value.as_str().is_some_and(|url| Url::parse(url).is_ok());
    let given = |name| members.get(name).filter(|value| !value.is_null());
    let scopes = given("scopes")
        .filter(|value| !is_list(value))
        .map(|_| ("scopes is not a list of strings, so Rust refuses the file", "remove scopes"));
    let name = "cloud_resource_manager_url";
    let manager = given(name).filter(|value| *value != "" && !is_url(value)).map(|_| {
        (
            "cloud_resource_manager_url is not a URL, so Node refuses the file",
            "remove cloud_resource_manager_url",
        )
    });
    let found = [scopes, manager].into_iter().flatten();
    found.map(|(what, fix)| (what.to_owned(), fix.to_owned()))
}

/// Reports members that every client ignores because of their place.
fn without_effect(members: &Value, report: &mut Report) {
    let Some(members) = members
        .as_object()
        .filter(|members| members.get("type").is_some_and(|kind| kind == "external_account"))
    else {
        return;
    };
    for (name, place) in unsupported::misplaced(members) {
        let message = format!("{name} has no effect, because it is not in {place}");
        report.warning(LINK, message, format!("move {name} to {place}"));
    }
    let has = |name| members.get(name).is_some_and(|value| !value.is_null() && value != "");
    let (own, url) = ("service_account_impersonation", "service_account_impersonation_url");
    if has(own) && !has(url) {
        let message = format!("{own} has no effect, because {url} is not set");
        report.warning(LINK, message, format!("set {url}, or remove {own}"));
    }
}

/// Checks a header for `credential_source.url`, which clients send unchanged.
fn header(name: &str, value: &str, report: &mut Report) {
    let shown = show::value(name);
    let mut refused = |what: &str, clients: &str| {
        let message = format!("the header {shown} {what}, which {clients} refuse");
        let fix = format!("correct {shown} in credential_source.headers");
        report.broken("source", Kind::Configuration, message, fix);
    };
    if value.starts_with(char::is_whitespace) {
        refused("begins with a space", "Python and gcloud");
    }
    if value.chars().any(|c| c > '\u{ff}') {
        refused("contains characters that are not in Latin-1", "Python, gcloud and Node");
    }
    if let Some((text, _)) = value.split(' ').find_map(shell::expansion) {
        let name = show::value(name);
        let message = format!("the header {name} contains {text}, which clients do not expand");
        let fix = format!(
            "write the value itself in credential_source.headers, or configure an executable \
             source, for example wif-token url --url=URL --header={name}:env:VARIABLE"
        );
        report.warning("source", message, fix);
    }
}

/// Checks `token_info_url`, to which gcloud sends the access token.
fn token_info_url(url: &str, mtls: bool, universe: &str, report: &mut Report) {
    let (link, member, service) = ("token service", "token_info_url", "sts");
    let Ok(url) = Url::parse(url) else { return };
    let path = "/v1/introspect".to_owned();
    let address = Address { link, member, url: &url, service, path, mtls };
    if address.problem(universe).is_some() {
        address.check(universe, report);
    }
}

/// Checks `credential_source.file`, whose content clients send unchanged.
fn token_file(path: &Path, report: &mut Report) {
    let (link, shown) = ("source", show::path(path));
    if files::has_byte_order_mark(path) {
        let message = format!(
            "{shown} begins with a byte order mark, which clients send as part of the token"
        );
        let fix = format!("save {shown} as UTF-8 without a byte order mark");
        report.broken(link, Kind::Configuration, message, fix);
    } else if !path.is_absolute() && files::mistaken_path(&shown, "").is_none() {
        let message = format!(
            "{shown} is not an absolute path, and clients may run in a different directory"
        );
        report.warning(link, message, "use an absolute path in credential_source.file");
    }
}
