//! Every name that the command line accepts is on its page, and each page is in the tables of
//! pages.

use std::fs;

use crate::common::World;
use crate::pages::root;

fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|why| panic!("{page}: {why}"))
}

/// The folder of `docs/` and the name of each source, command and helper.
fn names() -> Vec<(&'static str, String)> {
    let help = World::new().run("help").stdout;
    let of = |folder: &'static str| {
        let section = help.split("\n\n").find(|part| part.starts_with(folder)).unwrap();
        let lines = section.lines().skip(1).filter_map(|line| line.strip_prefix("  "));
        let words = lines.filter_map(|line| line.split(' ').next());
        let words = words.filter(|word| !word.is_empty()).map(|name| (folder, name.to_owned()));
        words.collect::<Vec<_>>()
    };
    ["sources", "commands", "helpers"].into_iter().flat_map(of).collect()
}

/// The words that an option accepts, from the message about a wrong word.
fn choices(line: &str) -> Vec<String> {
    let message = World::new().run(line).stderr;
    let list = message.split_once("must be one of ").unwrap().1.split(';').next().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_source_command_and_helper_has_a_page_and_a_row() {
    let (readme, index) = (text("README.md"), text("docs/README.md"));
    let names = names();
    assert!(names.len() > 15, "{names:?}");
    for (folder, name) in names {
        let page = format!("{folder}/{name}.md");
        text(&format!("docs/{page}"));
        assert!(readme.contains(&format!("](docs/{page})")), "README.md has no link to {page}");
        assert!(index.contains(&format!("]({page})")), "docs/README.md has no link to {page}");
    }
}

/// Whether a page contains this option, and not only a longer one that begins with it.
fn names_option(page: &str, option: &str) -> bool {
    let is_longer = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
    page.split(option).skip(1).any(|rest| !is_longer(rest))
}

#[test]
fn every_option_is_on_the_page_of_its_source_command_or_helper() {
    let world = World::new();
    let common = world.run("help").stdout;
    let (mut count, mut missing) = (0, Vec::new());
    for (folder, name) in names() {
        let word = if folder == "helpers" { "helper " } else { "" };
        let help = world.run(&format!("help {word}{name}")).stdout;
        let page = text(&format!("docs/{folder}/{name}.md"));
        let lines = help.lines().map(str::trim_start);
        let options = lines.filter(|line| line.starts_with("--"));
        let options = options.map(|line| line.split([' ', '=', ',']).next().unwrap());
        for option in options.filter(|option| !names_option(&common, option)) {
            count += 1;
            if !names_option(&page, option) {
                missing.push(format!("docs/{folder}/{name}.md: {option}"));
            }
        }
    }
    assert!(missing.is_empty() && count > 100, "{count}: {missing:#?}");
}

#[test]
fn every_ci_system_is_in_the_tables_of_its_page() {
    let page = text("docs/sources/ci.md");
    let rows = |heading: &str| {
        let table = page.split_once(heading).unwrap().1.lines().skip(2);
        table.take_while(|line| line.starts_with('|')).count()
    };
    let systems = choices("ci --system=none");
    assert!(systems.len() > 10, "{systems:?}");
    for heading in ["| System | How the token is obtained", "| System | Issuer |"] {
        assert_eq!(rows(heading), systems.len(), "{heading}");
    }
    let options = page.lines().find(|line| line.starts_with("| `--system=NAME`")).unwrap();
    for system in systems {
        assert!(options.contains(&format!("`{system}`")), "--system={system}");
        assert!(page.contains(&format!("\n| `{system}` | `")), "the variable of {system}");
    }
}

#[test]
fn every_relying_party_has_a_page_and_its_rows() {
    let parties = choices("check --relying-party=none file --path=x");
    assert!(parties.len() > 3, "{parties:?}");
    let (index, overview) = (text("docs/README.md"), text("docs/relying-parties/README.md"));
    let check = text("docs/commands/check.md");
    for party in parties {
        text(&format!("docs/relying-parties/{party}.md"));
        assert!(
            index.contains(&format!("](relying-parties/{party}.md)")),
            "docs/README.md: {party}"
        );
        assert!(overview.contains(&format!("| [{party}]({party}.md) |")), "overview: {party}");
        assert!(check.contains(&format!("`{party}` |")), "docs/commands/check.md: {party}");
    }
}
