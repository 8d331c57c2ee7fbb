//! Recognizes a command that was written for a shell, or by a word processor: variables that are
//! set before the program, `sh -c`, built-in commands and substitutions of a shell, typographic
//! characters.

use super::report::Report;
use super::shown_command::shown;
use crate::command::config::is_portable;
use crate::error::Kind;
use crate::program::is_named_like_this;
use crate::shell;

const LINK: &str = "command";

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "cmd", "cmd.exe"];

/// Commands that exist only in a shell.
const BUILT_IN: [&str; 8] = [".", "cd", "exec", "eval", "export", "set", "source", "unset"];

/// Whether a command can be run to get a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The command can be run.
    Usable,
    /// Its first word is not a program.
    NoProgram,
    /// Its words are not those that were meant.
    Wrong,
}

/// Reports the syntax that no client, or not every client, interprets; `None` if there is none.
pub(super) fn check(command: &str, words: &[String], report: &mut Report) -> Option<Verdict> {
    if let Some((plain, what)) = shell::without_typography(command) {
        let plain: Vec<String> = plain.split_whitespace().map(str::to_owned).collect();
        let what = format!("the command contains {what}, which clients pass on unchanged");
        report.broken(LINK, Kind::Configuration, what, set_command(&plain));
        return Some(Verdict::Wrong);
    }
    let first = words.first()?;
    if let Some(name) = assigned(first) {
        let program = words.iter().position(|word| assigned(word).is_none()).unwrap_or(words.len());
        let what = format!("the command sets the variable {name}, but clients do not use a shell");
        let fix = format!(
            "set {name} in the environment of the client, and {}",
            set_command(words.get(program..).unwrap_or_default())
        );
        report.broken(LINK, Kind::Configuration, what, fix);
        return Some(Verdict::NoProgram);
    }
    if BUILT_IN.contains(&first.as_str()) {
        let what = format!("{first} is a shell command, but clients do not use a shell");
        report.broken(LINK, Kind::Configuration, what, WRITE_SCRIPT);
        return Some(Verdict::NoProgram);
    }
    if let Some(script) = script(words) {
        return Some(of_shell(command, script, report));
    }
    let operator = words.iter().position(|word| is_operator(word));
    let what = if words.iter().any(|word| word.contains("$(") || word.contains('`')) {
        "a command substitution, $(…) or `…`, which clients pass on unchanged"
    } else if operator.is_some() {
        "an operator of a shell, which clients pass to the program as an argument"
    } else {
        return None;
    };
    let what = format!("the command contains {what}");
    Some(match is_named_like_this(first) {
        true => {
            let before = operator.filter(|at| words.get(*at).is_some_and(|w| w.contains('>')));
            let before = before.and_then(|at| words.get(..at));
            let fix = before.map_or(WRITE_SCRIPT.to_owned(), set_command);
            report.broken(LINK, Kind::Configuration, what, fix);
            Verdict::Wrong
        }
        false => {
            report.warning(LINK, what, WRITE_SCRIPT);
            Verdict::Usable
        }
    })
}

/// Whether a word connects commands or redirects a stream.
fn is_operator(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let connects = ["|", "||", "&", "&&"].contains(&word) || word.ends_with(';');
    connects || word.starts_with(['<', '>'])
}

/// The variable that a word sets for the program after it.
fn assigned(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(fits)).then_some(name)
}

/// The words that a shell interprets, if the program is a shell with `-c`.
fn script(words: &[String]) -> Option<&[String]> {
    let name = words.first()?.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let first = if name.starts_with("cmd") { '/' } else { '-' };
    let options = words.iter().skip(1).take_while(|word| word.starts_with(first)).count();
    let runs_script = options > 0 && words.get(options)?.to_ascii_lowercase().ends_with('c');
    (SHELLS.contains(&name.as_str()) && runs_script).then(|| words.get(options + 1..))?
}

/// Reports a script of a shell. If it is one command, clients can run it without the shell.
fn of_shell(command: &str, script: &[String], report: &mut Report) -> Verdict {
    let words = shlex::split(&script.join(" ")).unwrap_or_default();
    let is_plain = |word: &String| is_portable(word) && shell::expansion(word).is_none();
    let is_command = words.first().is_some_and(|word| assigned(word).is_none());
    let fix = match is_command && words.iter().all(is_plain) {
        true => set_command(&words),
        false => WRITE_SCRIPT.to_owned(),
    };
    if script.len() > 1 {
        let what = "clients split the command at spaces, and a shell runs only the first word \
                    after -c";
        report.broken(LINK, Kind::Configuration, what, fix);
        return Verdict::Wrong;
    }
    let what = match command.contains(['"', '\'']) {
        true => format!("the command runs a shell with {}", quotes(command)),
        false => "the command runs a shell, which is not needed".to_owned(),
    };
    report.warning(LINK, what, fix);
    Verdict::Usable
}

/// How clients treat the quotes in a command. Node interprets only double quotes.
pub(super) fn quotes(command: &str) -> String {
    let node = if command.contains('\'') { ", Node" } else { "" };
    format!("quotes, which Go, Java, gcloud{node} and Rust do not interpret")
}

const WRITE_SCRIPT: &str = "write a script that begins with #!/bin/sh and contains this command \
                            line, and set executable.command to the path of the script";

fn set_command(words: &[String]) -> String {
    format!("set executable.command to {}", shown(words, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_a_shell_is_found() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, first) in [
            ("/bin/sh -c wif-token x", Some("wif-token")),
            ("bash -euc x", Some("x")),
            ("bash -e -c x", Some("x")),
            ("C:/Windows/System32/cmd.exe /c x", Some("x")),
            ("/bin/sh /opt/helper -c", None),
            ("/opt/helper -c x", None),
            ("sh", None),
        ] {
            let words = words(line);
            let found = script(&words).and_then(<[String]>::first);
            assert_eq!(found.map(String::as_str), first, "{line}");
        }
    }

    #[test]
    fn an_assignment_is_a_name_before_an_equals_sign() {
        assert_eq!(assigned("TOKEN=x=y"), Some("TOKEN"));
        assert_eq!(assigned("_a1="), Some("_a1"));
        for word in ["--path=x", "1a=b", "=x", "/a/b=c", "wif-token"] {
            assert_eq!(assigned(word), None, "{word}");
        }
    }
}
