//! Completion for bash, which breaks a word at `=` and `:` and has to be told what stood before.

use std::fmt::Write as _;

use super::{Value, first_options, names, offered, source_names, words};
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo};

const HEAD: &str = r#"# bash completion for wif-token, written by cargo run --example documents

_wif_token_words() {
    # shellcheck disable=SC2207  # none of these words has a blank
    COMPREPLY=($(compgen -W "$1" -- "${whole##*[=:]}"))
    case ${COMPREPLY[0]-} in *[=:]) compopt -o nospace ;; esac
}

_wif_token() {
    local line=${COMP_LINE:0:COMP_POINT} whole='' first='' word words
    case $line in *' -- '*) compopt -o default && return ;; esac
    read -ra words <<<"$line"
    case $line in *' ') ;; *) whole=${words[-1]} && unset 'words[-1]' ;; esac
    for word in "${words[@]:1}"; do
        case $word in
            -*) ;;
            OF_SOURCE) first=$word ;;
            *) first=$word && break ;;
        esac
    done
    case $first:$whole in
"#;

const TAIL: &str = r#"    esac
}
complete -F _wif_token wif-token
"#;

pub(super) fn text() -> String {
    let all = words();
    let mut text =
        HEAD.replace("OF_SOURCE", &names(&all, |word| word.of_source).replace(' ', " | "));
    for word in &all {
        values(&mut text, word.name, word.own.iter().copied());
    }
    values(&mut text, "*", OF_SOURCES);
    values(&mut text, "*", COMMON);
    row(&mut text, "*:-*=*", ":");
    let every = names(&all, |_| true);
    row(&mut text, "help:*", &offer(&every));
    for word in &all {
        let sources = if word.of_source { source_names() + " " } else { String::new() };
        row(&mut text, &format!("{}:*", word.name), &offer(&(sources + &offered(word.options()))));
    }
    row(&mut text, ":-*", &offer(&format!("{} --help --version", offered(first_options()))));
    row(&mut text, ":*", &offer(&format!("{every} help")));
    text + TAIL
}

fn values(text: &mut String, source: &str, options: impl IntoIterator<Item = &'static OptionInfo>) {
    for option in options {
        let pattern = format!("{source}:--{}=*", option.name);
        match Value::of(option) {
            Value::None | Value::Unknown => {}
            Value::Words(choice) => row(text, &pattern, &offer(&choice.join(" "))),
            Value::File => row(text, &pattern, "compopt -o default"),
            Value::Secret => {
                row(text, &pattern.replace("=*", "=file:*"), "compopt -o default");
                row(text, &pattern.replace("=*", "=env:*"), ":");
                row(text, &pattern, &offer("env: file:"));
            }
        }
    }
}

fn offer(words: &str) -> String {
    format!("_wif_token_words '{words}'")
}

fn row(text: &mut String, pattern: &str, action: &str) {
    let _ = writeln!(text, "        {pattern}) {action} ;;");
}
