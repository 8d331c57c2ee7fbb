//! What a cached file and its lock do when the server is not well: a cached token bridges an outage, a
//! lost response fails one run only, and a refusal is not sent again for some seconds.

mod common;

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

/// An issuer whose token endpoint responds as told.
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
    assert!((until - expiry).abs() <= 1, "the true expiry: {until}");
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

#[test]
fn a_lost_response_fails_one_run_only() {
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
    let (last, others) = runs.split_last().unwrap();
    assert_eq!(last.status, 6, "{last:?}");
    for run in others {
        assert_eq!(run.status, 0, "{run:?}");
    }
}
