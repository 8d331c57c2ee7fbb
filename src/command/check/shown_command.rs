//! How a message shows a command. Arguments of another program may be secrets, so only those that
//! change are shown. Headers in the options of this program are not shown either.

use crate::options::{OptionInfo, ValueKind};
use crate::program::is_named_like_this;
use crate::source::{self, SourceInfo};

/// Formats a command for a message. For this program, all words are shown except those that may
/// contain a secret; for another program, only the program and the changed words.
pub(super) fn shown(words: &[String], changed: &[usize]) -> String {
    let is_ours = words.first().is_some_and(|word| is_named_like_this(word));
    let arguments = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let mut shown: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let word = match index == 0 || changed.contains(&index) {
            true => word.clone(),
            false if !is_ours || index > arguments => "…".to_owned(),
            false if may_be_secret(words, index) => match word.split_once('=') {
                Some((name, _)) if name.starts_with("--") => format!("{name}=…"),
                _ => "…".to_owned(),
            },
            false => word.clone(),
        };
        if word != "…" || shown.last() != Some(&word) {
            shown.push(word);
        }
    }
    shown.join(" ")
}

/// Whether a word of this program's command line is an option with text for a server, or its value.
fn may_be_secret(words: &[String], index: usize) -> bool {
    let source = words.get(1).and_then(|name| source::find(name));
    let of_kind = |option: &&OptionInfo| matches!(option.kind, ValueKind::Header | ValueKind::Pair);
    let names = || source.into_iter().flat_map(SourceInfo::options).filter(of_kind);
    let is_name = |word: Option<&String>, end: &str| {
        word.and_then(|word| word.strip_prefix("--")).is_some_and(|word| {
            names().any(|option| {
                word.strip_prefix(option.name).is_some_and(|rest| rest.starts_with(end))
            })
        })
    };
    let before = index.checked_sub(1).and_then(|before| words.get(before));
    is_name(words.get(index), "=") || is_name(before.filter(|word| !word.contains('=')), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_may_be_secrets_are_not_shown() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(shown(&words("/a/b --password x /home/t y"), &[3]), "/a/b … /home/t …");
        assert_eq!(
            shown(&words("/a/wif-token url --header=X:secret --url=https://a"), &[]),
            "/a/wif-token url --header=… --url=https://a"
        );
        assert_eq!(
            shown(&words("/a/wif-token command -- x secret"), &[]),
            "/a/wif-token command -- …"
        );
    }
}
