//! Signals that the parent of this process ignores or blocks, and what the operating system does when the
//! parent of a program ends.
#![allow(unsafe_code)] // calls into the operating system

use std::process::Command;

/// Whether this process ignores a signal, because its parent (for example `nohup`) or the standard
/// library ignores it.
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is set, and the current one is written to a value of its type.
    let read = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: every bit pattern, including all zeros, is a value of this type.
    read == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Allows this thread to receive a signal, even if the parent of this process blocks it.
pub(super) fn unblock(signal: i32) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call initializes the set, and the others only read it or change it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Makes Linux kill the program when this process ends.
#[cfg(target_os = "linux")]
pub(super) fn with_parent(command: &mut Command) {
    use std::io::{Error, ErrorKind};
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let bind = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(Error::from(ErrorKind::Interrupted)), // the parent has already ended
        }
    };
    // SAFETY: between fork and exec, the closure only makes two system calls and allocates nothing.
    unsafe { command.pre_exec(bind) };
}

/// Does nothing, because other systems have no such signal.
#[cfg(not(target_os = "linux"))]
pub(super) fn with_parent(_: &mut Command) {}
