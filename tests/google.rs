//! A credential file of the source `google` that leads to itself, directly or through other files and
//! programs: the run ends at once, and never starts an endless chain of programs.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use common::google::configure;
use common::metadata::ALLOW;
use common::server::Server;
use common::{Run, World};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wif-token");

/// The number of times that the script of a test has run.
fn count(world: &World) -> usize {
    fs::read_to_string(world.path("runs")).unwrap_or_default().lines().count()
}

/// Runs the program with a credential file that runs `command`, and returns how long the run took.
fn run(world: &World, command: &str, variables: &[(&str, &str)]) -> (Run, Duration) {
    let server = Server::text("500 Internal Server Error", "text/plain", "");
    configure(world, &server, |config| {
        config["credential_source"] = json!({"executable": {"command": world.fill(command)}});
    });
    let start = Instant::now();
    let line = "google --credentials={dir}/c.json --audience=a --timeout=8";
    let variables = [variables, &[(ALLOW, "1")]].concat();
    let run = world.run_with(line, &variables);
    assert_eq!(server.count(), 0);
    (run, start.elapsed())
}

#[track_caller]
fn refused((run, elapsed): &(Run, Duration)) {
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("uses itself"), "{run:?}");
    assert!(*elapsed < Duration::from_secs(4), "{elapsed:?}");
}

/// Creates a script that counts its runs and runs the program with these arguments.
fn script(world: &World, arguments: &str) -> String {
    let text = format!("#!/bin/sh\necho >>{{dir}}/runs\nexec {PROGRAM} {arguments}\n");
    let path = world.write("script", world.fill(&text));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path.display().to_string()
}

#[test]
fn a_loop_through_a_link_ends_at_once() {
    let world = World::new();
    symlink("c.json", world.path("link.json")).unwrap();
    refused(&run(&world, &format!("{PROGRAM} google --credentials={{dir}}/link.json"), &[]));
}

#[test]
fn a_loop_through_a_script_ends_at_once() {
    let world = World::new();
    let command = script(&world, "google --credentials={dir}/c.json");
    refused(&run(&world, &command, &[]));
    assert_eq!(count(&world), 1);
}

#[test]
fn a_loop_through_the_source_command_ends_at_once() {
    let world = World::new();
    let script = script(&world, "google --credentials={dir}/c.json");
    refused(&run(&world, &format!("{PROGRAM} command -- {script}"), &[]));
    assert_eq!(count(&world), 1);
}

/// The run and the program that it starts use the same output file, so one waits for the lock of the
/// other, and the time limit holds.
#[test]
fn a_loop_with_the_output_file_of_a_client_ends_at_its_time_limit() {
    let world = World::new();
    let script = script(&world, "google --credentials={dir}/c.json");
    let command = format!("{PROGRAM} command -- {script}");
    let (run, elapsed) =
        run(&world, &command, &[("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "{dir}/out")]);
    assert!(run.status != 0 && elapsed < Duration::from_secs(15), "{run:?} {elapsed:?}");
    assert!(count(&world) <= 2, "{}", count(&world));
}

/// The environment of a run does not contain the runs that led to it.
#[cfg(target_os = "linux")]
#[test]
fn a_loop_through_a_program_that_clears_the_environment_ends() {
    let world = World::new();
    let script = script(&world, "google --credentials={dir}/c.json --audience=a");
    let command = format!("/usr/bin/env -i {ALLOW}=1 {script}");
    let (run, elapsed) = run(&world, &command, &[]);
    assert!(run.status == 3 && elapsed < Duration::from_secs(4), "{run:?} {elapsed:?}");
    assert_eq!(count(&world), 3);
}
