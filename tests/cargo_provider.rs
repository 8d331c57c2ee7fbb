//! The deadlines of the credential provider for cargo: each request has a separate deadline, and
//! the time between two requests does not count.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::World;
use common::server::{Server, json};

const REQUEST: &str = r#"{"v":1,"kind":"get","operation":"read","registry":{"index-url":"sparse+https://europe-cargo.pkg.dev/my-project/my-repo/"},"args":["--timeout=1"]}"#;
const LATE: &str = r#"{"Err":{"kind":"other","message":"no token within the timeout of 1 s: still waiting for standard input; "#;

struct Provider {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Provider {
    fn start(world: &World, server: &Server, options: &str) -> Provider {
        world.write("token", common::jwt(3600));
        let config = format!(
            r#"{{"type":"external_account","audience":"{aud}","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
                "token_url":"{url}/v1/token","credential_source":{{"file":"{dir}/token"}}}}"#,
            url = server.url,
            aud = common::AUDIENCE,
            dir = world.path("").display()
        );
        world.write("c.json", config);
        let line = format!("--cargo-plugin --credentials={{dir}}/c.json {options}");
        let mut child = world.command(&line, &[]).stdin(Stdio::piped()).spawn().unwrap();
        let requests = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut hello = String::new();
        answers.read_line(&mut hello).unwrap();
        assert_eq!(hello, "{\"v\":[1]}\n");
        Provider { child, requests, answers }
    }

    fn ask(&mut self) -> String {
        writeln!(self.requests, "{REQUEST}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    /// Waits for the end of the run, which must succeed and print nothing to standard error.
    fn end(self) {
        drop(self.requests);
        let output = self.child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

fn google() -> Server {
    Server::new(|_| json(r#"{"access_token":"hunter2-bearer","expires_in":3599}"#))
}

#[test]
fn a_later_request_has_its_own_deadline() {
    let (world, server) = (World::new(), google());
    let mut provider = Provider::start(&world, &server, "--timeout=2");
    let begin = Instant::now();
    let token = provider.ask();
    assert!(token.contains(r#""token":"Bearer hunter2-bearer""#), "{token}");
    while begin.elapsed() < Duration::from_millis(2200) {
        assert!(provider.child.try_wait().unwrap().is_none(), "the provider has ended");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(provider.ask().contains("hunter2-bearer"));
    provider.end();
}

#[test]
fn a_request_that_hangs_is_answered_before_its_deadline() {
    let (world, begin) = (World::new(), Instant::now());
    let server = Server::new(|_| {
        thread::sleep(Duration::from_secs(5));
        json("{}")
    });
    let mut provider = Provider::start(&world, &server, "--timeout=60");
    let answer = provider.ask();
    assert!(answer.contains("/v1/token did not respond in time"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(4));
    provider.end();
}

#[test]
fn a_request_that_does_not_arrive_times_out() {
    let (world, server) = (World::new(), google());
    let mut provider = Provider::start(&world, &server, "--timeout=1");
    assert!(provider.answer().starts_with(LATE));
    provider.end();
    let mut provider = Provider::start(&world, &server, "--timeout=1");
    provider.ask();
    provider.requests.write_all(b"{").unwrap();
    assert!(provider.answer().starts_with(LATE));
    provider.end();
}
