//! The known name that is most similar to a mistyped one.

/// Whether a word looks like a name, so that a message may contain it. Any other word may be a
/// misplaced secret.
pub fn is_name(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    !word.is_empty() && word.len() <= 24 && word.chars().all(fits)
}

/// The name that is most similar to this word, if any name is similar.
pub fn nearest(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |name| strsim::damerau_levenshtein(word, name);
    names.min_by_key(|name| distance(name)).filter(|name| distance(name) <= 1 + name.len() / 4)
}
