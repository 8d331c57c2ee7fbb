//! The programs that this process runs, and its other children: Linux makes this process the parent
//! of the processes that a program leaves behind. All of them are reaped, because this process
//! may run for months.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use crate::world::Deadline;

/// Waits for the end of a process without reaping it. Until a process is reaped, no other
/// process gets its ID.
const ENDED: WaitIdOptions = WaitIdOptions::EXITED.union(WaitIdOptions::NOWAIT);

/// The programs that have not been reaped. The list is locked while a program is started, so
/// that a signal at this moment also kills this program.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// Notified when a child may have ended.
static CHANGED: Condvar = Condvar::new();

struct Running {
    id: Pid,
    /// Whether the program is the leader of a process group that ends with this process.
    is_group: bool,
}

/// Starts a program.
pub(super) fn start(command: &mut Command, is_group: bool) -> io::Result<Child> {
    let mut running = lock();
    let child = command.spawn()?;
    running.push(Running { id: Pid::from_child(&child), is_group });
    Ok(child)
}

/// Waits until a program has ended; at the deadline, returns false.
pub(super) fn wait(program: &Child, deadline: Deadline) -> bool {
    let ended = || waitid(WaitId::Pid(Pid::from_child(program)), ENDED | WaitIdOptions::NOHANG);
    let mut running = lock();
    while matches!(ended(), Ok(None) | Err(Errno::INTR)) {
        let left = deadline.remaining();
        if left.is_zero() {
            return false;
        }
        running = CHANGED.wait_timeout(running, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// Kills the group of a program, and reaps the program.
pub(super) fn end(program: &mut Child) -> io::Result<ExitStatus> {
    let id = Pid::from_child(program);
    kill(id);
    await_end(id);
    let mut running = lock();
    running.retain(|running| running.id != id);
    program.wait()
}

/// Waits for the end of a child that was killed. The wait may take long, so nothing is locked.
pub(super) fn await_end(child: Pid) {
    while let Err(Errno::INTR) = waitid(WaitId::Pid(child), ENDED) {}
}

/// Wakes the threads that wait for a program.
pub(super) fn child_changed() {
    // Taking the lock ensures that no thread is between looking at its program and waiting for a change.
    drop(lock());
    CHANGED.notify_all();
}

/// Kills the groups of all programs.
pub(super) fn kill_groups() {
    for running in lock().iter().filter(|running| running.is_group) {
        kill(running.id);
    }
}

/// Kills the group of a program, and the program, which may have moved to another group.
fn kill(program: Pid) {
    let _ = kill_process_group(program, Signal::KILL);
    let _ = kill_process(program, Signal::KILL);
}

/// Calls `act` with the adopted children: those that this process did not start itself. While `act`
/// runs, no program is started and no child is reaped.
#[cfg(target_os = "linux")]
pub(super) fn adopted<T>(
    children: impl FnOnce() -> Vec<Pid>,
    act: impl FnOnce(Vec<Pid>) -> T,
) -> T {
    let running = lock();
    let mut children = children();
    children.retain(|child| running.iter().all(|running| running.id != *child));
    act(children)
}

fn lock() -> MutexGuard<'static, Vec<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
