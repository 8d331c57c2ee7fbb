//! `executable.command` of a configuration: the command line that a client runs.
//!
//! Each client splits the command by its own rules, so the command only contains words that all of
//! them read in the same way. Other words are written to an arguments file.

use std::path::{Path, PathBuf};

use super::host::{self, HostSystem};
use super::publish;
use crate::command::Invocation;
use crate::error::{Error, Kind};
use crate::files::absolute;
use crate::files::ownership::Existing;
use crate::options::{COMMON, OF_SOURCES};
use crate::program;
use crate::shell::quoted;
use crate::show;
use crate::source::{self, SourceInfo};
use crate::world::Env;

/// Options of a source that the configuration states in its own members.
const MEMBERS_OF_CONFIGURATION: [&str; 4] = ["token-type", "output-file", "format", "args-file"];

/// The words of a command line. Its paths are absolute on the hosts that use the configuration.
pub(super) struct ExecutableCommand {
    os: Option<HostSystem>,
    program: String,
    /// The name of the source.
    pub(super) source: &'static str,
    options: Vec<String>,
    rest: Vec<String>,
}

impl ExecutableCommand {
    /// Builds the command line that runs this source with the options of the invocation, on hosts
    /// with the operating system `os`; `None` stands for this host.
    ///
    /// # Errors
    /// `USAGE` if an argument is not UTF-8 or a path is not absolute on such a host,
    /// `CONFIGURATION` if the path of this program is unknown.
    pub(super) fn new(
        invocation: &Invocation,
        program: Option<&Path>,
        info: &'static SourceInfo,
        os: Option<HostSystem>,
        env: &Env,
    ) -> Result<ExecutableCommand, Error> {
        let program = own_program(program, os, env)?;
        let tables = info
            .options()
            .chain(OF_SOURCES.iter().chain(COMMON))
            .filter(|option| !MEMBERS_OF_CONFIGURATION.contains(&option.name));
        let rest = invocation.values.rest.iter().map(|word| word.to_str().map(str::to_owned));
        let mut rest = rest.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Error::new(Kind::Usage, "an argument after -- is not UTF-8 text")
                .fix("use only UTF-8 arguments")
        })?;
        // A name without a directory is found in PATH.
        let is_path = |word: &&mut String| Path::new(word).components().count() > 1;
        if let Some(program) = rest.first_mut().filter(is_path) {
            let absolute = host::path(Path::new(program), "the program after --", os);
            *program = absolute.map_err(|error| match os {
                Some(_) => error.fix("write the absolute path"),
                None => error,
            })?;
        }
        let mut options = Vec::new();
        for option in tables {
            let path = |path: &Path| host::path(path, &format!("--{}", option.name), os);
            options.extend(invocation.values.as_arguments(option, path)?);
        }
        Ok(ExecutableCommand {
            os,
            program: host::path(&program, "--program", os)?,
            source: info.name,
            options,
            rest,
        })
    }

    /// The arguments of the program.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        let dashes = (!self.rest.is_empty()).then_some("--");
        let words = [self.source].into_iter().chain(self.options.iter().map(String::as_str));
        words.chain(dashes).chain(self.rest.iter().map(String::as_str))
    }

    /// The command line; `None` if clients would split it in different ways.
    ///
    /// # Errors
    /// `USAGE` if clients would split even the path of the program in different ways.
    pub(super) fn line(&self) -> Result<Option<String>, Error> {
        if !is_portable(&self.program) {
            let example = match self.program.get(1..2) {
                Some(":") => "C:/wif-token/wif-token.exe",
                _ => "/usr/local/bin/wif-token",
            };
            let what = "clients would not find the program";
            return Err(Error::new(Kind::Usage, what)
                .cause("its path contains a space or another special character")
                .fix(format!(
                    "install the program at a path without spaces, or create a symbolic link to it \
                     there, and set --program={example}"
                )));
        }
        let program = [self.program.as_str()].into_iter();
        let words: Vec<&str> = program.chain(self.arguments()).collect();
        Ok(words.iter().all(|word| is_portable(word)).then(|| words.join(" ")))
    }

    /// The command for a shell that keeps the token in a file, for clients that read only files.
    /// `more` contains options that the configuration would otherwise state.
    pub(super) fn for_shell(&self, more: &[String]) -> String {
        let (source, rest) = (self.source, self.rest.iter().map(String::as_str));
        let dashes = (!self.rest.is_empty()).then_some("--");
        let options = self.options.iter().chain(more).map(String::as_str);
        let words = [self.program.as_str(), "keep", source].into_iter().chain(options);
        words.chain(dashes).chain(rest).map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Writes the arguments to a file and returns the command line that names this file.
    ///
    /// # Errors
    /// `USAGE` if an argument or a path cannot be written so that it is read unchanged,
    /// `CONFIGURATION` if the file cannot be written.
    pub(super) fn with_args_file(&self, path: &Path) -> Result<String, Error> {
        if self.os.is_some() {
            return Err(Error::new(
                Kind::Usage,
                "Google clients would split the command in different ways",
            )
            .cause(
                "an argument contains a space, a quotation mark, a backslash or a shell \
                 metacharacter",
            )
            .fix(
                "change this argument, or run wif-token config without --for-os on a host with \
                  that operating system",
            ));
        }
        let path = absolute(path);
        let is_changed = |word: &str| {
            let is_line = word.trim() == word && !word.is_empty() && !word.contains(['\n', '\r']);
            !is_line || word.starts_with('#')
        };
        if self.arguments().any(is_changed) {
            return Err(Error::new(
                Kind::Usage,
                "an argument cannot be written to an arguments file",
            )
            .cause(
                "it is empty, begins with #, begins or ends with a space, or contains a line break",
            )
            .fix("change the argument that is empty or has one of these characters"));
        }
        let path_word = host::path(&path, "--out", None)?;
        let line = format!("{} --args-file={path_word}", self.program);
        if !is_portable(&path_word) {
            return Err(Error::new(
                Kind::Usage,
                "Google clients would split the command in different ways",
            )
            .cause("the path of the arguments file has special characters")
            .fix("use a path without spaces, quotes and backslashes for --out"));
        }
        let text = self.arguments().collect::<Vec<_>>().join("\n") + "\n";
        publish(&path, &text, "--out", is_args_file)?;
        Ok(line)
    }
}

/// Finds the path of this program on the hosts that use the configuration. A name without a
/// directory is looked up in `PATH`, as a shell does.
fn own_program(given: Option<&Path>, os: Option<HostSystem>, env: &Env) -> Result<PathBuf, Error> {
    match given {
        Some(name) if os.is_none() && name.components().count() == 1 => {
            program::find(name.as_os_str(), env).ok_or_else(|| {
                let what = format!("--program is not found in PATH: {}", show::path(name));
                Error::new(Kind::Usage, what).fix("set --program to an absolute path")
            })
        }
        Some(path) => Ok(path.to_owned()),
        None if os.is_some() => Err(Error::new(Kind::Usage, "--for-os requires --program")
            .fix("add --program=PATH with the path of wif-token on the other hosts")),
        None => std::env::current_exe().map_err(|error| {
            Error::new(Kind::Configuration, "cannot determine the path of this program")
                .cause(error)
                .fix("add --program=PATH")
        }),
    }
}

/// Whether a command line runs a program whose name is `wif-token` or that of this process, and a source
/// with its options or an arguments file.
pub(super) fn runs_source(line: &str) -> bool {
    let mut words = line.split(' ');
    let program = words.next().and_then(|word| word.rsplit(['/', '\\']).next()).unwrap_or_default();
    let own = std::env::current_exe().ok();
    let own = own.as_ref().and_then(|own| own.file_name()?.to_str());
    let is_source = |word: &str| source::find(word).is_some() || word.starts_with("--args-file=");
    let is_program = program.trim_end_matches(".exe") == "wif-token" || Some(program) == own;
    is_program && words.next().is_some_and(is_source)
}

/// Whether a file is an arguments file: the name of a source, and its options.
fn is_args_file(existing: &Existing<'_>) -> bool {
    let mut lines = std::str::from_utf8(existing.content).unwrap_or_default().lines();
    let is_source = lines.next().is_some_and(|line| source::find(line).is_some());
    is_source && lines.take_while(|line| *line != "--").all(|line| line.starts_with("--"))
}

/// Whether all clients read a word unchanged: those that use no shell, those that use one, and
/// those with their own rules. `?`, `[` and `{` are allowed: a shell expands them only to the names
/// of existing files, and no file has the name of an option.
pub(in crate::command) fn is_portable(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+?[]{}".contains(c);
    !word.is_empty() && word.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_of_this_program_is_recognized() {
        for (line, is_own) in [
            ("/usr/bin/wif-token file --path=/t", true),
            ("C:\\tools\\wif-token.exe --args-file=C:\\a", true),
            ("wif-token aws", true),
            ("/opt/my-helper aws --role=x", false),
            ("/usr/bin/wif-token-of-another file", false),
            ("wif-token --version", false),
            ("", false),
        ] {
            assert_eq!(runs_source(line), is_own, "{line}");
        }
    }
}
