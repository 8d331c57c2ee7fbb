//! A transcript: command lines and what each prints, for the many cases that need no server.
//!
//! ```text
//! # A comment. Comments stay as they are; there is an empty line between cases.
//! $ EMPTY= wif-token env --name=EMPTY
//! ABSENT (4): the variable EMPTY is not set; …
//! ```
//!
//! A line `$ ` is split as a POSIX shell splits it; variables may come before `wif-token`. Below it is
//! the whole output in the form of [`super::outcome`], up to the next line with `$` or `#`. Everything
//! may use [`super::placeholders`]; `{server}` is an address at which nothing listens. To add cases,
//! write only their `$ ` lines and update. `$ cat FILE` prints a file that an earlier case wrote.
//!
//! The folder `NAME` beside `NAME.txt` may contain `home/` and `env`, as in a scenario. The cases of a
//! transcript run in order and share that home folder.
//!
//! The harness adds `--log-file={home}/log` after a source or command, and checks that the log
//! contains no secret. It does not add this option after `config`, which would write the option
//! into the configuration.

use std::fs;
use std::path::Path;

use super::setup::Setup;
use super::snapshot;

/// Runs all cases of a transcript, and compares the outputs or rewrites them.
pub fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let mut setup = Setup::new("http://127.0.0.1:1");
    setup.take(&path.with_extension(""));
    let (mut actual, mut lines) = (String::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        actual += &format!("{line}\n");
        if let Some(command) = line.strip_prefix("$ ") {
            while lines.next_if(|line| !line.starts_with(['$', '#'])).is_some() {}
            let shown = match command.strip_prefix("cat ") {
                Some(file) => content(file, &setup),
                None => case(command, &setup),
            };
            actual += &shown.map_err(|why| format!("{command}: {why}"))?;
            actual += if lines.peek().is_some() { "\n" } else { "" };
        }
    }
    snapshot::check(path, &actual)
}

/// The content of a file, indented by two spaces.
fn content(file: &str, setup: &Setup) -> Result<String, String> {
    let text = fs::read_to_string(setup.placeholders.fill(file)).map_err(|why| why.to_string())?;
    let lines = text.lines().map(|line| format!("  {line}\n"));
    Ok(setup.placeholders.normalise(&lines.collect::<String>()))
}

fn case(line: &str, setup: &Setup) -> Result<String, String> {
    let words = shlex::split(&setup.placeholders.fill(line)).ok_or("a quote is not closed")?;
    let program = words.iter().position(|word| word == "wif-token").ok_or("no wif-token")?;
    let variable = |word: &String| word.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    let variables: Vec<_> = words[..program].iter().filter_map(variable).collect();
    let mut args = words[program + 1..].to_vec();
    let logs = |first: &String| !first.starts_with('-') && first != "help" && first != "config";
    if args.first().is_some_and(logs) {
        args.insert(1, setup.placeholders.fill("--log-file={home}/log"));
    }
    setup.run(&args, &variables)
}
