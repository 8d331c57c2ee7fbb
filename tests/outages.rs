//! What a cached file and its lock do when the server fails: a cached token bridges an outage, a
//! lost response does not fail other runs, and a refused request is not sent again for a few seconds.

mod common;

use std::fs;
use std::io::{Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Server, json, response};
use common::{Run, World, jwt, now};

const CLIENT: &str = "oidc --issuer={url} --client-id=c --client-secret=env:SECRET --audience={aud} \
                      --output-file={dir}/out --log-file={dir}/log";

fn client(world: &World, server: &Server, secret: &str) -> Run {
    world.run_with(&CLIENT.replace("{url}", &server.url), &[("SECRET", secret)])
}

/// Starts an issuer whose token endpoint returns these responses.
fn issuer(token: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Server {
    Server::new(move |request| match request.line.contains("/.well-known/") {
        true => {
            let host = request.header("host").unwrap();
            json(&format!(r#"{{"issuer":"http://{host}","token_endpoint":"http://{host}/token"}}"#))
        }
        false => token(),
    })
}

fn posts(server: &Server) -> usize {
    server.requests().iter().filter(|request| request.line.starts_with("POST")).count()
}

#[test]
fn a_cached_token_that_is_still_valid_bridges_an_outage() {
    let world = World::new();
    let down = Arc::new(AtomicUsize::new(0));
    let (state, token) = (down.clone(), jwt(600));
    let expiry = now() + 600;
    let server = Server::new(move |_| match state.load(Ordering::SeqCst) {
        0 => response("200 OK", "text/plain", &token),
        _ => response("503 Busy", "text/plain", ""),
    });
    let line = format!("url --url={}/ --audience={{aud}} --output-file={{dir}}/out", server.url);
    let first = world.run(&format!("{line} --expiry-margin=598"));
    let reported = first.document()["expiration_time"].as_i64().unwrap();
    assert!((reported - now() - 2).abs() <= 1);
    down.store(1, Ordering::SeqCst);
    while now() < reported {
        thread::sleep(Duration::from_millis(50));
    }
    let bridged = world.run(&format!("{line} --log-file={{dir}}/log"));
    assert_eq!(bridged.token(), first.token());
    let until = bridged.document()["expiration_time"].as_i64().unwrap();
    assert!((until - expiry).abs() <= 1, "the real expiry: {until}");
    assert!(world.read("log").contains("until it expires at"), "{}", world.read("log"));
    assert_eq!(first.stdout.trim_end(), {
        let file: serde_json::Value = serde_json::from_str(&world.read("out")).unwrap();
        let mut document = file.as_object().unwrap().clone();
        document.remove("wif_token_request");
        serde_json::Value::from(document).to_string()
    });
}

#[test]
fn an_outage_is_not_bridged_by_an_expired_token() {
    let world = World::new();
    let answers = AtomicUsize::new(0);
    let token = jwt(2);
    let server = Server::new(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
        0 => response("200 OK", "text/plain", &token),
        _ => response("503 Busy", "text/plain", ""),
    });
    let line = format!("url --url={}/ --audience={{aud}} --output-file={{dir}}/out", server.url);
    let expiry = now() + 2;
    world.run(&format!("{line} --expiry-margin=0")).document();
    while now() <= expiry {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(world.run(&line).status, 6);
}

#[test]
fn a_refusal_is_not_sent_again_until_the_secret_changes() {
    let world = World::new();
    let server = issuer(|| {
        response("401 Unauthorized", "application/json", r#"{"error":"invalid_client"}"#)
    });
    let first = client(&world, &server, "hunter2-wrong");
    assert_eq!((first.status, posts(&server)), (5, 1));
    for _ in 0..5 {
        let again = client(&world, &server, "hunter2-wrong");
        assert_eq!((again.status, posts(&server)), (5, 1), "{again:?}");
        assert!(again.stderr.contains("without a new attempt"), "{again:?}");
        assert!(again.stderr.starts_with(first.stderr.trim_end()), "{again:?}");
    }
    client(&world, &server, "hunter2-other");
    assert_eq!(posts(&server), 2, "a changed secret is tried at once");
}

/// Every file that was read may contain the secret: one that an option, a header, a parameter or a
/// variable names, and one at a default place.
#[cfg(unix)]
#[test]
fn a_changed_file_is_tried_at_once() {
    let refuse = || response("403 Forbidden", "application/json", r#"{"errors":["no"]}"#);
    for (line, file, variables) in [
        ("url --url={url} --header=Authorization:Bearer\u{1}file:{dir}/s", "s", &[][..]),
        (
            "oidc --issuer={url} --client-id=c --client-secret=env:X --param=k=file:{dir}/s",
            "s",
            &[("X", "x")],
        ),
        (
            "vault --address={url} --role=r --login=approle --role-id=file:{dir}/s --secret-id=env:X",
            "s",
            &[("X", "x")],
        ),
        ("vault --address={url} --role=r", ".vault-token", &[]),
        (
            "azure --resource=api://x --allow-http=127.0.0.1",
            "s",
            &[
                ("AZURE_FEDERATED_TOKEN_FILE", "{dir}/s"),
                ("AZURE_TENANT_ID", "t"),
                ("AZURE_CLIENT_ID", "c"),
                ("AZURE_AUTHORITY_HOST", "{url}"),
            ],
        ),
    ] {
        let world = World::new();
        let server = issuer(refuse);
        world.write(file, jwt(600));
        let line = line.replace("{url}", &server.url) + " --audience={aud} --output-file={dir}/out";
        let variables: Vec<(&str, String)> = variables
            .iter()
            .map(|(name, value)| (*name, value.replace("{url}", &server.url)))
            .collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut command = world.command(&line, &variables);
        let words: Vec<_> = command.get_args().map(|word| word.to_owned()).collect();
        let run = || {
            let mut again = std::process::Command::new(command.get_program());
            again.args(words.iter().map(|word| word.to_str().unwrap().replace('\u{1}', " ")));
            again.env_clear();
            again.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            Run::new(again.output().unwrap())
        };
        let first = run();
        assert_eq!(first.status, 5, "{line}: {first:?}");
        let asked = server.count();
        assert_eq!((run().status, server.count()), (5, asked), "{line}: it is remembered");
        world.write(file, jwt(601));
        run();
        assert!(server.count() > asked, "{line}: a changed file is tried at once");
        command.arg("unused");
    }
}

/// The run that waits for the lock has a different secret from the run that fails.
#[test]
fn a_secret_that_changes_during_the_wait_is_tried() {
    let world = World::new();
    let server = issuer(|| {
        thread::sleep(Duration::from_millis(700));
        response("401 Unauthorized", "application/json", r#"{"error":"invalid_client"}"#)
    });
    let line = CLIENT.replace("{url}", &server.url).replace("env:SECRET", "file:{dir}/secret");
    world.write("secret", "hunter2-wrong");
    let first = world.command(&line, &[]).spawn().unwrap();
    while posts(&server) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    world.write("secret", "hunter2-other!");
    let second = world.run(&line);
    first.wait_with_output().unwrap();
    assert_eq!((second.status, posts(&server)), (5, 2), "{second:?}");
}

#[test]
fn after_a_lost_response_other_runs_get_a_token() {
    let world = World::new();
    let (asked, token) = (AtomicUsize::new(0), jwt(3600));
    let server = Arc::new(issuer(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => {
            thread::sleep(Duration::from_secs(20));
            Vec::new()
        }
        _ => json(&format!(r#"{{"access_token":"{token}"}}"#)),
    }));
    let line = format!("{CLIENT} --timeout=4").replace("{url}", &server.url);
    let secret = [("SECRET", "hunter2-right")];
    let began = Instant::now();
    let runs: Vec<Run> = thread::scope(|scope| {
        let first = scope.spawn(|| world.run_with(&line, &secret));
        while posts(&server) == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        let others: Vec<_> =
            (0..5).map(|_| scope.spawn(|| world.run_with(&line, &secret))).collect();
        let others = others.into_iter().map(|run| run.join().unwrap());
        others.chain([first.join().unwrap()]).collect()
    });
    assert!(began.elapsed() < Duration::from_secs(8));
    for run in runs {
        assert_eq!(run.status, 0, "{run:?}");
    }
}

/// Runs that stop waiting for the lock, and runs that get it first, can cache a token that a waiting
/// run must not miss.
#[test]
fn a_waiting_run_uses_a_token_that_is_cached_in_the_meantime() {
    let world = World::new();
    let server = refusing_after_one_token();
    let token = client(&world, &server, "hunter2-right").token();
    let cached = world.read("out");
    fs::remove_file(world.path("out")).unwrap();
    assert_eq!(client(&world, &server, "hunter2-right").status, 5);

    let mut lock = fs::OpenOptions::new();
    let mut lock = lock.read(true).write(true).open(world.path("out.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let mut failure: serde_json::Value = serde_json::from_reader(&lock).unwrap();
    fs::remove_file(world.path("log")).unwrap();
    let waiting = world
        .command(&CLIENT.replace("{url}", &server.url), &[("SECRET", "hunter2-right")])
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(world.path("log")).unwrap_or_default();
    while !log().contains("waiting: another run holds") {
        thread::sleep(Duration::from_millis(5));
    }
    world.write("out", &cached);
    failure["failed_at_ms"] = (now() * 1000 + 1000).into();
    lock.set_len(0).unwrap();
    lock.rewind().unwrap();
    lock.write_all(failure.to_string().as_bytes()).unwrap();
    fs2::FileExt::unlock(&lock).unwrap();
    let run = Run::new(waiting.wait_with_output().unwrap());
    assert_eq!((run.token(), posts(&server)), (token, 2), "{}", log());
}

/// An issuer that refuses every request except the first.
fn refusing_after_one_token() -> Server {
    let (asked, token) = (AtomicUsize::new(0), jwt(3600));
    issuer(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => json(&format!(r#"{{"access_token":"{token}"}}"#)),
        _ => response("401 Unauthorized", "application/json", r#"{"error":"invalid_client"}"#),
    })
}

#[test]
fn a_token_that_is_cached_during_an_outage_is_used() {
    let world = World::new();
    let (asked, token) = (AtomicUsize::new(0), jwt(3600));
    let (out, cached) = (world.path("out"), world.path("cached"));
    let server = issuer(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => json(&format!(r#"{{"access_token":"{token}"}}"#)),
        _ => {
            fs::copy(&cached, &out).unwrap();
            Vec::new()
        }
    });
    let first = client(&world, &server, "hunter2-right");
    fs::rename(world.path("out"), world.path("cached")).unwrap();
    let second = client(&world, &server, "hunter2-right");
    assert_eq!((second.token(), posts(&server)), (first.token(), 2));
}
