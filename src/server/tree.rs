//! The paths below `/computeMetadata/v1` that do not need a request to Google.
//!
//! A path with a slash at the end is a directory; without the slash, the server redirects to it.
//! A directory is a list of names, or with `?recursive=true` a JSON object, whose names are in camel
//! case. A value is text, or with `?alt=json` JSON.
//! <https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>

use serde_json::{Map, Value, json};

use super::response::{JSON, TEXT};

/// The project and the service account that the server reports.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The email address of the service account, or `default` if there is none.
    pub email: String,
    /// The ID of the project.
    pub project: Option<String>,
    /// The number of the project.
    pub project_number: Option<u64>,
    /// The universe domain.
    pub universe: String,
    /// The default scopes.
    pub scopes: Vec<String>,
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A response with this content type and body.
    Body(&'static str, String),
    /// A directory whose path lacks the slash at the end.
    Redirect,
    /// Nothing.
    Nothing,
}

/// Looks up a path below `/computeMetadata/v1/`.
pub(super) fn find(identity: &Identity, path: &str, recursive: bool, alt: Option<&str>) -> Found {
    let root = tree(identity);
    let mut node = &root;
    for name in path.trim_end_matches('/').split('/').filter(|name| !name.is_empty()) {
        match node.get(name) {
            Some(child) => node = child,
            None => return Found::Nothing,
        }
    }
    let is_directory = node.is_object();
    if is_directory && !path.is_empty() && !path.ends_with('/') {
        return Found::Redirect;
    }
    if !is_directory && path.ends_with('/') {
        return Found::Nothing;
    }
    let shows_json = alt == Some("json") || (recursive && alt != Some("text"));
    match (shows_json, recursive || !is_directory) {
        (true, true) => Found::Body(JSON, camel(node).to_string()),
        (true, false) => Found::Body(JSON, json!(names(node)).to_string()),
        (false, true) => Found::Body(TEXT, text(node, "")),
        (false, false) => {
            let names = names(node);
            Found::Body(TEXT, names.iter().map(|name| format!("{name}\n")).collect())
        }
    }
}

fn tree(identity: &Identity) -> Value {
    let Identity { email, project, project_number, universe, scopes } = identity;
    let account = json!({ "aliases": ["default"], "email": email, "scopes": scopes });
    let mut accounts = Map::new();
    accounts.insert(email.clone(), account.clone());
    accounts.insert("default".to_owned(), account);
    let mut about = Map::new();
    about.insert("attributes".to_owned(), json!({}));
    about.extend(project_number.map(|number| ("numeric-project-id".to_owned(), json!(number))));
    about.extend(project.as_ref().map(|id| ("project-id".to_owned(), json!(id))));
    json!({
        "instance": { "attributes": {}, "service-accounts": accounts },
        "project": about,
        "universe": { "universe-domain": universe },
    })
}

/// The names in a directory; those of directories end with a slash. The entries that need a request
/// are listed with the account.
fn names(node: &Value) -> Vec<String> {
    let members = node.as_object().into_iter().flatten();
    let mut names: Vec<String> = members
        .map(|(name, child)| if child.is_object() { format!("{name}/") } else { name.clone() })
        .collect();
    if node.get("aliases").is_some() {
        names.extend(["identity", "token"].map(str::to_owned));
    }
    names.sort();
    names
}

/// A node with its names in camel case. The names of accounts stay unchanged.
fn camel(node: &Value) -> Value {
    let Value::Object(members) = node else { return node.clone() };
    let name = |name: &str| {
        let mut parts = name.split('-');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |name, part| {
            let (head, tail) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
            name + &head.to_uppercase() + tail
        })
    };
    let is_fixed = |key: &str| key.contains('@');
    let pair = |(key, child): (&String, &Value)| {
        (if is_fixed(key) { key.clone() } else { name(key) }, camel(child))
    };
    members.iter().map(pair).collect()
}

/// A value as text, or each value below a directory on a line with its path.
fn text(node: &Value, path: &str) -> String {
    match node {
        Value::Object(members) => members
            .iter()
            .map(|(name, child)| match child {
                Value::Object(_) => text(child, &format!("{path}{name}/")),
                _ => format!("{path}{name} {}\n", text(child, "").trim_end()),
            })
            .collect(),
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).map(|item| format!("{item}\n")).collect()
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            email: "app@my-project.iam.gserviceaccount.com".to_owned(),
            project: Some("my-project".to_owned()),
            project_number: Some(123),
            universe: "googleapis.com".to_owned(),
            scopes: vec!["scope-a".to_owned(), "scope-b".to_owned()],
        }
    }

    fn body(path: &str, recursive: bool, alt: Option<&str>) -> String {
        match find(&identity(), path, recursive, alt) {
            Found::Body(_, body) => body,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn values_and_directories_are_those_of_google() {
        let account = "instance/service-accounts/default";
        for (path, expected) in [
            ("", "instance/\nproject/\nuniverse/\n"),
            ("project/", "attributes/\nnumeric-project-id\nproject-id\n"),
            ("project/project-id", "my-project"),
            ("project/numeric-project-id", "123"),
            ("universe/universe-domain", "googleapis.com"),
            ("instance/service-accounts/", "app@my-project.iam.gserviceaccount.com/\ndefault/\n"),
            (&format!("{account}/"), "aliases\nemail\nidentity\nscopes\ntoken\n"),
            (&format!("{account}/email"), "app@my-project.iam.gserviceaccount.com"),
            (&format!("{account}/scopes"), "scope-a\nscope-b\n"),
            (&format!("{account}/aliases"), "default\n"),
        ] {
            assert_eq!(body(path, false, None), expected, "{path}");
        }
        assert_eq!(
            body(&format!("{account}/"), true, None),
            r#"{"aliases":["default"],"email":"app@my-project.iam.gserviceaccount.com","scopes":["scope-a","scope-b"]}"#
        );
        assert_eq!(
            body("project/", true, None),
            r#"{"attributes":{},"numericProjectId":123,"projectId":"my-project"}"#
        );
        assert_eq!(body("project/project-id", false, Some("json")), "\"my-project\"");
        assert_eq!(body("universe/", true, Some("text")), "universe-domain googleapis.com\n");
        assert!(body("instance/", true, None).contains(r#""serviceAccounts":{"app@my-"#));
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in
            ["x", "instance/id", "project/project-id/", "instance/service-accounts/b@c/email"]
        {
            assert_eq!(find(&identity(), path, false, None), Found::Nothing, "{path}");
        }
        assert_eq!(find(&identity(), "instance/service-accounts", false, None), Found::Redirect);
        assert_eq!(find(&identity(), "instance", true, None), Found::Redirect);
    }
}
