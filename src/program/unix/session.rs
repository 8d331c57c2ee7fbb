//! A process that a program started in a separate session, for example with `setsid`, and that is
//! therefore not in the process group.
//!
//! If a program does not end in time, such a process is killed too if it has the standard output of
//! the program open. A daemon, which has closed standard output, is not killed. Linux makes this
//! process the parent of the processes that the program leaves behind, so their IDs are not used
//! again before this process reaps them.
//! <https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html>

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process, waitpid};

use super::running::{adopted, await_end};
use crate::files;

/// Adopts the processes that a program leaves behind.
pub(super) fn adopt() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// The name of a pipe in the list of open files of a process.
pub(super) fn name_of(pipe: impl AsFd) -> Option<String> {
    Some(format!("pipe:[{}]", rustix::fs::fstat(pipe).ok()?.st_ino))
}

/// Collects the adopted processes that have ended.
pub(super) fn collect() {
    adopted(children, |orphans| {
        for orphan in orphans {
            let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
        }
    });
}

/// The maximum number of generations of processes to kill.
const GENERATIONS: usize = 8;

/// Kills the adopted processes that have this pipe open, and those that they leave behind. Returns
/// whether there were any. Processes in the group of the program are skipped, because they have
/// been killed already and may not have ended.
pub(super) fn kill_holders(pipe: &str, program: u32) -> bool {
    let is_outside = |child: Pid| {
        let group = getpgid(Some(child)).map(|group| group.as_raw_nonzero().get());
        group.is_ok_and(|group| u32::try_from(group) != Ok(program))
    };
    let kill = |mut orphans: Vec<Pid>| {
        orphans.retain(|orphan| is_outside(*orphan) && holds(*orphan, pipe));
        for holder in &orphans {
            let _ = kill_process(*holder, Signal::KILL);
        }
        orphans
    };
    let mut any = false;
    for _ in 0..GENERATIONS {
        let killed = adopted(children, kill);
        if killed.is_empty() {
            break;
        }
        any = true;
        killed.into_iter().for_each(await_end);
    }
    any
}

/// The children of all threads of this process; none if the kernel does not list them.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| {
        let list = File::open(thread.path().join("children")).ok()?;
        String::from_utf8(files::read_limited(list, files::LIMIT).ok()??).ok()
    });
    let is_child = |word: &str| Pid::from_raw(word.parse().ok()?);
    lists.flat_map(|list| list.split(' ').filter_map(is_child).collect::<Vec<_>>()).collect()
}

fn holds(process: Pid, pipe: &str) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero()));
    let mut targets = open.into_iter().flatten().flatten().map(|file| fs::read_link(file.path()));
    targets.any(|target| target.is_ok_and(|target| target == Path::new(pipe)))
}
