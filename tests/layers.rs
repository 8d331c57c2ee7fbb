//! The modules form layers: every `use` refers to a lower layer or to its own module, and no two
//! files of the same module use each other in a circle.
//!
//! docs/architecture.md shows the layers. This test reads the text of `crate::…` and `super::…`
//! paths outside unit tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, from the lowest layer to the highest. The modules in one row do not use each other.
const LAYERS: &[&[&str]] = &[
    &["hex"],
    &["der", "formats", "redaction", "secret", "show", "spread"],
    &["error", "time", "shell", "stdio", "terminal"],
    &["files", "random", "token", "x509"],
    &["world"],
    &["lock", "lookup", "http", "program"],
    &["cache", "context", "options"],
    &["contract", "signing_key"],
    &["configuration", "source"],
    &["google"],
    &["client"],
    &["helper", "server"],
    &["command"],
    &["cli"],
    &["fuzzing"],
    &["lib", "main"],
];

#[test]
fn every_module_uses_only_lower_layers() {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut wrong = Vec::new();
    for (file, text) in files() {
        let from = top(&file);
        let level = layer(&from).unwrap_or_else(|| panic!("{from} is in no layer"));
        for to in used(&text).filter(|to| *to != from) {
            match layer(&to) {
                Some(below) if below < level => {}
                Some(_) => wrong.push(format!("{} uses {to}", file.display())),
                None => wrong.push(format!("{}: {to} is in no layer", file.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "uses of a module that is not in a lower layer:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let files = files();
    let modules: BTreeMap<String, &str> =
        files.iter().map(|(file, text)| (module_path(file), text.as_str())).collect();
    let arrows: BTreeMap<String, BTreeSet<String>> = modules
        .iter()
        .map(|(from, text)| {
            let to = paths(text, from).into_iter().filter_map(|path| target(&path, &modules));
            // The mod.rs of a folder and its files may use each other.
            let to = to.filter(|to| !is_within(from, to) && !is_within(to, from));
            (from.clone(), to.collect())
        })
        .collect();
    let from: BTreeMap<_, _> =
        arrows.keys().map(|start| (start, reached(start, &arrows))).collect();
    let is_of_circle =
        |(a, b): &(&String, &String)| from.get(b).is_some_and(|reached| reached.contains(*a));
    let all = arrows.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let circles: Vec<_> = all.filter(is_of_circle).map(|(a, b)| format!("{a} uses {b}")).collect();
    assert!(circles.is_empty(), "arrows of circles:\n{}", circles.join("\n"));
}

/// All modules to which arrows lead from this one.
fn reached<'a>(
    start: &String,
    arrows: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = arrows[start].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(arrows.get(module).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn the_parser_of_this_test_finds_arrows() {
    let text = "use crate::{files, lock};\nuse crate::http::Url;\nlet x = crate::error::one_line;";
    let found: BTreeSet<String> = used(text).collect();
    assert_eq!(found, ["error", "files", "http", "lock"].map(str::to_owned).into());
    let found = paths("use super::b::{C, d};\nuse super::super::e::F;\n", "a::b::x");
    assert_eq!(found, ["a::b::b::C", "a::b::b::d", "a::e::F"]);
    let of_a = "mod b;\npub use self::b::{B, C as D};\nuse crate::e::E;";
    let modules = BTreeMap::from([("a", of_a), ("a::b", ""), ("a::c", ""), ("e", "")]);
    let modules = modules.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    for (path, expected) in
        [("a::B", "a::b"), ("a::D", "a::b"), ("a::E", "e"), ("a::F", "a"), ("a::c::x", "a::c")]
    {
        assert_eq!(target(path, &modules).as_deref(), Some(expected), "{path}");
    }
}

/// Every source file, below `src`, with its text before the unit tests.
fn files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                let text = text.split("\nmod tests").next().unwrap().to_owned();
                found
                    .push((entry.strip_prefix(&root).unwrap().to_owned(), without_comments(&text)));
            }
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    found.sort();
    found
}

fn without_comments(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The top-level module that a file belongs to.
fn top(file: &Path) -> String {
    let first = file.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn module_path(file: &Path) -> String {
    let path = file.with_extension("").display().to_string().replace('/', "::");
    path.trim_end_matches("::mod").to_owned()
}

/// The top-level modules that a text names.
fn used(text: &str) -> impl Iterator<Item = String> {
    let paths = expanded(text, "crate::", "");
    paths.into_iter().map(|path| path.split("::").next().unwrap_or_default().to_owned())
}

/// The paths from the crate's root that a text names, in the file of the module `from`.
fn paths(text: &str, from: &str) -> Vec<String> {
    let mut found = expanded(text, "crate::", "");
    found.extend(expanded(text, "self::", &format!("{from}::")));
    let (mut start, mut above) = ("super::".to_owned(), from);
    while !above.is_empty() {
        above = above.rsplit_once("::").map_or("", |(parent, _)| parent);
        let prefix = if above.is_empty() { String::new() } else { format!("{above}::") };
        found.extend(expanded(text, &start, &prefix));
        start.push_str("super::");
    }
    found
}

/// The paths that begin with `start`. `prefix` is the module path that `start` stands for.
fn expanded(text: &str, start: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, _) in text.match_indices(start) {
        let rest = &text[index + start.len()..];
        if !text[..index].ends_with(['_', ':']) && !rest.starts_with("super::") {
            expand(rest, prefix, &mut found);
        }
    }
    found
}

/// Adds the path at the start of `text`, or each of the paths in braces.
fn expand(text: &str, prefix: &str, found: &mut Vec<String>) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c: char| !is_name(c) && c != ':').unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let path = format!("{prefix}{path}");
    let Some(inner) = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
        found.push(path.trim_end_matches("::").to_owned());
        return;
    };
    let names = inner.split(',').map(str::trim).filter(|name| !name.is_empty());
    found.extend(names.map(|name| match name {
        "self" => path.trim_end_matches("::").to_owned(),
        name => format!("{path}{name}"),
    }));
}

/// The module that a path leads into. Where a module only imports the name, that is the module it
/// imports it from.
fn target(path: &str, modules: &BTreeMap<String, &str>) -> Option<String> {
    let mut module = path;
    while !modules.contains_key(module) {
        module = module.rsplit_once("::")?.0;
    }
    let name = path.strip_prefix(module)?.trim_start_matches("::").split("::").next()?;
    let imported = paths(&imports(modules[module]), module).into_iter().find_map(|import| {
        let (of, as_name) = import.split_once(" as ").unwrap_or((&import, ""));
        let last = if as_name.is_empty() { of.rsplit("::").next()? } else { as_name };
        (last == name && of != path && !name.is_empty()).then(|| of.to_owned())
    });
    match imported {
        Some(import) => target(&import, modules),
        None => Some(module.to_owned()),
    }
}

/// The `use` declarations of a text.
fn imports(text: &str) -> String {
    let statements = text.split_inclusive(';');
    let uses = statements.filter_map(|statement| {
        let start = statement.trim_start();
        let is_use = start.starts_with("use ")
            || start.starts_with("pub") && start.split_whitespace().any(|word| word == "use");
        is_use.then_some(start)
    });
    uses.collect()
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}
