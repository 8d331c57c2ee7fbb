//! The processes that led to this one, for a run that a program between them has hidden from its
//! environment. <https://man7.org/linux/man-pages/man5/proc.5.html>

use std::fs::File;
use std::iter;

use crate::files;

/// The number of processes that are considered.
const MOST: usize = 64;

/// How many of the processes that led to this one have the same arguments. Systems without `/proc`
/// show none.
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
