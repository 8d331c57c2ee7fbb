//! What is said about an unknown name: the nearest known one.

use super::{COMMON, help};
use crate::error::{Error, Kind};
use crate::source::{SOURCES, SourceInfo};

pub(super) fn unknown_source(name: &str) -> Error {
    let names = SOURCES.iter().map(|source| source.name).chain(["help"]);
    let what = match is_word(name) {
        true => format!("there is no source {name:?}"),
        false => "the first word is no source".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("name one of {}", help::names(SOURCES)),
    })
}

pub(super) fn unknown_option(name: &str, source: Option<&SourceInfo>) -> Error {
    let of_source = source.map_or(&[][..], |source| source.options);
    let names = COMMON.iter().chain(of_source).map(|option| option.name);
    let what = match (is_word(name), source) {
        (true, Some(source)) => format!("{} has no option --{name}", source.name),
        (true, None) => format!("there is no option --{name} before a source"),
        (false, _) => "there is an unknown option".to_owned(),
    };
    Error::new(Kind::Usage, what).hint(match (nearest(name, names), source) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(source)) => format!("run wif-token help {}", source.name),
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
