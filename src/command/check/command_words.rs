//! The words of a command. Clients split a command at spaces, and no shell expands anything in it.
//!
//! A fix shows the corrected command. Arguments of another program may be secrets, so only those
//! that change are shown, and no header of this program is shown.

use super::report::Report;
use crate::client::executable;
use crate::command::config::is_portable;
use crate::context::Context;
use crate::error::Kind;
use crate::files;
use crate::options::{OptionInfo, ValueKind};
use crate::program;
use crate::shell::{self, quoted};
use crate::source::{self, SourceInfo};

const LINK: &str = "command";
const ARGS: &str = "move the arguments to a file and use --args-file=PATH";

/// Reports what clients make of the command. Returns whether it names a program.
pub(super) fn check(command: &str, cx: &Context, report: &mut Report) -> bool {
    let words: Vec<String> = executable::words(command)
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some((path, rest)) = path_with_space(&words, cx) {
        space(&path, rest, command, report);
        return command.contains(['"', '\'']);
    }
    if let Some(index) = words.iter().position(|word| shell::expansion(word).is_some()) {
        unexpanded(&words, index, cx, report);
        return index > 0;
    }
    portable(command, &words, report);
    true
}

/// Reports a space in the path of the program. Some clients interpret quotes.
fn space(path: &str, rest: Vec<String>, command: &str, report: &mut Report) {
    let what = format!(
        "clients split the command at spaces, but the path of the program contains one: {path}"
    );
    let windows = cfg!(windows) || files::another_system(path) == Some("Windows");
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().replace(' ', "-");
    let folder = if windows { "C:/wif-token" } else { "/usr/local/bin" };
    let short = format!("{folder}/{name}");
    let words: Vec<String> = [short.clone()].into_iter().chain(rest).collect();
    let fixed = format!("set executable.command to {}", shown(&words, &[]));
    let fix = match windows {
        true => format!("move it to {short}, and {fixed}"),
        false => format!("run ln -s {} {short}, and {fixed}", quoted(path)),
    };
    match command.contains(['"', '\'']) {
        true => report.warning(LINK, what, fix),
        false => report.broken(LINK, Kind::Configuration, what, fix),
    };
}

/// The path of the program and the words after it, if the path contains a space. Without quotes
/// the path is recognised by its file, or by the name of this program.
fn path_with_space(words: &[String], cx: &Context) -> Option<(String, Vec<String>)> {
    let first = words.first()?;
    if first.contains(' ') {
        return Some((first.clone(), words.get(1..).unwrap_or_default().to_vec()));
    }
    let exists = |path: &str| program::find(path.as_ref(), &cx.env).is_some();
    if exists(first) || !first.contains(['/', '\\']) {
        return None;
    }
    let joined = |count: usize| words.get(..count).unwrap_or_default().join(" ");
    let count = (2..=words.len()).find(|count| exists(&joined(*count))).or_else(|| {
        let last =
            words.iter().position(|word| is_named_like_this(word)).filter(|last| *last > 0)?;
        let mut parts = words.get(1..=last)?.iter();
        parts.all(|part| !part.starts_with(['-', '/'])).then_some(last + 1)
    })?;
    Some((joined(count), words.get(count..).unwrap_or_default().to_vec()))
}

/// A command of another host with the path of this program, if it runs this program.
pub(super) fn on_this_host(command: &str) -> String {
    let mut words: Vec<String> = command.split_ascii_whitespace().map(str::to_owned).collect();
    let own = std::env::current_exe().ok().map(|path| path.display().to_string());
    match (words.first_mut(), own) {
        (Some(first), Some(own)) if is_named_like_this(first) => {
            *first = own;
            shown(&words, &[])
        }
        _ => "the path of the program on this host".to_owned(),
    }
}

/// Whether a path ends with the name of this program.
fn is_named_like_this(path: &str) -> bool {
    matches!(path.rsplit(['/', '\\']).next(), Some("wif-token" | "wif-token.exe"))
}

/// Reports the first word that a shell would have to expand. Only the home directory is expanded
/// in the fix: no command selects which variables are read.
fn unexpanded(words: &[String], index: usize, cx: &Context, report: &mut Report) {
    let home = cx.env.home().ok().flatten().map(|home| home.display().to_string());
    let mut fixed = words.to_vec();
    let mut changed = Vec::new();
    let mut unknown = None;
    for (index, word) in fixed.iter_mut().enumerate() {
        while let Some((text, name)) = shell::expansion(word) {
            changed.push(index);
            match (name.as_str(), &home) {
                ("HOME" | "USERPROFILE", Some(home)) if shell::expansion(home).is_none() => {
                    *word = word.replacen(&text, home, 1);
                }
                _ => {
                    unknown.get_or_insert(text);
                    break;
                }
            }
        }
    }
    let text = words.get(index).and_then(|word| shell::expansion(word)).unwrap_or_default().0;
    let fix = match unknown {
        Some(text) => format!("write the value of {text} in executable.command"),
        None => format!("set executable.command to {}", shown(&fixed, &changed)),
    };
    let what = format!("the command contains {text}, and no shell expands it");
    // Another program may expand its arguments itself.
    match index == 0 || words.first().is_some_and(|word| is_named_like_this(word)) {
        true => report.broken(LINK, Kind::Configuration, what, fix),
        false => report.warning(LINK, what, fix),
    };
}

/// A command for a message: this program's with all words but those that may contain a secret,
/// another program's with the program and these words only.
fn shown(words: &[String], changed: &[usize]) -> String {
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

/// Syntax that some clients interpret and others do not.
fn portable(command: &str, words: &[String], report: &mut Report) {
    let unquoted = match words.iter().all(|word| is_portable(word)) {
        true => format!("set executable.command to {}", shown(words, &[])),
        false => ARGS.to_owned(),
    };
    let is_operator = |word: &str| {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        ["|", "||", "&", "&&", ";"].contains(&word) || word.starts_with(['<', '>'])
    };
    let trouble = [
        (
            words.iter().any(|word| is_operator(word)),
            "an operator of a shell, which clients pass to the program as an argument",
            "write a script with this command line, and set executable.command to the script",
        ),
        (command.contains('\\'), "a backslash, which Python removes", "use / in paths"),
        (
            command.contains(['"', '\'']),
            "quotes, which Go, Java, gcloud and Rust do not interpret",
            &unquoted,
        ),
        (
            command.contains("  "),
            "consecutive spaces, which Java reads as an empty argument",
            "use one space",
        ),
        (command.contains('\t'), "a tab", "use a space"),
        (
            command.split(' ').any(|word| !is_portable(word)),
            "shell metacharacters, which PHP and Ruby may interpret",
            ARGS,
        ),
    ];
    match trouble.into_iter().find(|(found, ..)| *found) {
        Some((_, what, fix)) => {
            report.warning(LINK, format!("the command contains {what}"), fix);
        }
        None => {
            report.ok(LINK, "all clients split the command in the same way");
        }
    }
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
