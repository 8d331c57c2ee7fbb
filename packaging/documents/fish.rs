//! Completion for fish.

use std::fmt::Write as _;

use super::{Value, source_names};
use wif_token::cli::{COMMON, OptionInfo};
use wif_token::source::SOURCES;

pub(super) fn text() -> String {
    let names = source_names();
    let mut text = format!(
        "# fish completion for wif-token, written by cargo run --example documents\n\n\
         set -l sources {names}\n\
         complete -c wif-token -f\n\
         complete -c wif-token -s h -l help -d 'print help'\n\
         complete -c wif-token -s V -l version -d 'print the version'\n\
         complete -c wif-token -n \"not __fish_seen_subcommand_from $sources help\" -a help -d 'print help'\n\
         complete -c wif-token -n '__fish_seen_subcommand_from help' -a \"$sources\"\n"
    );
    for source in SOURCES {
        let _ = writeln!(
            text,
            "complete -c wif-token -n \"not __fish_seen_subcommand_from $sources help\" -a {} -d {}",
            source.name,
            quoted(source.summary)
        );
    }
    options(&mut text, "", COMMON);
    for source in SOURCES {
        let condition = format!(" -n '__fish_seen_subcommand_from {}'", source.name);
        options(&mut text, &condition, source.options);
        if source.rest.is_some() {
            let _ = writeln!(
                text,
                "complete -c wif-token -n '__fish_seen_argument -o - -l --'{condition} -a '(__fish_complete_subcommand)'"
            );
        }
    }
    text
}

fn options(text: &mut String, condition: &str, table: &[OptionInfo]) {
    for option in table {
        let value = match Value::of(option) {
            Value::None => String::new(),
            Value::Words(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::File => " -r -F".to_owned(),
            Value::Secret => " -r -F -a 'env: file:'".to_owned(),
            Value::Unknown => " -x".to_owned(),
        };
        let help = quoted(option.help);
        let _ =
            writeln!(text, "complete -c wif-token{condition} -l {}{value} -d {help}", option.name);
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
