//! Command lines and what they print, in `tests/transcripts`: see [`common::transcript`].
//!
//! `UPDATE=1 cargo test --test transcripts` rewrites the outputs.

mod common;

use std::thread;

#[test]
fn transcripts() {
    let mut paths = common::setup::entries("transcripts");
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let failed: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = paths.iter().map(|path| scope.spawn(|| check(path))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// `wif-token help` lists the sources, commands and helpers; `help.txt` has the help of each.
#[test]
fn help_txt_contains_the_help_of_every_source_command_and_helper() {
    let pinned = include_str!("transcripts/help.txt");
    let help: &'static str = common::World::new().run("help").stdout.leak();
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let name = |line: &'static str| line.strip_prefix("  ")?.split(' ').next().filter(is_name);
    let section = |part: &'static str| {
        let before = if part.starts_with("helpers") { "helper " } else { "" };
        part.lines().filter_map(name).map(move |name| before.to_owned() + name)
    };
    let names = help.split("\n\n").flat_map(section);
    let missing: Vec<_> = names
        .clone()
        .filter(|name| !pinned.contains(&format!("$ wif-token help {name}\n")))
        .collect();
    assert!(names.count() >= 20 && missing.is_empty(), "add to help.txt: {missing:?}");
}

#[test]
fn options_for_help_print_the_same_help() {
    for (option, word) in [("--help", "help"), ("-h", "help"), ("oidc --help", "help oidc")] {
        let run = |line| common::World::new().run(line);
        assert_eq!(run(option).stdout, run(word).stdout, "{option}");
    }
}

fn check(path: &std::path::Path) -> Result<(), String> {
    let name = path.file_name().unwrap().display();
    common::transcript::check(path).map_err(|why| format!("{name}: {why}"))
}
