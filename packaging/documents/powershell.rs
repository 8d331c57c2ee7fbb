//! Completion for PowerShell, on Windows and elsewhere.

use std::fmt::Write as _;

use super::{Value, offered, source_names};
use wif_token::cli::{COMMON, OptionInfo};
use wif_token::source::SOURCES;

const HEAD: &str = r#"# PowerShell completion for wif-token, written by cargo run --example documents

Register-ArgumentCompleter -Native -CommandName wif-token -ScriptBlock {
    param($word, $line, $cursor)
    $before = $line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() }
    $source = $before | Where-Object { -not $_.StartsWith('-') } | Select-Object -First 1
    $start = ''
    $offer = switch -Wildcard -CaseSensitive ("${source}:$word") {
"#;

const TAIL: &str = r#"    }
    -split $offer | ForEach-Object { "$start$_" } | Where-Object { $_.StartsWith($word) } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
"#;

pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    values(&mut text, "*", COMMON);
    for source in SOURCES {
        values(&mut text, source.name, source.options);
    }
    row(&mut text, "*:--*=*", "", "");
    row(&mut text, "help:*", "", &source_names());
    for source in SOURCES {
        let options = format!("{} {}", offered(source.options), offered(COMMON));
        row(&mut text, &format!("{}:*", source.name), "", &options);
    }
    row(&mut text, ":-*", "", &format!("{} --help --version", offered(COMMON)));
    row(&mut text, ":*", "", &format!("{} help", source_names()));
    text + TAIL
}

/// Files are left to PowerShell itself, which offers them where we offer nothing.
fn values(text: &mut String, source: &str, options: &[OptionInfo]) {
    for option in options {
        let start = format!("--{}=", option.name);
        let words = match Value::of(option) {
            Value::Words(words) => words.join(" "),
            Value::Secret => "env: file:".to_owned(),
            Value::None | Value::File | Value::Unknown => continue,
        };
        row(text, &format!("{source}:{start}*"), &start, &words);
    }
}

fn row(text: &mut String, pattern: &str, start: &str, words: &str) {
    let start = if start.is_empty() { String::new() } else { format!("$start = '{start}'; ") };
    let _ = writeln!(text, "        '{pattern}' {{ {start}'{words}'; break }}");
}
