//! Completion for zsh.

use std::fmt::Write as _;

use super::Value;
use wif_token::cli::{COMMON, OptionInfo};
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
    local -a sources common
    local context state state_descr line
    typeset -A opt_args
"#;

const TAIL: &str = r#"    esac
}

_wif_token "$@"
"#;

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("    sources=(\n");
    for source in SOURCES {
        let _ =
            writeln!(text, "        {}", quoted(&format!("{}:{}", source.name, source.summary)));
    }
    text.push_str("    )\n    common=(\n");
    options(&mut text, COMMON);
    text.push_str(
        "    )\n    _arguments -C $common '(- *)'{-h,--help}'[print help]' \\\n        \
         '(- *)'{-V,--version}'[print the version]' '1: :->source' '*:: :->rest' && return\n    \
         case $state:$words[1] in\n        \
         source:*) _describe source sources -- '(help:\"print help\")' ;;\n        \
         rest:help) _describe source sources ;;\n",
    );
    for source in SOURCES {
        let _ = writeln!(text, "        rest:{}) _arguments $common \\", source.name);
        options(&mut text, source.options);
        let rest = if source.rest.is_some() { "'*:: : _normal'" } else { "" };
        let _ = writeln!(text, "            {rest} ;;");
    }
    text + TAIL
}

fn options(text: &mut String, table: &[OptionInfo]) {
    for option in table {
        let name = option.name;
        let repeated = if option.repeated { "*" } else { "" };
        let help = option.help.replace('[', "\\[").replace(']', "\\]");
        let label = option.takes.placeholder().unwrap_or_default().replace(':', "\\:");
        let spec = match Value::of(option) {
            Value::None => format!("{repeated}--{name}[{help}]"),
            Value::Words(words) => {
                format!("{repeated}--{name}=[{help}]:{name}:({})", words.join(" "))
            }
            Value::File => format!("{repeated}--{name}=[{help}]:{label}:_files"),
            Value::Secret => format!("{repeated}--{name}=[{help}]:{label}:_wif_token_secret"),
            Value::Unknown => format!("{repeated}--{name}=[{help}]:{label}: "),
        };
        let _ = writeln!(text, "        {} \\", quoted(&spec));
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
