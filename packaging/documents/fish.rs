//! Completion for fish.

use std::fmt::Write as _;

use super::{Value, names, source_names, words};
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo};

pub(super) fn text() -> String {
    let all = words();
    let (every, of_source) = (names(&all, |_| true), names(&all, |word| word.of_source));
    let mut text = format!(
        "# fish completion for wif-token, written by cargo run --example documents\n\n\
         set -l words help {every}\n\
         set -l sources {sources}\n\
         complete -c wif-token -f\n\
         complete -c wif-token -s h -l help -d 'print help'\n\
         complete -c wif-token -s V -l version -d 'print the version'\n\
         complete -c wif-token -n \"not __fish_seen_subcommand_from $words\" -a help -d 'print help'\n\
         complete -c wif-token -n '__fish_seen_subcommand_from help' -a \"{every}\"\n\
         complete -c wif-token -n \"__fish_seen_subcommand_from {of_source}; and not \
         __fish_seen_subcommand_from $sources\" -a \"$sources\"\n",
        sources = source_names()
    );
    for word in &all {
        let summary = quoted(word.summary);
        let _ = writeln!(
            text,
            "complete -c wif-token -n \"not __fish_seen_subcommand_from $words\" -a {} -d {summary}",
            word.name
        );
    }
    options(&mut text, "", COMMON);
    options(&mut text, " -n \"__fish_seen_subcommand_from $sources\"", OF_SOURCES);
    for word in &all {
        let condition = format!(" -n '__fish_seen_subcommand_from {}'", word.name);
        options(&mut text, &condition, word.own.iter().copied());
    }
    text
}

fn options(
    text: &mut String,
    condition: &str,
    table: impl IntoIterator<Item = &'static OptionInfo>,
) {
    for option in table {
        let value = match Value::of(option) {
            Value::None => String::new(),
            Value::Words(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::File => " -r -F".to_owned(),
            Value::Secret => " -r -F -a 'env: file:'".to_owned(),
            Value::Unknown => " -x".to_owned(),
        };
        let help = quoted(&option.help());
        let _ =
            writeln!(text, "complete -c wif-token{condition} -l {}{value} -d {help}", option.name);
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
