//! Why a script does not start: its `#!` line.
//!
//! Linux passes everything after the interpreter as one argument. Therefore `env` looks for a program
//! with the whole rest as its name, unless the rest begins with `-S`.
//! <https://man7.org/linux/man-pages/man2/execve.2.html>,
//! <https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html>

use std::path::Path;

use super::Obstacle;
use crate::files;
use crate::program::find;
use crate::shell::quoted;
use crate::show;
use crate::world::Env;

/// The reason that a script does not start, if its first line shows the reason. The first line is
/// `#!` and `line`.
pub(super) fn obstacle(path: &Path, line: &[u8], env: &Env) -> Option<Obstacle> {
    let first = first_line(line);
    if first.ends_with(b"\r") {
        return Some(windows_line_ends(path));
    }
    let line = String::from_utf8_lossy(first);
    let (interpreter, rest) = line.trim().split_once([' ', '\t']).unwrap_or((line.trim(), ""));
    let file = Path::new(interpreter);
    if interpreter.is_empty() {
        return without_name(first);
    }
    let wrong = |what: &str| Obstacle {
        cause: format!("the interpreter in its #! line {what}"),
        fix: "correct the first line of the script, such as #!/bin/sh".to_owned(),
    };
    if !files::exists(file) {
        let what = format!("{} in its #! line does not exist", show::path(file));
        return Some(not_found(&what, "install the interpreter"));
    }
    if file.is_dir() {
        return Some(wrong("is a directory"));
    }
    if !files::is_executable(file) {
        return Some(wrong("is not executable"));
    }
    let is_env = file.file_name().is_some_and(|name| name == "env");
    is_env.then(|| of_env(rest.trim(), env)).flatten()
}

/// The reason that a script whose first line does not name an interpreter does not start.
pub(super) fn without_name(line: &[u8]) -> Option<Obstacle> {
    let is_empty = first_line(line).trim_ascii().is_empty();
    is_empty.then(|| without_interpreter("its #! line does not name an interpreter"))
}

pub(super) fn without_interpreter(cause: &str) -> Obstacle {
    let fix = match cfg!(windows) {
        true => "run the script with its interpreter, such as python FILE or powershell -File FILE",
        false => "add a first line that names the interpreter, such as #!/bin/sh",
    };
    Obstacle { cause: cause.to_owned(), fix: fix.to_owned() }
}

fn not_found(what: &str, install: &str) -> Obstacle {
    Obstacle {
        cause: format!("the interpreter {what}"),
        fix: format!("{install}, or correct the first line of the script"),
    }
}

/// The reason that `env` does not start the interpreter that the rest of the line names.
fn of_env(rest: &str, env: &Env) -> Option<Obstacle> {
    let split = rest.strip_prefix("-S").or(rest.strip_prefix("--split-string="));
    let is_plain = |word: &&str| !word.starts_with('-') && !word.contains('=');
    let name = match split {
        Some(words) => words.split_whitespace().find(is_plain)?,
        None => Some(rest).filter(is_plain)?,
    };
    let found = find(name.as_ref(), env);
    if name.is_empty() || found.is_some_and(|path| files::is_executable(&path)) {
        return None;
    }
    let shown = show::value(name);
    let what = format!("{shown} in its #! line is not in PATH");
    match name.contains(char::is_whitespace) {
        true => Some(Obstacle {
            cause: format!("env looks for an interpreter with the name \"{shown}\""),
            fix: format!("set the first line of the script to #!/usr/bin/env -S {name}"),
        }),
        false => Some(not_found(&what, "install the interpreter, add its directory to PATH")),
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// The reason that a script with CRLF line endings does not start.
fn windows_line_ends(path: &Path) -> Obstacle {
    Obstacle {
        cause: "it has Windows line endings (CRLF)".to_owned(),
        fix: format!(
            "save the script with Unix line endings (LF), for example with dos2unix {}",
            quoted(&path.display().to_string())
        ),
    }
}
