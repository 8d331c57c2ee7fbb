//! What is said about an unknown name: the nearest known one.

use super::help;
use crate::command::COMMANDS;
use crate::error::{Error, Kind};
use crate::options::OptionInfo;
use crate::source::SOURCES;

pub(super) fn unknown_source(name: &str) -> Error {
    let commands = COMMANDS.iter().map(|command| command.name);
    let names = SOURCES.iter().map(|source| source.name).chain(commands).chain(["help"]);
    let what = match is_word(name) {
        true => format!("there is no source or command {name:?}"),
        false => "the first word is no source or command".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("name one of {}", help::names(SOURCES)),
    })
}

/// `tables` hold the options that there are after `name_before`, the source or command.
pub(super) fn unknown_option(
    name: &str,
    name_before: Option<&str>,
    tables: &[&'static [OptionInfo]],
) -> Error {
    let names = tables.iter().copied().flatten().map(|option| option.name);
    let what = match (is_word(name), name_before) {
        (true, Some(before)) => format!("{before} has no option --{name}"),
        (true, None) => format!("there is no option --{name} before a source"),
        (false, _) => "there is an unknown option".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match (nearest(name, names), name_before) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(before)) => format!("run wif-token help {before}"),
        (None, None) => "name the source first".to_owned(),
    })
}

/// Whether a word looks like a name and not like a secret in the wrong place.
fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    !word.is_empty() && word.len() <= 24 && word.chars().all(fits)
}

fn nearest(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |name| strsim::damerau_levenshtein(word, name);
    names.min_by_key(|name| distance(name)).filter(|name| distance(name) <= 1 + name.len() / 4)
}
