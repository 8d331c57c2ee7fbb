//! `keep`: when it renews a token, what it survives, when it ends, and what it tells a service manager.
#![cfg(unix)]

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use common::google::EMAIL;
use common::metadata::Google;
use common::server::{Server, response};
use common::{Run, World, holds_no_secret, now};
use rustix::process::{Pid, Signal, kill_process};

const URL: &str = "keep url --url={url}/ --output-file={dir}/out --log-file={dir}/log";

/// The status of the next responses from an issuer; 200 stands for a new token.
type Status = Arc<AtomicUsize>;

/// An issuer that returns a new token with this lifetime, in seconds, for each request.
fn issuer(life: i64) -> (Server, Status) {
    let (status, count) = (Status::new(200.into()), AtomicUsize::new(0));
    let current = status.clone();
    let server = Server::new(move |_| match current.load(Ordering::SeqCst) {
        200 => response("200 OK", "text/plain", &token(life, count.fetch_add(1, Ordering::SeqCst))),
        status => response(&format!("{status} No"), "text/plain", ""),
    });
    (server, status)
}

fn token(life: i64, id: usize) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let exp = now() + life;
    let claims =
        format!(r#"{{"iss":"https://idp.example","sub":"s","aud":"a","exp":{exp},"jti":{id}}}"#);
    format!("{}.{}.hunter2-token-part", encode(r#"{"alg":"RS256"}"#), encode(&claims))
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if let Some(found) = found() {
            return found;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 30 s: {what}");
}

/// A running `keep`, and its folder.
struct Keeping<'a> {
    child: Child,
    world: &'a World,
}

impl<'a> Keeping<'a> {
    fn start(world: &'a World, line: &str, server: &Server) -> Keeping<'a> {
        Keeping::start_with(world, line, server, |_| {})
    }

    fn start_with(
        world: &'a World,
        line: &str,
        server: &Server,
        change: impl Fn(&mut Command),
    ) -> Keeping<'a> {
        let mut command = world.command(&line.replace("{url}", &server.url), &[]);
        change(&mut command);
        Keeping { child: command.spawn().unwrap(), world }
    }

    fn file(&self) -> Option<String> {
        std::fs::read_to_string(self.world.path("out")).ok().filter(|text| !text.is_empty())
    }

    /// Waits until the file contains a token other than `old`.
    fn after(&self, old: &str) -> String {
        until("another token", || self.file().filter(|text| text != old))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.world.path("log")).unwrap_or_default()
    }

    /// Waits until the log contains a text this number of times.
    fn logged(&self, text: &str, times: usize) {
        until(text, || (self.log().matches(text).count() >= times).then_some(()));
    }

    /// Waits for the end of `keep`, and returns its output and status.
    fn ended(mut self) -> Run {
        until("the end", || self.child.try_wait().unwrap());
        let (log, child) = (self.log(), std::mem::replace(&mut self.child, dummy()));
        holds_no_secret(&log);
        Run::new(child.wait_with_output().unwrap())
    }

    /// Stops `keep` as a service manager does.
    fn stop(self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let run = self.ended();
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{run:?}");
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dummy() -> Child {
    Command::new("/bin/true").spawn().unwrap()
}

#[test]
fn a_token_is_renewed_and_an_outage_leaves_the_file_unchanged() {
    let world = World::new();
    let (server, status) = issuer(3600);
    let keeping = Keeping::start(&world, &format!("{URL} --expiry-margin=3597"), &server);
    let first = keeping.after("");
    let second = keeping.after(&first);
    status.store(503, Ordering::SeqCst);
    keeping.logged("next attempt at", 2);
    let last = keeping.file().unwrap();
    status.store(200, Ordering::SeqCst);
    keeping.after(&last);
    assert!([&first, &second].iter().all(|token| !token.ends_with('\n')));
    keeping.stop(Signal::TERM);
    assert!(world.read("log").ends_with(" stopped\n"));
    assert!(world.path("out").exists());
}

#[test]
fn a_missing_or_damaged_file_is_written_again_without_a_request() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let keeping = Keeping::start(&world, URL, &server);
    let token = keeping.after("");
    keeping.logged("is renewed at", 1);
    std::fs::remove_file(world.path("out")).unwrap();
    assert_eq!(keeping.after(""), token);
    keeping.logged("has been written again", 1);
    std::fs::OpenOptions::new().write(true).truncate(true).open(world.path("out")).unwrap();
    assert_eq!(keeping.after(""), token);
    keeping.logged("has been written again", 2);
    world.write("out", "a key");
    keeping.logged("it has unexpected content", 1);
    assert_eq!(world.read("out"), "a key");
    std::fs::remove_file(world.path("out")).unwrap();
    assert_eq!(keeping.after(""), token);
    assert_eq!(server.count(), 1);
    keeping.stop(Signal::INT);
}

#[test]
fn a_file_is_written_again_when_its_directory_exists_again() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let (folder, file) = (world.path("sub"), world.path("sub/out"));
    std::fs::create_dir(&folder).unwrap();
    let keeping = Keeping::start(&world, &URL.replace("{dir}/out", "{dir}/sub/out"), &server);
    keeping.logged("is renewed at", 1);
    let token = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    keeping.logged("was removed or damaged: cannot write", 1);
    std::fs::create_dir(&folder).unwrap();
    until("the file", || std::fs::read_to_string(&file).ok().filter(|text| *text == token));
    keeping.logged("has been written again", 1);
    assert_eq!((server.count(), keeping.log().matches("cannot write").count()), (1, 1));
    keeping.stop(Signal::TERM);
}

/// The first token shows that the path is correct, so that a file that cannot be written later is an outage.
#[test]
fn keep_waits_for_a_file_that_cannot_be_written_even_after_the_token_has_expired() {
    let world = World::new();
    let (server, _) = issuer(4);
    let (folder, file) = (world.path("sub"), world.path("sub/out"));
    std::fs::create_dir(&folder).unwrap();
    let keeping = Keeping::start(&world, &URL.replace("{dir}/out", "{dir}/sub/out"), &server);
    keeping.logged("is renewed at", 1);
    let expired = std::fs::read_to_string(&file).unwrap();
    let expiry = now() + 4;
    std::fs::remove_dir_all(&folder).unwrap();
    until("the expiry", || (now() > expiry).then_some(()));
    let failures = keeping.log().matches("no new token").count();
    keeping.logged("no new token", failures + 1);
    std::fs::create_dir(&folder).unwrap();
    until("a new token", || std::fs::read_to_string(&file).ok().filter(|text| *text != expired));
    keeping.stop(Signal::TERM);
}

#[test]
fn clients_that_run_the_program_use_a_document_in_the_file() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let keeping = Keeping::start(&world, &format!("{URL} --format=json"), &server);
    let document = keeping.after("");
    let line = format!("url --url={}/ --output-file={{dir}}/out", server.url);
    let run = world.run(&line);
    assert!(document.contains(&run.token()));
    assert_eq!(server.count(), 1, "the run uses the file");
    keeping.stop(Signal::HUP);
    // A run that begins with a valid document uses it too.
    let again = Keeping::start(&world, &format!("{URL} --format=json"), &server);
    again.logged("is renewed at", 2);
    assert_eq!((server.count(), again.file().unwrap()), (1, document));
    again.stop(Signal::TERM);
}

#[test]
fn a_document_is_renewed_before_its_expiration_time() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let line = format!("{URL} --format=json --expiry-margin=3594");
    let keeping = Keeping::start(&world, &line, &server);
    let mut file = keeping.after("");
    for _ in 0..2 {
        let document: serde_json::Value = serde_json::from_str(&file).unwrap();
        file = keeping.after(&file);
        assert!(now() < document["expiration_time"].as_i64().unwrap());
    }
    keeping.stop(Signal::TERM);
}

#[test]
fn before_the_first_token_keep_waits_only_for_the_end_of_an_outage() {
    let world = World::new();
    let (server, status) = issuer(3600);
    status.store(403, Ordering::SeqCst);
    let refused = Keeping::start(&world, URL, &server).ended();
    assert_eq!((refused.status, refused.stdout.as_str()), (5, ""), "{refused:?}");
    assert_eq!(refused.stderr.matches('\n').count(), 1, "{refused:?}");
    status.store(200, Ordering::SeqCst);
    let no_folder =
        Keeping::start(&world, &URL.replace("dir}/out", "dir}/no/out"), &server).ended();
    assert_eq!(no_folder.status, 3, "{no_folder:?}");

    // The refusal is remembered in the first folder.
    let world = World::new();
    status.store(503, Ordering::SeqCst);
    let keeping = Keeping::start(&world, URL, &server);
    keeping.logged("next attempt at", 2);
    assert_eq!(keeping.file(), None);
    status.store(200, Ordering::SeqCst);
    keeping.after("");
    keeping.stop(Signal::TERM);
}

#[test]
fn a_refusal_ends_the_run_when_the_token_has_expired() {
    let world = World::new();
    let (server, status) = issuer(5);
    let keeping = Keeping::start(&world, URL, &server);
    let token = keeping.after("");
    let expiry = now() + 4;
    status.store(403, Ordering::SeqCst);
    keeping.logged("next attempt at", 1);
    let run = keeping.ended();
    assert!(now() >= expiry, "keep ended before the token expired");
    assert_eq!((run.status, world.read("out")), (5, token), "{run:?}");
}

#[test]
fn two_runs_with_one_file_share_their_tokens() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let line = format!("{URL} --expiry-margin=3590");
    let first = Keeping::start(&world, &line, &server);
    first.after("");
    let second = Keeping::start(&world, &line, &server);
    first.logged("another run has renewed", 2);
    // One request for each of the two starts, and one for each token that the other run uses.
    let (shared, requests) =
        (first.log().matches("another run has renewed").count(), server.count());
    assert!(requests <= 2 * shared + 1, "{requests} requests, {shared} shared");
    first.stop(Signal::TERM);
    second.stop(Signal::TERM);
}

#[test]
fn a_token_that_another_run_wrote_is_not_replaced() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let other = common::jwt(60);
    for format in ["", " --format=json"] {
        let _ = std::fs::remove_file(world.path("out"));
        let keeping = Keeping::start(&world, &format!("{URL}{format}"), &server);
        keeping.after("");
        keeping.logged("is renewed at", 1);
        world.write("out", &other);
        keeping.logged("contains a token from another run", 1);
        assert_eq!(world.read("out"), other);
        keeping.stop(Signal::TERM);
        std::fs::remove_file(world.path("log")).unwrap();
    }
}

/// Receives what is sent to the service manager.
fn received(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn the_service_manager_learns_what_happens() {
    let world = World::new();
    let (server, status) = issuer(3600);
    status.store(503, Ordering::SeqCst);
    let path = world.path("notify");
    let mut sockets = vec![(UnixDatagram::bind(&path).unwrap(), path.display().to_string())];
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("wif-token-keep-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        sockets.push((UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}")));
    }
    for (socket, address) in sockets {
        let keeping = Keeping::start_with(&world, URL, &server, |command| {
            command.env("NOTIFY_SOCKET", &address);
        });
        let waiting = received(&socket);
        assert!(waiting.starts_with("STATUS=no new token, next attempt at "), "{waiting}");
        assert!(waiting.contains("503") && !waiting.contains('\n'), "{waiting}");
        status.store(200, Ordering::SeqCst);
        let ready =
            until("READY=1", || Some(received(&socket)).filter(|text| text.contains("READY")));
        assert!(ready.starts_with("READY=1\nSTATUS=the token in "), "{ready}");
        assert!(keeping.file().is_some(), "the token is in the file");
        keeping.stop(Signal::TERM);
        assert_eq!(received(&socket), "STOPPING=1");
        status.store(503, Ordering::SeqCst);
    }
}

#[test]
fn keep_does_not_wait_for_a_service_manager_that_does_not_read() {
    let world = World::new();
    let (server, _) = issuer(3600);
    let socket = UnixDatagram::bind(world.path("notify")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"full", world.path("notify")).is_ok() {}
    let keeping = Keeping::start_with(&world, URL, &server, |command| {
        command.env("NOTIFY_SOCKET", world.path("notify"));
    });
    keeping.logged("is renewed at", 1);
    // The message is sent as soon as there is room.
    until("READY=1", || Some(received(&socket)).filter(|text| text.starts_with("READY=1")));
    keeping.stop(Signal::TERM);
}

#[test]
fn an_id_token_is_written_to_a_file_and_cached() {
    let google = Google::new();
    let world = google.world(true);
    let line =
        "id-token --for=https://app.example --credentials={dir}/c.json --output-file={dir}/out";
    for _ in 0..2 {
        let run = world.run(line);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{run:?}");
        assert_eq!(world.read("out").matches('.').count(), 2);
    }
    assert_eq!(google.calls("generateIdToken"), 1);
    let keeping =
        Keeping::start(&world, &format!("keep {line} --log-file={{dir}}/log"), &google.server);
    keeping.logged("is renewed at", 1);
    assert_eq!(google.calls("generateIdToken"), 1, "the cached token is fresh");
    let token = keeping.file().unwrap();
    std::fs::remove_file(world.path("out")).unwrap();
    assert_eq!(keeping.after(""), token);
    keeping.stop(Signal::TERM);
    let line = line.replace("--credentials", &format!("--service-account=b-{EMAIL} --credentials"));
    let run = world.run(&(line + " --format=header"));
    assert_eq!(run.status, 2, "{run:?}");
}
