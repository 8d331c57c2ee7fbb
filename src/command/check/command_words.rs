//! The words of a command. Clients split a command at spaces, and no shell expands anything in it.
//!
//! Each fix shows the corrected command.

use super::report::Report;
use super::shell_syntax::{self, Verdict};
use super::shown_command::shown;
use crate::client::executable;
use crate::command::config::is_portable;
use crate::context::Context;
use crate::error::Kind;
use crate::files;
use crate::program::{self, is_named_like_this};
use crate::shell::{self, quoted};
use crate::show::{self, Content};

const LINK: &str = "command";
const ARGS: &str = "move the arguments to a file and use --args-file=PATH";

/// Reports how clients read the command.
pub(super) fn check(command: &str, cx: &Context, report: &mut Report) -> Verdict {
    let words: Vec<String> = executable::words(command)
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(content) = content(command, &words) {
        let what = format!("executable.command is not a command: the value looks like {content}");
        let fix = "set executable.command to the path of a program and its arguments";
        report.broken(LINK, Kind::Configuration, what, fix);
        return Verdict::Wrong;
    }
    if let Some(verdict) = shell_syntax::check(command, &words, report) {
        return verdict;
    }
    let usable_if = |names_program| match names_program {
        true => Verdict::Usable,
        false => Verdict::NoProgram,
    };
    if let Some((path, rest)) = path_with_space(&words, cx) {
        space(&path, rest, command, report);
        return usable_if(command.contains(['"', '\'']));
    }
    if let Some(index) = words.iter().position(|word| shell::expansion(word).is_some()) {
        unexpanded(&words, index, cx, report);
        return usable_if(index > 0);
    }
    portable(command, &words, report);
    Verdict::Usable
}

/// What the command is, if it is the content of a file. Its words may lack the quotes that identify it.
fn content(command: &str, words: &[String]) -> Option<Content> {
    let is_file =
        |what: &Content| matches!(what, Content::Json | Content::Pem | Content::Base64Json);
    let is_word = |what: &Content| is_file(what) || matches!(what, Content::Jwt | Content::Token);
    let first = words.first().and_then(|word| show::content(word)).filter(is_word);
    show::content(command).filter(is_file).or(first)
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

/// The path of the program and the words after it, if the path contains a space. Without quotes,
/// the path is recognized because its file exists, or by the name of this program.
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

/// Adapts a command from another host: if it runs this program, inserts the path of this program on
/// this host.
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

/// Reports the first word that a shell would have to expand. The fix expands only the home directory:
/// a configuration must not be able to select which other variables are read.
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

/// Reports syntax that some clients interpret and others do not.
fn portable(command: &str, words: &[String], report: &mut Report) {
    if shlex::split(command).is_none() {
        let (what, fix) = match command.ends_with('\\') {
            true => ("ends with a backslash", "remove the backslash"),
            false => ("contains a quotation mark that is not closed", "remove the quotation mark"),
        };
        let what = format!("the command {what}, so Python fails");
        report.broken(LINK, Kind::Configuration, what, fix);
        return;
    }
    let quotes = shell_syntax::quotes(command);
    let unquoted = match words.iter().all(|word| is_portable(word)) {
        true => format!("set executable.command to {}", shown(words, &[])),
        false => ARGS.to_owned(),
    };
    let trouble = [
        (command.contains('\\'), "a backslash, which Python removes", "use / in paths"),
        (command.contains(['"', '\'']), &quotes, &unquoted),
        (
            command.contains("  "),
            "consecutive spaces, which Java reads as an empty argument",
            "use one space",
        ),
        (
            command.ends_with(' '),
            "a space at its end, which Java reads as an empty argument",
            "remove the space",
        ),
        (
            command.starts_with(' '),
            "a space at its beginning, which Java reads as an empty program",
            "remove the space",
        ),
        (command.contains('\t'), "a tab", "use a space"),
        (
            words.iter().any(|word| !is_portable(word)),
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
