//! A program that a source runs ends with the run, whatever ends the run.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use common::World;
use rustix::process::{Pid, Signal, kill_process};

/// Every signal that can end a process, except faults such as SIGSEGV.
const ENDING: [Signal; 17] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::XCPU,
    Signal::VTALARM,
    Signal::PROF,
    Signal::TRAP,
    Signal::SYS,
    Signal::ABORT,
    Signal::POWER,
    Signal::STKFLT,
    Signal::IO,
    Signal::KILL,
];

/// A launcher that restores the default handling of signals, because the tests may run where
/// signals are ignored, such as under `nohup`.
const DEFAULT_SIGNALS: [&str; 2] = ["env", "--default-signal"];

/// Starts a run, waits until its program has written its process ID, and returns both. `launcher`
/// is a program with arguments that starts the run.
fn started(world: &World, launcher: &[&str]) -> (Child, Pid) {
    world
        .write("program", "#!/bin/sh\necho $$ > \"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 60\n");
    let run = world.command("command --timeout=30 -- /bin/sh {dir}/program {dir}/pid", &[]);
    let mut command = std::process::Command::new(launcher[0]);
    command.args(&launcher[1..]).arg(run.get_program()).args(run.get_args()).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = command.process_group(0).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while !world.path("pid").exists() && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    let pid = world.read("pid").trim().parse().unwrap();
    (run, Pid::from_raw(pid).unwrap())
}

fn ends_soon(pid: Pid) -> bool {
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        // The process that collects orphans may be slow, so a zombie counts as ended.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        if stat.map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X ")) {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn the_program_ends_with_every_signal_that_ends_the_run() {
    for signal in ENDING {
        let world = World::new();
        let (mut run, program) = started(&world, &DEFAULT_SIGNALS);
        kill_process(Pid::from_child(&run), signal).unwrap();
        let status = run.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{signal:?}: {status:?}");
        assert!(ends_soon(program), "{signal:?}");
    }
}

/// A signal may arrive before, during or after the start of the program.
#[test]
fn a_signal_at_any_moment_leaves_no_program_behind() {
    for delay in 0..60 {
        let world = World::new();
        world.write("program", "#!/bin/sh\necho $$ > \"$1\"; exec sleep 60\n");
        let line = "command --timeout=30 -- /bin/sh {dir}/program {dir}/pid";
        let mut run = world.command(line, &[]).spawn().unwrap();
        thread::sleep(Duration::from_micros(delay * 300));
        kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
        run.wait().unwrap();
        thread::sleep(Duration::from_millis(20));
        if let Ok(pid) =
            std::fs::read_to_string(world.path("pid")).unwrap_or_default().trim().parse()
        {
            assert!(ends_soon(Pid::from_raw(pid).unwrap()), "after {delay}");
        }
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let world = World::new();
    let (mut run, program) = started(&world, &["/bin/sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    kill_process(Pid::from_child(&run), Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(run.try_wait().unwrap().is_none(), "the run has ended");
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    run.wait().unwrap();
    assert!(ends_soon(program));
}

#[test]
fn the_end_of_a_program_is_noticed_if_the_parent_blocks_sigchld() {
    let world = World::new();
    let run = world.command("command --timeout=30 -- /bin/sh -c {dir}/none", &[]);
    let mut command = std::process::Command::new("env");
    command.arg("--block-signal=CHLD").arg(run.get_program()).args(run.get_args()).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let start = Instant::now();
    assert_eq!(command.output().unwrap().status.code(), Some(6));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn a_program_in_another_group_ends_at_the_deadline() {
    let world = World::new();
    let script = "import os, time; os.setpgid(0, os.getpgid(os.getppid())); time.sleep(60)";
    world.write("program", script);
    let run = world.run("command --timeout=2 -- /usr/bin/python3 {dir}/program");
    assert!(run.stderr.contains("python3 did not finish in time"), "{run:?}");
}
