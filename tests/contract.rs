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

#[test]
fn nobody_listening_is_no_crash() {
    let world = World::new();
    world.write("t", jwt(3600));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = world.command("file --path={dir}/t", &[]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(9));
}
