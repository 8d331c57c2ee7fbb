//! `oidc --flow=device`: cases that depend on time, concurrency, file modes or the absence of a terminal.
//! The others are in `tests/scenarios/oidc_device`.

#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Request, Server, json, response};
use common::{Run, World, jwt, terminal};

const INTERACTIVE: (&str, &str) = ("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "1");

/// Starts an issuer that returns a code with an interval of one second, and responds to `/token`
/// with `answer`, which gets the number of earlier requests for this path.
fn issuer(answer: impl Fn(&Request, usize) -> Vec<u8> + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |request| {
        let url = format!("http://{}", request.header("host").unwrap());
        match request.line.split(' ').nth(1).unwrap() {
            "/.well-known/openid-configuration" => json(&format!(
                r#"{{"issuer":"{url}","token_endpoint":"{url}/token",
                    "device_authorization_endpoint":"{url}/device"}}"#
            )),
            "/device" => json(
                r#"{"device_code":"hunter2-device-code","user_code":"HUNT-ER22","interval":1,
                    "verification_uri":"https://idp.example/device","expires_in":600}"#,
            ),
            _ => answer(request, count.fetch_add(1, Ordering::SeqCst)),
        }
    })
}

fn refused(error: &str) -> Vec<u8> {
    response("400 Bad Request", "application/json", &format!(r#"{{"error":"{error}"}}"#))
}

fn tokens(refresh_token: &str) -> Vec<u8> {
    let token = jwt(3600);
    json(&format!(
        r#"{{"access_token":"opaque","id_token":"{token}","refresh_token":"{refresh_token}"}}"#
    ))
}

fn line(server: &Server) -> String {
    format!(
        "oidc --flow=device --client-id=the:client --audience=a --output-file={{dir}}/out \
         --log-file={{dir}}/log --issuer={}",
        server.url
    )
}

fn on_terminal(world: &World, line: &str) -> Run {
    terminal::run(world, &world.command(line, &[INTERACTIVE])).0
}

fn bodies(server: &Server) -> Vec<String> {
    let posts = server.requests().into_iter().filter(|request| request.line.starts_with("POST"));
    posts.map(|request| request.body).collect()
}

#[test]
fn the_file_of_the_refresh_token_is_private() {
    let world = World::new();
    let server = issuer(|_, _| tokens("hunter2-refresh"));
    assert_eq!(on_terminal(&world, &line(&server)).status, 0);
    let kept = world.path("out.refresh-token");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// Returns the seconds between the polls of a sign-in that succeeds after these responses.
fn pauses(answers: Vec<Vec<u8>>) -> Vec<u64> {
    let world = World::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = asked.clone();
    let server = issuer(move |_, count| {
        times.lock().unwrap().push(Instant::now());
        answers.get(count).cloned().unwrap_or_else(|| tokens("hunter2-refresh"))
    });
    let run = on_terminal(&world, &line(&server));
    assert_eq!(run.status, 0, "{run:?}");
    let asked = asked.lock().unwrap();
    asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
}

#[test]
fn a_run_that_waits_for_a_sign_in_gets_its_token() {
    let world = World::new();
    let server = issuer(|_, count| match count {
        0 | 1 => refused("authorization_pending"),
        _ => tokens("hunter2-refresh"),
    });
    thread::scope(|scope| {
        let person = scope.spawn(|| on_terminal(&world, &line(&server)).status);
        while bodies(&server).len() < 2 {
            thread::sleep(Duration::from_millis(5));
        }
        let impatient = world.run(&format!("{} --timeout=1", line(&server)));
        assert_eq!(impatient.status, 6, "{impatient:?}");
        assert!(impatient.stderr.contains("another run holds the lock"), "{impatient:?}");
        world.run(&line(&server)).document();
        assert_eq!(person.join().unwrap(), 0);
    });
    assert_eq!(bodies(&server).len(), 4, "one device code and three polls");
}

#[test]
fn slow_down_adds_five_seconds() {
    assert_eq!(pauses(vec![refused("slow_down")]), [6]);
}

#[test]
fn an_idle_connection_is_not_reused() {
    let kept_open = String::from_utf8(refused("slow_down")).unwrap();
    let kept_open = kept_open.replace("Connection: close", "Connection: keep-alive");
    assert_eq!(pauses(vec![kept_open.into_bytes()]), [6]);
}

#[test]
fn each_network_error_or_503_doubles_the_pause() {
    let (cut_off, busy) = (Vec::new(), response("503 Busy", "text/plain", ""));
    assert_eq!(pauses(vec![cut_off, busy]), [2, 4]);
}

#[test]
fn without_a_terminal_the_run_does_not_ask_a_user() {
    let world = World::new();
    let server = issuer(|_, _| tokens("unused"));
    // setsid(1) detaches the run from the terminal of the tests, if there is one.
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_wif-token"));
    command.args(world.fill(&line(&server)).split(' ').filter(|word| !word.is_empty()));
    command.env_clear().env("PATH", "/usr/bin:/bin").env(INTERACTIVE.0, INTERACTIVE.1);
    let run = Run::new(command.output().unwrap());
    assert_eq!(run.status, 4, "{run:?}");
    assert!(run.stderr.contains("without a terminal"), "{run:?}");
    assert!(server.requests().iter().all(|request| !request.line.contains("/device")));
}

#[test]
fn a_refresh_token_is_used_once_however_many_runs_share_it() {
    let world = World::new();
    let current = Mutex::new(0);
    let server = issuer(move |request, _| {
        let mut current = current.lock().unwrap();
        let expected = format!("refresh_token=hunter2-refresh-{current}&");
        if request.body.contains("grant_type=refresh_token") && !request.body.contains(&expected) {
            return refused("invalid_grant");
        }
        *current += 1;
        tokens(&format!("hunter2-refresh-{current}"))
    });
    let line = |name: usize| {
        let line = line(&server).replace("{dir}/out", &format!("{{dir}}/out-{name}"));
        format!("{line} --refresh-token-file={{dir}}/shared")
    };
    on_terminal(&world, &line(0));
    let world = &world;
    thread::scope(|scope| {
        let runs: Vec<_> =
            (1..=6).map(line).map(|line| scope.spawn(move || world.run(&line))).collect();
        for run in runs {
            run.join().unwrap().document();
        }
    });
    assert!(world.read("shared").contains("hunter2-refresh-7"));
}
