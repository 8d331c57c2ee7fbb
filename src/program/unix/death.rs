//! What the operating system does when this process, or the parent of a program, ends.
#![allow(unsafe_code)] // calls into the operating system

use std::process::Command;

/// Whether this process ignores a signal, because its parent does or the standard library does.
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no action is set, and the current one is written to a value of its type.
    let read = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: every bit pattern, including all zeros, is a value of this type.
    read == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
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
            false => Err(Error::from(ErrorKind::Interrupted)), // the parent has ended before
        }
    };
    // SAFETY: between fork and exec, the closure only makes two system calls and allocates nothing.
    unsafe { command.pre_exec(bind) };
}

/// Other systems have no such signal.
#[cfg(not(target_os = "linux"))]
pub(super) fn with_parent(_: &mut Command) {}
