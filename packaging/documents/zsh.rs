//! Completion for zsh.

use std::fmt::Write as _;

use super::{Value, words};
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo};
use wif_token::source::SOURCES;

const HEAD: &str = r#"#compdef wif-token
# zsh completion for wif-token, written by cargo run --example documents

_wif_token_secret() {
    if compset -P file:; then
        _files
    elif compset -P env:; then
        _parameters -g '*export*'
    else
        compadd -S '' env: file:
    fi
}

_wif_token() {
    local -a sources commands of_sources common
    local context state state_descr line
    typeset -A opt_args
"#;

const FIRST: &str = r#"    _arguments -C $of_sources $common '(- *)'{-h,--help}'[print help]' \
        '(- *)'{-V,--version}'[print the version]' '(-): :->first' '(-)*:: :->rest' && return
    while :; do
        case $state:$words[1] in
            first:*)
                _describe -t sources source sources
                _describe -t commands command commands -- '(help:"print help")'
                return ;;
            source:*) _describe source sources; return ;;
            rest:help) _describe source sources; _describe command commands; return ;;
"#;

pub(super) fn text() -> String {
    let all = words();
    let mut text = HEAD.to_owned();
    for (array, is_source) in [("sources", true), ("commands", false)] {
        let _ = writeln!(text, "    {array}=(");
        for word in &all {
            if SOURCES.iter().any(|source| source.name == word.name) == is_source {
                let _ = writeln!(
                    text,
                    "        {}",
                    quoted(&format!("{}:{}", word.name, word.summary))
                );
            }
        }
        text.push_str("    )\n");
    }
    for (array, table) in [("of_sources", OF_SOURCES), ("common", COMMON)] {
        let _ = writeln!(text, "    {array}=(");
        options(&mut text, table, "");
        text.push_str("    )\n");
    }
    text.push_str(FIRST);
    for word in &all {
        let shared = if word.shared.len() > 1 { "$of_sources $common" } else { "$common" };
        let name = word.name;
        let _ =
            writeln!(text, "            rest:{name})\n                _arguments -C {shared} \\");
        options(&mut text, word.own.iter().copied(), " \\");
        let (rest, then) = match (word.of_source, word.rest) {
            (true, _) => ("'1: :->source' '*:: :->rest' && return", ""),
            (false, Some(_)) => ("'*:: : _normal'", "return "),
            (false, None) => ("", "return "),
        };
        let _ = writeln!(text, "                    {rest}\n                {then};;");
    }
    text.push_str("            *) return ;;\n        esac\n    done\n}\n\n_wif_token \"$@\"\n");
    text
}

fn options(text: &mut String, table: impl IntoIterator<Item = &'static OptionInfo>, end: &str) {
    for option in table {
        let name = option.name;
        let repeated = if option.repeated { "*" } else { "" };
        let help = option.help().replace('[', "\\[").replace(']', "\\]");
        let label = option.placeholder().unwrap_or_default().replace(':', "\\:");
        let spec = match Value::of(option) {
            Value::None => format!("{repeated}--{name}[{help}]"),
            Value::Words(words) => {
                format!("{repeated}--{name}=[{help}]:{name}:({})", words.join(" "))
            }
            Value::File => format!("{repeated}--{name}=[{help}]:{label}:_files"),
            Value::Secret => format!("{repeated}--{name}=[{help}]:{label}:_wif_token_secret"),
            Value::Unknown => format!("{repeated}--{name}=[{help}]:{label}: "),
        };
        let _ = writeln!(text, "        {}{end}", quoted(&spec));
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
