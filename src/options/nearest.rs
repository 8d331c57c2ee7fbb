//! The known name that is most similar to a mistyped one.

/// Whether a word looks like a name, so that a message may contain it. Any other word may be a
/// misplaced secret.
pub fn is_name(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    !word.is_empty() && word.len() <= 24 && word.chars().all(fits)
}

/// The maximum length of a word that is compared, in bytes. No name is longer.
const LONGEST: usize = 64;

/// The name that is most similar to this word, if any name is similar. A name that begins with the
/// word and a hyphen is preferred.
pub fn nearest(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if word.len() > LONGEST {
        return None;
    }
    let names: Vec<_> = names.collect();
    let continues = |name: &&str| name.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'));
    let distance = |name: &str| strsim::osa_distance(word, name);
    let similar = |name: &&str| distance(name) <= 1 + name.len() / 4;
    let same = names.iter().copied().find(|name| *name == word);
    let first = same.or_else(|| names.iter().copied().find(continues));
    first.or_else(|| names.into_iter().min_by_key(|name| distance(name)).filter(similar))
}
