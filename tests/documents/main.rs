//! The documentation is correct: every fenced block is run, parsed or checked, and every link leads
//! somewhere.
//!
//! `CONTRIBUTING.md` says what happens to a block of each language. Nothing is skipped: an unknown
//! language, and in a shell block an unknown command, is a failure.
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;
mod fixtures;
mod forms;
mod links;
mod messages;
mod names;
mod output;
mod pages;
mod sandbox;
mod shell;

use std::fs;
use std::thread;

use pages::{Block, Page, root};
use sandbox::Sandbox;

/// Fails with all findings in one message.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_block_is_correct() {
    let pages = pages::all();
    let complaints = thread::scope(|scope| {
        let part = pages.len().div_ceil(4);
        let parts =
            pages.chunks(part).map(|part| scope.spawn(|| part.iter().flat_map(page).collect()));
        let parts: Vec<_> = parts.collect();
        parts
            .into_iter()
            .flat_map(|part| -> Vec<String> { part.join().unwrap() })
            .collect::<Vec<_>>()
    });
    none(&complaints);
}

/// Checks the blocks of a page in one session: each block finds the files of the blocks before it.
fn page(page: &Page) -> Vec<String> {
    let mut sandbox = Sandbox::new();
    let complaint = |block: &Block| {
        let why = check(block, &mut sandbox).err()?;
        Some(format!("{}:{} ({}): {why}", page.name, block.line, block.language))
    };
    page.blocks.iter().filter_map(complaint).collect()
}

fn check(block: &Block, sandbox: &mut Sandbox) -> Result<(), String> {
    match block.language.as_str() {
        "sh" => sandbox.session(&block.text),
        "console" => sandbox.console(&block.text),
        "args" => sandbox.arguments(&block.text),
        "powershell" | "bat" => {
            forms::administration(&block.text)?;
            shell::of_windows(&block.text).iter().try_for_each(|line| sandbox.session(line))
        }
        "json" => match forms::json(&block.text)? {
            config if config["type"] == "external_account" => sandbox.configuration(&block.text),
            _ => Ok(()),
        },
        "yaml" => forms::yaml(&block.text),
        "xml" => forms::xml(&block.text),
        "csharp" | "hcl" | "python" | "sql" | "dockerfile" | "ini" | "toml" => {
            forms::balanced(&block.text)
        }
        "text" if block.text.starts_with("wif-token ") => synopsis(&block.text),
        "text" => forms::diagram(&block.text),
        "" => Err("the block has no language".to_owned()),
        other => Err(format!("the language {other} has no rule: see CONTRIBUTING.md")),
    }
}

/// Checks that a synopsis names a source, command or helper, and only options in its help.
fn synopsis(text: &str) -> Result<(), String> {
    let mut words = text.split_whitespace().skip(1);
    let name = match words.next() {
        Some("helper") => format!("helper {}", words.next().unwrap_or("")),
        name => name.unwrap_or("").to_owned(),
    };
    let world = common::World::new();
    let help = world.run(&format!("help {name}"));
    // A word in place of a source has separate options.
    let own = world.run(&format!("help {name} {}", words.next().unwrap_or("")));
    let known = world.run("help").stdout + &help.stdout + &own.stdout;
    let mut options = text.split(['[', ']', ' ', '\n', '=']).filter(|word| word.starts_with("--"));
    match options.find(|option| !known.contains(&format!("  {option}"))) {
        _ if help.status != 0 => Err(format!("{name} has no help")),
        Some(option) => Err(format!("{name} has no {option}")),
        None => Ok(()),
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    none(&pages.iter().flat_map(|page| links::broken(page, &pages)).collect::<Vec<_>>());
}

#[test]
fn every_quoted_message_exists() {
    let spoken = messages::spoken();
    assert!(spoken.len() > 500, "{}", spoken.len());
    none(
        &pages::all().iter().flat_map(|page| messages::unknown(page, &spoken)).collect::<Vec<_>>(),
    );
}

#[test]
fn every_file_that_a_page_names_exists() {
    none(&pages::all().iter().flat_map(links::missing).collect::<Vec<_>>());
}

#[test]
fn installed_files_refer_only_to_installed_files() {
    let installed = links::installed();
    let pages = pages::all();
    let pages = pages.iter().filter(|page| installed.contains(&page.name));
    none(&pages.flat_map(|page| links::not_installed(page, &installed)).collect::<Vec<_>>());
}

#[test]
fn the_readme_is_short_and_names_the_test_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 250);
    assert!(readme.contains("\n```sh\ntests/all\n```\n"));
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert_eq!(ci.lines().last(), Some("tests/all"));
}
