//! Links: files and anchors that exist, including where the packages install the pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use super::pages::{Page, root};

/// The links of a page that lead nowhere.
pub(crate) fn broken(page: &Page, pages: &[Page]) -> Vec<String> {
    let why = |target: &str| -> Option<&str> {
        if let Some(rest) = target.strip_prefix("https://") {
            return (!rest.contains('.')).then_some("is not a URL");
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let name = resolve(&page.name, path);
        match pages.iter().find(|page| page.name == name) {
            Some(found) if !anchor.is_empty() && !found.headings.iter().any(|it| it == anchor) => {
                Some("has no such heading")
            }
            Some(_) => None,
            None if !root().join(&name).exists() => Some("does not exist"),
            None => None,
        }
    };
    let complaint = |(line, target): &(usize, String)| {
        Some(format!("{}:{line}: {target} {}", page.name, why(target)?))
    };
    page.links.iter().filter_map(complaint).collect()
}

/// The files that a page names and that do not exist.
pub(crate) fn missing(page: &Page) -> Vec<String> {
    let missing = page.files.iter().filter(|(_, file)| !root().join(file).exists());
    missing.map(|(line, file)| format!("{}:{line}: {file} does not exist", page.name)).collect()
}

/// The links of an installed page that lead to files that are not installed.
pub(crate) fn not_installed(page: &Page, installed: &BTreeSet<String>) -> Vec<String> {
    let local = page.links.iter().filter(|(_, target)| !target.contains("://"));
    let missing = local.filter(|(_, target)| {
        let path = target.split('#').next().unwrap_or_default();
        !installed.contains(&resolve(&page.name, path))
    });
    missing
        .map(|(line, target)| format!("{}:{line}: {target} is not installed", page.name))
        .collect()
}

/// The files that the packages install, according to packaging/documentation.txt.
pub(crate) fn installed() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let list = fs::read_to_string(root().join("packaging/documentation.txt")).unwrap();
    for name in list.lines().filter(|line| !line.starts_with('#')) {
        let path = root().join(name);
        assert!(path.exists(), "{name} does not exist");
        files(&path, &mut found);
    }
    found
}

fn files(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_file() {
        found.insert(path.strip_prefix(root()).unwrap().display().to_string());
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        files(&entry.unwrap().path(), found);
    }
}

/// The path of a link target from the root of the repository; an empty target is the page itself.
fn resolve(page: &str, path: &str) -> String {
    if path.is_empty() {
        return page.to_owned();
    }
    let mut parts: Vec<_> = Path::new(page).parent().unwrap().components().collect();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts.iter().collect::<std::path::PathBuf>().display().to_string()
}
