//! The command line of a configuration, which every client has to split alike.

use std::path::Path;

use super::publish;
use crate::command::Invocation;
use crate::error::{Error, Kind};
use crate::files::absolute;
use crate::options::{COMMON, OF_SOURCES};
use crate::source::SourceInfo;

/// The command line, word by word, its paths absolute.
pub(super) struct Command {
    program: String,
    /// The source's name.
    pub(super) source: &'static str,
    options: Vec<String>,
    rest: Vec<String>,
}

impl Command {
    /// That of what was typed, without what the configuration itself says.
    ///
    /// # Errors
    /// `USAGE` for words that are not text, `CONFIGURATION` where the program cannot be told.
    pub(super) fn new(
        typed: &Invocation,
        program: Option<&Path>,
        info: &'static SourceInfo,
    ) -> Result<Command, Error> {
        let program = match program {
            Some(path) => path.to_owned(),
            None => std::env::current_exe().map_err(|error| {
                Error::new(Kind::Configuration, "cannot tell where this program is")
                    .cause(error)
                    .fix("add --program=PATH")
            })?,
        };
        // What the configuration itself says does not stand in the command again.
        let elsewhere = ["token-type", "output-file", "format", "args-file"];
        let tables = info
            .options()
            .chain(OF_SOURCES.iter().chain(COMMON))
            .filter(|option| !elsewhere.contains(&option.name));
        let rest = typed.values.rest.iter().map(|word| word.to_str().map(str::to_owned));
        let rest = rest
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::new(Kind::Usage, "a word after -- is not UTF-8 text"))?;
        Ok(Command {
            program: forward(&absolute(&program).display().to_string()),
            source: info.name,
            options: tables.flat_map(|option| typed.values.typed(option)).collect(),
            rest,
        })
    }

    /// Its words but the program.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let dashes = (!self.rest.is_empty()).then_some("--");
        let words = [self.source].into_iter().chain(self.options.iter().map(String::as_str));
        words.chain(dashes).chain(self.rest.iter().map(String::as_str))
    }

    /// The line, where every client splits it alike.
    pub(super) fn line(&self) -> Option<String> {
        let words: Vec<&str> = [self.program.as_str()].into_iter().chain(self.words()).collect();
        words.iter().all(|word| is_portable(word)).then(|| words.join(" "))
    }

    /// The line that names a file of arguments, which is written here.
    ///
    /// # Errors
    /// `USAGE` where neither can hold the words, `CONFIGURATION` where the file cannot be written.
    pub(super) fn with_args_file(&self, path: &Path) -> Result<String, Error> {
        let path = absolute(path);
        let unfit = |word: &&str| word.trim() != *word || word.is_empty() || word.starts_with('#');
        if self.words().any(|word| unfit(&word)) {
            return Err(Error::new(Kind::Usage, "a value begins or ends with a blank")
                .fix("arguments files cannot hold it"));
        }
        let line = format!("{} --args-file={}", self.program, forward(&path.display().to_string()));
        if !line.split(' ').all(is_portable) || line.split(' ').count() != 2 {
            return Err(Error::new(Kind::Usage, "a path holds what clients split differently")
                .fix("keep --program and --out free of blanks, quotes and backslashes"));
        }
        publish(&path, &(self.words().collect::<Vec<_>>().join("\n") + "\n"))?;
        Ok(line)
    }
}

/// Whether all clients read a word as it is: without a shell, with one, and by their own rules. What
/// only a shell's search for files would read may stand: no file is called like an option.
pub(in crate::command) fn is_portable(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:@%+?[]{}".contains(c);
    !word.is_empty() && word.chars().all(fits)
}

/// Backslashes are eaten by the clients that know quotes.
pub(super) fn forward(path: &str) -> String {
    if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() }
}
