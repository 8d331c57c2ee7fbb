//! Completion for bash, which breaks a word at `=` and `:` and has to be told what stood before.

use std::fmt::Write as _;

use super::{Value, offered, source_names};
use wif_token::cli::{COMMON, OptionInfo};
use wif_token::source::SOURCES;

const HEAD: &str = r#"# bash completion for wif-token, written by cargo run --example documents

_wif_token_words() {
    # shellcheck disable=SC2207  # none of these words has a blank
    COMPREPLY=($(compgen -W "$1" -- "${whole##*[=:]}"))
    case ${COMPREPLY[0]-} in *[=:]) compopt -o nospace ;; esac
}

_wif_token() {
    local line=${COMP_LINE:0:COMP_POINT} whole='' source='' word words
    case $line in *' -- '*) compopt -o default && return ;; esac
    read -ra words <<<"$line"
    case $line in *' ') ;; *) whole=${words[-1]} && unset 'words[-1]' ;; esac
    for word in "${words[@]:1}"; do
        case $word in -*) ;; *) source=$word && break ;; esac
    done
    case $source:$whole in
"#;

const TAIL: &str = r#"    esac
}
complete -F _wif_token wif-token
"#;

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    values(&mut text, "*", COMMON);
    for source in SOURCES {
        values(&mut text, source.name, source.options);
    }
    row(&mut text, "*:-*=*", ":");
    row(&mut text, "help:*", &words(&source_names()));
    for source in SOURCES {
        let options = format!("{} {}", offered(source.options), offered(COMMON));
        row(&mut text, &format!("{}:*", source.name), &words(&options));
    }
    row(&mut text, ":-*", &words(&format!("{} --help --version", offered(COMMON))));
    row(&mut text, ":*", &words(&format!("{} help", source_names())));
    text + TAIL
}

fn values(text: &mut String, source: &str, options: &[OptionInfo]) {
    for option in options {
        let pattern = format!("{source}:--{}=*", option.name);
        match Value::of(option) {
            Value::None | Value::Unknown => {}
            Value::Words(choice) => row(text, &pattern, &words(&choice.join(" "))),
            Value::File => row(text, &pattern, "compopt -o default"),
            Value::Secret => {
                row(text, &pattern.replace("=*", "=file:*"), "compopt -o default");
                row(text, &pattern.replace("=*", "=env:*"), ":");
                row(text, &pattern, &words("env: file:"));
            }
        }
    }
}

fn words(words: &str) -> String {
    format!("_wif_token_words '{words}'")
}

fn row(text: &mut String, pattern: &str, action: &str) {
    let _ = writeln!(text, "        {pattern}) {action} ;;");
}
