//! Completion for PowerShell, on Windows and elsewhere.

use std::fmt::Write as _;

use super::{Value, first_options, names, offered, source_names, words};
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo};

const HEAD: &str = r#"# PowerShell completion for wif-token, written by cargo run --example documents

Register-ArgumentCompleter -Native -CommandName wif-token -ScriptBlock {
    param($word, $line, $cursor)
    $before = $line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() }
    $words = @($before | Where-Object { -not $_.StartsWith('-') })
    $first = if ($words.Count -gt 1 -and $words[0] -in 'OF_SOURCE') { $words[1] } else { $words[0] }
    $start = ''
    $offer = switch -Wildcard -CaseSensitive ("${first}:$word") {
"#;

const TAIL: &str = r#"    }
    -split $offer | ForEach-Object { "$start$_" } | Where-Object { $_.StartsWith($word) } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
"#;

pub(super) fn text() -> String {
    let all = words();
    let of_source = names(&all, |word| word.of_source).replace(' ', "', '");
    let mut text = HEAD.replace("OF_SOURCE", &of_source);
    for word in &all {
        values(&mut text, word.name, word.own.iter().copied());
    }
    values(&mut text, "*", OF_SOURCES);
    values(&mut text, "*", COMMON);
    row(&mut text, "*:--*=*", "", "");
    let every = names(&all, |_| true);
    row(&mut text, "help:*", "", &every);
    for word in &all {
        let sources = if word.of_source { source_names() + " " } else { String::new() };
        row(&mut text, &format!("{}:*", word.name), "", &(sources + &offered(word.options())));
    }
    row(&mut text, ":-*", "", &format!("{} --help --version", offered(first_options())));
    row(&mut text, ":*", "", &format!("{every} help"));
    text + TAIL
}

/// Files are left to PowerShell itself, which offers them where we offer nothing.
fn values(text: &mut String, source: &str, options: impl IntoIterator<Item = &'static OptionInfo>) {
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
