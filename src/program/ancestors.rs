//! The ancestors of this process. They show that runs start each other even if a program between
//! the runs clears the environment. <https://man7.org/linux/man-pages/man5/proc.5.html>

use std::fs::File;
use std::iter;

use crate::files;

/// The maximum number of ancestor processes to examine.
const MOST: usize = 64;

/// The number of ancestor processes that have the same arguments as this process; 0 on systems
/// without `/proc`.
pub fn repetitions() -> usize {
    let own = arguments("self").filter(|arguments| !arguments.is_empty());
    let ancestors = iter::successors(parent("self"), |process| parent(process)).take(MOST);
    ancestors.filter(|process| own.is_some() && arguments(process) == own).count()
}

/// The arguments of a process, without its name.
fn arguments(process: &str) -> Option<String> {
    let line = read(process, "cmdline")?;
    line.split_once('\0').map(|(_, arguments)| arguments.to_owned())
}

fn parent(process: &str) -> Option<String> {
    let status = read(process, "status")?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    (parent != "0").then(|| parent.to_owned())
}

fn read(process: &str, name: &str) -> Option<String> {
    let file = File::open(format!("/proc/{process}/{name}")).ok()?;
    String::from_utf8(files::read_limited(file, files::LIMIT).ok()??).ok()
}
