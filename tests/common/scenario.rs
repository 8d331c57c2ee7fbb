//! A scenario: a run of the program in an environment that a folder describes.
//!
//! | file | contains |
//! |---|---|
//! | `args` | one argument a line; the first is the source or command |
//! | `env` | variables, a `NAME=value` a line |
//! | `home/` | the home folder, which is also the working directory; the log file must be `{home}/log` |
//! | `program` | the name under which the program is started, if it is not `wif-token`. Only on Unix |
//! | `stdin` | what the program reads from standard input |
//! | `http`, `answers` | HTTP requests and responses: see [`super::traffic`] |
//! | `after/` | by path in the home folder, strings that a file must contain after the run, one a line; `!string`: it must not; `(absent)`: the file must not exist |
//! | `terminal` | what the terminal shows; if this file exists, the run has a terminal. Only on Linux |
//! | `output` | what the program prints: see [`super::outcome`] |
//!
//! All but `args` and `output` are optional, and all may use [`super::placeholders`].
//!
//! An area may have a folder `defaults` with `args`, `env`, `home/` and `answers`. They apply to
//! each scenario, whose own files override them. An option in a scenario's `args` replaces the default
//! of the same name, and a line `!--name` removes it. An `args` file whose first line is not an option
//! replaces all default arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use super::setup::{Setup, entries, files_below, read};
use super::snapshot;
use super::traffic::Traffic;

const THREADS: usize = 8;
const FILES: [&str; 10] =
    ["args", "env", "home", "program", "stdin", "http", "answers", "after", "terminal", "output"];

/// Runs all scenarios of an area, and fails if one of them fails.
pub fn run_area(area: &str) {
    let mut folders = entries(format!("scenarios/{area}"));
    folders.retain(|folder| !folder.ends_with("defaults"));
    assert!(!folders.is_empty(), "tests/scenarios/{area} is empty");
    let (left, failed) = (Mutex::new(folders.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(folder) = next(&left) {
                    if let Err(why) = scenario(&folder) {
                        let name = folder.file_name().unwrap().display();
                        failed.lock().unwrap().push(format!("{area}/{name}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

fn next(left: &Mutex<impl Iterator<Item = PathBuf>>) -> Option<PathBuf> {
    left.lock().unwrap().next()
}

fn scenario(folder: &Path) -> Result<(), String> {
    let defaults = folder.with_file_name("defaults");
    check_names(folder)?;
    let terminal = folder.join("terminal");
    if terminal.exists() && !cfg!(target_os = "linux") {
        return Ok(());
    }
    let traffic = Traffic::new();
    let mut setup = Setup::new(&traffic.server.url);
    setup.take(&defaults);
    setup.take(folder);
    let files = [read(folder, "http"), read(folder, "answers"), read(&defaults, "answers")];
    traffic.expect(files.each_ref().map(String::as_str), &setup.placeholders);
    let args = args(&read(&defaults, "args"), &read(folder, "args"));
    let args: Vec<_> = args.iter().map(|arg| setup.placeholders.fill(arg)).collect();
    let (output, shown) = match terminal.exists() {
        true => setup.run_on_terminal(&args)?,
        false => (setup.run(&args, &[])?, String::new()),
    };
    if let Some(mismatch) = traffic.mismatch() {
        return Err(format!("{mismatch}\n{output}"));
    }
    check_after(&folder.join("after"), &setup)?;
    if terminal.exists() {
        snapshot::check(&terminal, &shown)?;
    }
    snapshot::check(&folder.join("output"), &output)
}

/// Refuses a file that nothing reads, because its name must be a mistake.
fn check_names(folder: &Path) -> Result<(), String> {
    let mut names = entries(folder).into_iter().map(|path| path.file_name().unwrap().to_owned());
    match names.find(|name| !FILES.iter().any(|known| name == known)) {
        Some(name) => Err(format!("a scenario has no file {}", name.display())),
        None => Ok(()),
    }
}

fn args(defaults: &str, own: &str) -> Vec<String> {
    let own: Vec<_> = own.lines().collect();
    let name = |arg: &str| arg.split('=').next().unwrap().to_owned();
    let names: Vec<_> = own.iter().map(|arg| name(arg.trim_start_matches('!'))).collect();
    let whole = own.first().is_some_and(|first| !first.starts_with(['-', '!']));
    let defaults = defaults.lines().filter(|arg| !whole && !names.contains(&name(arg)));
    let own = own.iter().copied().filter(|arg| !arg.starts_with('!'));
    defaults.chain(own).map(str::to_owned).collect()
}

fn check_after(folder: &Path, setup: &Setup) -> Result<(), String> {
    for path in files_below(folder) {
        let name = path.strip_prefix(folder).unwrap();
        let found = fs::read_to_string(setup.world.path("").join(name));
        let found = found.unwrap_or_else(|_| "(absent)".to_owned());
        let parts = setup.placeholders.fill(&fs::read_to_string(&path).unwrap());
        let is_right = |part: &str| match part.strip_prefix('!') {
            Some(part) => !found.contains(part),
            None => found.contains(part),
        };
        if let Some(part) = parts.lines().find(|part| !is_right(part)) {
            return Err(format!("{} afterwards: expected {part}, got {found}", name.display()));
        }
    }
    Ok(())
}
