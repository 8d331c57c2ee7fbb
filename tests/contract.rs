//! The contract: what a run does with its standard streams. Its documents are in
//! `tests/transcripts/contract.txt` and `tests/scenarios/contract`.

mod common;

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use common::{World, jwt};

#[test]
fn standard_input_is_not_read() {
    let world = World::new();
    world.write("t", jwt(3600));
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"for somebody else").unwrap();
    drop(writer);
    let mut command = world.command("file --path={dir}/t", &[]);
    let status = command.stdin(reader.try_clone().unwrap()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    let mut left = String::new();
    reader.read_to_string(&mut left).unwrap();
    assert_eq!(left, "for somebody else");
}

/// The output cannot be written. The failure is reported even with `--exit-zero`, because there is no document.
#[test]
fn an_output_that_cannot_be_written_is_reported() {
    let world = World::new();
    world.write("t", jwt(3600));
    let run = |line: &str, stdout: Stdio| {
        let output = world.command(line, &[]).stdout(stdout).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let nobody_reads = || Stdio::from(std::io::pipe().unwrap().1);
    for line in ["file --path={dir}/t", "file --path={dir}/t --exit-zero", "help"] {
        let (status, stderr) = run(line, nobody_reads());
        assert_eq!(status, Some(3), "{line}: {stderr}");
        assert!(stderr.starts_with("cannot write to standard output: "), "{line}: {stderr}");
        assert!(
            stderr.ends_with("; check why the program that reads the output exited\n"),
            "{stderr}"
        );
    }
    for line in ["file --path={dir}/none", "file --path={dir}/none --exit-zero"] {
        let (status, stderr) = run(line, nobody_reads());
        assert_eq!(status, Some(4), "{line}: {stderr}");
        assert!(stderr.contains("none does not exist"), "{line}: {stderr}");
    }
    if cfg!(target_os = "linux") {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (status, stderr) = run("file --path={dir}/t", full.into());
        assert_eq!(status, Some(3), "{stderr}");
        assert!(
            stderr.ends_with("; free disk space, or redirect the output to another file\n"),
            "{stderr}"
        );
        // docker knows only status 1 for a failure.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (status, stderr) = run("helper docker list", full.into());
        assert_eq!(status, Some(1), "{stderr}");
        // cargo gets every other failure in a response.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (status, stderr) = run("helper cargo --cargo-plugin", full.into());
        assert_eq!(status, Some(3), "{stderr}");
        assert!(stderr.starts_with("cannot write to standard output: "), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_whose_target_does_not_exist_is_named() {
    let world = World::new();
    std::os::unix::fs::symlink("/nonexistent/token", world.path("token")).unwrap();
    let run = world.run("file --path={dir}/token --audience={aud}");
    assert_eq!(run.status, 4, "{run:?}");
    assert!(run.stderr.contains("does not exist: it is a link to a file that does not exist"));
}
