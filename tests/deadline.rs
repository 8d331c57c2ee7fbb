//! Every wait ends before the deadline, with a message that names what the run waited for.

mod common;

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use common::{Run, World};

/// A server that accepts connections and never responds.
fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut connections: Vec<TcpStream> = Vec::new();
        connections.extend(listener.incoming().flatten());
    });
    port
}

/// Runs a command line with this timeout, and expects the run to end just before it.
fn until(timeout: u64, world: &World, line: &str, variables: &[(&str, &str)]) -> Run {
    let began = Instant::now();
    let run = world.run_with(&format!("{line} --timeout={timeout}"), variables);
    let took = began.elapsed();
    let (least, most) = (timeout * 1000 - 700, timeout * 1000);
    assert!((least..most).contains(&(took.as_millis() as u64)), "{took:?} of {timeout} s: {run:?}");
    run
}

fn silent_servers_are_named(timeout: u64) {
    let port = silent();
    let cases = [
        (format!("http://127.0.0.1:{port}/t"), None, format!("127.0.0.1:{port}/t did not respond")),
        (
            format!("https://127.0.0.1:{port}/t"),
            None,
            format!("127.0.0.1:{port}/t did not respond"),
        ),
        (
            "https://issuer.example/t".to_owned(),
            Some(format!("http://127.0.0.1:{port}")),
            "the proxy in HTTPS_PROXY did not connect to issuer.example".to_owned(),
        ),
    ];
    thread::scope(|scope| {
        for (url, proxy, named) in &cases {
            scope.spawn(move || {
                let world = World::new();
                let variables: Vec<_> =
                    proxy.iter().map(|proxy| ("HTTPS_PROXY", proxy.as_str())).collect();
                let run = until(timeout, &world, &format!("url --url={url}"), &variables);
                assert_eq!(run.status, 6, "{run:?}");
                assert!(run.stderr.contains(named), "{run:?}");
            });
        }
    });
}

#[test]
fn a_silent_server_or_proxy_is_named() {
    silent_servers_are_named(2);
}

/// The kernel rounds a socket timeout of more than sixteen seconds up by several seconds.
#[test]
#[ignore = "takes 25 s: run by tests/storm"]
fn a_silent_server_or_proxy_is_named_at_the_default_timeout() {
    thread::scope(|scope| {
        for timeout in [5, 15, 25] {
            scope.spawn(move || silent_servers_are_named(timeout));
        }
    });
}

#[test]
fn check_prints_finished_checks_when_a_server_is_silent() {
    let world = World::new();
    let port = silent();
    world.write("token", common::jwt(600));
    let config = r#"{"type":"external_account","audience":"{aud}",
        "subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
        "token_url":"http://127.0.0.1:PORT/v1/token","credential_source":{"file":"{dir}/token"}}"#;
    world.write("c.json", world.fill(config).replace("PORT", &port.to_string()));
    let run = until(2, &world, "check --credentials={dir}/c.json", &[]);
    assert!(run.stdout.contains("ok       source"), "{run:?}");
    assert!(run.stdout.contains(&format!("127.0.0.1:{port}/v1/token did not respond")), "{run:?}");
}

#[cfg(unix)]
mod unix {
    use std::io::Read as _;
    use std::process::Stdio;
    use std::time::Duration;

    use super::*;

    fn pipe(world: &World, name: &str) {
        let made = std::process::Command::new("mkfifo").arg(world.path(name)).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn a_pipe_without_a_writer_is_named() {
        let world = World::new();
        pipe(&world, "pipe");
        let run = until(1, &world, "file --path={dir}/pipe", &[]);
        assert_eq!(run.status, 6, "{run:?}");
        assert!(run.stderr.contains(&world.fill("waiting for the file {dir}/pipe")), "{run:?}");
    }

    #[test]
    fn check_prints_finished_checks_when_a_pipe_has_no_writer() {
        let world = World::new();
        pipe(&world, "token");
        let config = r#"{"type":"external_account","audience":"{aud}",
            "subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
            "token_url":"https://sts.googleapis.com/v1/token",
            "credential_source":{"file":"{dir}/token"}}"#;
        world.write("c.json", world.fill(config));
        let run = until(1, &world, "check --offline --credentials={dir}/c.json", &[]);
        assert_eq!(run.status, 6, "{run:?}");
        assert!(run.stdout.starts_with("ok       configuration"), "{run:?}");
        assert!(run.stdout.contains("error    source"), "{run:?}");
        assert!(run.stdout.contains(&world.fill("waiting for the file {dir}/token")), "{run:?}");
    }

    /// The reader does not read, and the pipe is full.
    #[test]
    fn a_run_ends_although_nobody_reads_its_output() {
        let world = World::new();
        let big = format!("eyJhbGciOiJSUzI1NiJ9.e30.{}", "A".repeat(900_000));
        world.write("big", big);
        for merged in [false, true] {
            let began = Instant::now();
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut command = world.command("file --path={dir}/big --timeout=1", &[]);
            let stderr = if merged { writer.try_clone().unwrap().into() } else { Stdio::piped() };
            command.stdout(writer).stderr(stderr);
            let output = command.spawn().unwrap().wait_with_output().unwrap();
            drop(command);
            assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
            assert_eq!(output.status.code(), Some(6), "{output:?}");
            if !merged {
                let message = String::from_utf8(output.stderr).unwrap();
                assert!(message.contains("nothing reads standard output"), "{message}");
            }
            let mut written = Vec::new();
            reader.read_to_end(&mut written).unwrap();
            assert!(written.len() < 900_000);
        }
    }
}

/// The program waits for a process that, like its child, has left the process group of the program.
#[cfg(target_os = "linux")]
#[test]
fn a_process_in_another_session_ends_at_the_deadline() {
    let world = World::new();
    let script = "echo $$ >{dir}/first; sleep 60 & echo $! >{dir}/second; wait";
    world.write("script", world.fill(script));
    let began = Instant::now();
    let run = world.run("command --timeout=2 -- setsid --wait sh {dir}/script");
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{run:?}");
    assert_eq!(run.status, 6, "{run:?}");
    assert!(run.stderr.contains("it left a process in another session"), "{run:?}");
    for name in ["first", "second"] {
        let id = world.read(name);
        let status = std::fs::read_to_string(format!("/proc/{}/status", id.trim()));
        let is_over = status.is_ok_and(|status| !status.contains("zombie"));
        assert!(!is_over, "{name} still runs");
    }
}
