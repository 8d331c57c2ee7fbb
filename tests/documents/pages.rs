//! The pages, and what is in them: fenced blocks, headings and links.

use std::fs;
use std::path::{Path, PathBuf};

/// The pages outside `docs/`.
const TOP: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "packaging/README.md"];

/// A page of the documentation.
pub(crate) struct Page {
    /// Its path from the root of the repository.
    pub(crate) name: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) headings: Vec<String>,
    /// The targets of its links, with their lines.
    pub(crate) links: Vec<(usize, String)>,
    /// The files of the repository that it names, with their lines.
    pub(crate) files: Vec<(usize, String)>,
    /// The messages in the first column of its tables of messages, with their lines.
    pub(crate) messages: Vec<(usize, String)>,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn all() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = TOP.iter().map(|name| root().join(name)).collect();
    markdown(&root().join("docs"), &mut paths);
    paths.sort();
    assert!(paths.len() > 8, "{paths:?}");
    paths.iter().map(|path| Page::read(path)).collect()
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.extension() {
            _ if path.is_dir() => markdown(&path, found),
            Some(ending) if ending == "md" => found.push(path),
            _ => {}
        }
    }
}

impl Page {
    fn new(name: String) -> Page {
        let (blocks, headings, links) = (Vec::new(), Vec::new(), Vec::new());
        Page { name, blocks, headings, links, files: Vec::new(), messages: Vec::new() }
    }

    fn read(path: &Path) -> Page {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(path).unwrap();
        let mut page = Page { files: named(&text), ..Page::new(name) };
        let mut is_troubleshooting = false;
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let trimmed = line.trim_start();
            if let Some(language) = trimmed.strip_prefix("```") {
                let indent = line.len() - trimmed.len();
                let block = lines.by_ref().map(|(_, line)| line);
                let text = block.take_while(|line| line.trim() != "```");
                let text: String =
                    text.map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n").collect();
                page.blocks.push(Block {
                    line: number + 1,
                    language: language.trim().to_owned(),
                    text,
                });
            } else if trimmed.starts_with('#') {
                page.headings.push(anchor(trimmed.trim_start_matches('#').trim()));
            } else {
                is_troubleshooting = trimmed.starts_with('|')
                    && (is_troubleshooting || trimmed.starts_with("| Message |"));
                if is_troubleshooting {
                    let cell = line.split(" | ").next().unwrap_or("");
                    let quoted = cell.split('`').skip(1).step_by(2);
                    let quoted = quoted.filter(|quoted| quoted.contains(' '));
                    page.messages.extend(quoted.map(|quoted| (number + 1, quoted.to_owned())));
                }
                page.links.extend(targets(line).into_iter().map(|target| (number + 1, target)));
            }
        }
        page
    }
}

/// The anchor that GitHub creates for a heading.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The words in a text that are paths in the folders of the program, of its tests and of its
/// packaging.
fn named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words = line.split([' ', '`', '(', ')', ',', '|', '"', '<', '>']);
        let words = words.map(|word| word.trim_end_matches(['.', ':', ';']));
        let paths = words.filter(|word| {
            ["src/", "tests/", "packaging/"].iter().any(|top| word.starts_with(top))
        });
        let exact = paths.filter(|path| !path.contains(['{', '…', '*']) && !path.contains("NAME"));
        found.extend(exact.map(|path| (number + 1, path.to_owned())));
    }
    found
}

/// The targets of the links in a line. Code spans contain no links.
fn targets(line: &str) -> Vec<String> {
    let outside: Vec<&str> = line.split('`').step_by(2).collect();
    let outside = outside.join("`");
    let targets = outside.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(
        anchor("`oidc --flow=device`: a user, with a pool"),
        "oidc---flowdevice-a-user-with-a-pool"
    );
    assert_eq!(targets("see [a](b.md#c), `[no](d)` and [`e`](f)"), ["b.md#c", "f"]);
}
