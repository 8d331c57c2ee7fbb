//! The nearest known name for a mistyped one.

/// Whether a word looks like a name and not like a secret in the wrong place, so that a message may
/// repeat it.
pub fn is_name(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    !word.is_empty() && word.len() <= 24 && word.chars().all(fits)
}

/// The name that is most like this word, if one is like it at all.
pub fn nearest(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |name| strsim::damerau_levenshtein(word, name);
    names.min_by_key(|name| distance(name)).filter(|name| distance(name) <= 1 + name.len() / 4)
}
