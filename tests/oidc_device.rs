//! `oidc --flow=device` against a loopback issuer, with a terminal by script(1) of util-linux: what is
//! sent, what the person sees, what is kept, and what is said when it fails.

#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Request, Server, json, response};
use common::{Run, World, holds_no_secret, jwt};

const DEVICE_CODE: &str = "hunter2-device-code";
const USER_CODE: &str = "HUNT-ER22";
const INTERACTIVE: (&str, &str) = ("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "1");
const REVOKE: (&str, &str) = ("GOOGLE_EXTERNAL_ACCOUNT_REVOKE", "1");

/// An issuer that gives a code with an interval of one second and answers `/token` and `/revoke` so;
/// the number counts the requests of that path.
fn issuer(answer: impl Fn(&Request, usize) -> Vec<u8> + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |request| {
        let url = format!("http://{}", request.header("host").unwrap());
        match request.line.split(' ').nth(1).unwrap() {
            "/.well-known/openid-configuration" => json(&format!(
                r#"{{"issuer":"{url}","token_endpoint":"{url}/token",
                    "device_authorization_endpoint":"{url}/device",
                    "revocation_endpoint":"{url}/revoke"}}"#
            )),
            "/device" => json(&format!(
                r#"{{"device_code":"{DEVICE_CODE}","user_code":"{USER_CODE}","interval":1,
                    "verification_uri":"https://idp.example/device","expires_in":600}}"#
            )),
            _ => answer(request, count.fetch_add(1, Ordering::SeqCst)),
        }
    })
}

fn refused(error: &str) -> Vec<u8> {
    response("400 Bad Request", "application/json", &format!(r#"{{"error":"{error}"}}"#))
}

/// A refusal that repeats what only the terminal may show.
fn echoed(error: &str) -> Vec<u8> {
    let echo = format!("of {DEVICE_CODE} {USER_CODE}");
    refused(&format!(r#"{error}","error_description":"{echo}"#))
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

/// A run on a terminal of its own, whose standard output and error are files, and what the terminal
/// showed.
fn on_terminal(world: &World, line: &str) -> (Run, String) {
    let program = env!("CARGO_BIN_EXE_wif-token");
    let line = world.fill(&format!("{program} {line} >{{dir}}/stdout 2>{{dir}}/stderr"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env(INTERACTIVE.0, INTERACTIVE.1);
    let output = command.stdin(Stdio::null()).output().expect("script(1) of util-linux");
    let (stdout, stderr) = (world.read("stdout"), world.read("stderr"));
    let status = output.status.code().unwrap();
    keeps_quiet(&stdout);
    keeps_quiet(&stderr);
    keeps_quiet(&world.read("log"));
    let shown = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    (Run { status, stdout, stderr }, shown)
}

fn keeps_quiet(text: &str) {
    holds_no_secret(text);
    assert!(!text.contains("hunter2") && !text.contains(USER_CODE), "{text}");
}

fn bodies(server: &Server) -> Vec<String> {
    let posts = server.requests().into_iter().filter(|request| request.line.starts_with("POST"));
    posts.map(|request| request.body).collect()
}

#[test]
fn a_person_signs_in_and_later_runs_need_none() {
    let world = World::new();
    let server = issuer(|_, count| match count {
        0 => refused("authorization_pending"),
        1 => tokens("hunter2-refresh-1"),
        2 => tokens("hunter2-refresh-2"),
        _ => refused("invalid_grant"),
    });
    let (run, shown) = on_terminal(&world, &line(&server));
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    assert_eq!(
        shown,
        format!(
            "To sign in, open\n\n    https://idp.example/device\n\nand enter the code {USER_CODE}\n\n"
        )
    );
    let kept = world.path("out.refresh-token");
    assert_eq!(
        world.read("out.refresh-token"),
        format!(
            r#"{{"issuer":"{}","client_id":"the:client","scope":"openid","resource":null,"refresh_token":"hunter2-refresh-1"}}"#,
            server.url
        )
    );
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let again = |audience: &str| world.run(&format!("{} --audience={audience}", line(&server)));
    again("b").document();
    assert!(world.read("out.refresh-token").contains("hunter2-refresh-2"));
    let expired = again("c");
    assert_eq!(
        expired.stderr,
        format!(
            "{}/token answered 400: invalid_grant; to sign in again, \
             run gcloud auth login --cred-file=FILE in a terminal, or this command with \
             GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1\n",
            server.url
        )
    );
    assert_eq!(expired.status, 8);
    assert!(!kept.exists());

    let device = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
                  &device_code=hunter2-device-code&client_id=the%3Aclient";
    let refresh = |token: &str| {
        format!("grant_type=refresh_token&refresh_token={token}&client_id=the%3Aclient")
    };
    assert_eq!(
        bodies(&server),
        [
            "scope=openid&client_id=the%3Aclient",
            device,
            device,
            &refresh("hunter2-refresh-1"),
            &refresh("hunter2-refresh-2"),
        ]
    );
}

#[test]
fn what_the_options_ask_for_is_sent_and_the_token_is_bound_to_it() {
    let world = World::new();
    let server = issuer(|_, _| tokens("hunter2-refresh"));
    let line =
        format!("{} --scope=openid,offline_access --resource=https://r.example", line(&server));
    assert_eq!(on_terminal(&world, &format!("{line} --param=tenant=t")).0.status, 0);
    assert_eq!(
        bodies(&server)[0],
        "scope=openid%20offline_access&resource=https%3A%2F%2Fr.example&tenant=t&client_id=the%3Aclient"
    );
    for other in ["--client-id=other", "--scope=openid", "--resource=https://s.example"] {
        let run = world.run(&format!("{line} --audience=b {other}"));
        assert_eq!(run.status, 4, "{run:?}");
        assert!(run.stderr.contains("there is no refresh token for this in"), "{run:?}");
    }
    assert_eq!(world.run(&format!("{line} --audience=b")).status, 0);
}

#[test]
fn a_person_who_is_there_is_asked_again_when_the_refresh_token_is_over() {
    let world = World::new();
    let server = issuer(|request, _| match request.body.contains("grant_type=refresh_token") {
        true => refused("invalid_grant"),
        false => tokens("hunter2-refresh"),
    });
    for audience in ["b", "c"] {
        let (run, shown) = on_terminal(&world, &format!("{} --audience={audience}", line(&server)));
        assert_eq!(run.status, 0, "{run:?}");
        assert!(shown.contains(USER_CODE));
    }
}

#[test]
fn a_refresh_that_renews_no_id_token_needs_the_person() {
    let world = World::new();
    let server = issuer(|_, count| match count {
        0 => tokens("hunter2-refresh"),
        _ => json(r#"{"access_token":"opaque"}"#),
    });
    on_terminal(&world, &line(&server));
    let run = world.run(&format!("{} --audience=b", line(&server)));
    assert_eq!(run.status, 8, "{run:?}");
    assert!(run.stderr.contains("/token renews no id_token; to sign in again, run "), "{run:?}");
}

/// The seconds between the questions of a sign-in that succeeds after these answers.
fn pauses(answers: Vec<Vec<u8>>) -> Vec<u64> {
    let world = World::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = asked.clone();
    let server = issuer(move |_, count| {
        times.lock().unwrap().push(Instant::now());
        answers.get(count).cloned().unwrap_or_else(|| tokens("hunter2-refresh"))
    });
    let (run, _) = on_terminal(&world, &line(&server));
    assert_eq!(run.status, 0, "{run:?}");
    let asked = asked.lock().unwrap();
    asked.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
}

#[test]
fn who_waits_for_a_sign_in_gets_its_token() {
    let world = World::new();
    let server = issuer(|_, count| match count {
        0 | 1 => refused("authorization_pending"),
        _ => tokens("hunter2-refresh"),
    });
    thread::scope(|scope| {
        let person = scope.spawn(|| on_terminal(&world, &line(&server)).0.status);
        while bodies(&server).len() < 2 {
            thread::sleep(Duration::from_millis(5));
        }
        let impatient = world.run(&format!("{} --timeout=1", line(&server)));
        assert_eq!(impatient.status, 6, "{impatient:?}");
        assert!(impatient.stderr.contains("let that run finish or end it"), "{impatient:?}");
        world.run(&line(&server)).document();
        assert_eq!(person.join().unwrap(), 0);
    });
    assert_eq!(bodies(&server).len(), 4, "one sign-in, three questions");
}

#[test]
fn slow_down_adds_five_seconds() {
    assert_eq!(pauses(vec![refused("slow_down")]), [6]);
}

#[test]
fn a_connection_that_lay_idle_is_not_used_again() {
    let kept_open = String::from_utf8(refused("slow_down")).unwrap();
    let kept_open = kept_open.replace("Connection: close", "Connection: keep-alive");
    assert_eq!(pauses(vec![kept_open.into_bytes()]), [6]);
}

#[test]
fn trouble_doubles_the_pause() {
    let (cut_off, busy) = (Vec::new(), response("503 Busy", "text/plain", ""));
    assert_eq!(pauses(vec![cut_off, busy]), [2, 4]);
}

#[test]
fn refusals_say_what_to_do() {
    let mut cases = Vec::new();
    for (answer, options, status, message) in [
        (
            echoed("access_denied"),
            "",
            5,
            "the sign-in was declined: access_denied: of [secret] [secret]; \
             sign in again and allow it, or ask who administers the issuer",
        ),
        (refused("expired_token"), "", 8, "nobody signed in in time; sign in again"),
        (refused("invalid_grant"), "", 8, "nobody signed in in time; sign in again"),
        (
            refused("authorization_pending"),
            "--timeout=2",
            8,
            "nobody signed in in time; sign in again; if the time is too short, \
             raise --timeout and the executable's interactive_timeout_millis",
        ),
        (
            response("503 Busy", "text/plain", ""),
            "--timeout=2",
            6,
            "{url}/token answered 503; try again later",
        ),
        (
            echoed("unauthorized_client"),
            "",
            5,
            "{url}/token answered 400: unauthorized_client: of [secret] [secret]; \
             allow this client the device authorization grant at the issuer",
        ),
        (
            json(r#"{"access_token":"opaque"}"#),
            "",
            7,
            "the answer of {url}/token has no id_token; \
             add --scope=openid, or take --use=access_token",
        ),
    ] {
        cases.push(thread::spawn(move || {
            let world = World::new();
            let server = issuer(move |_, _| answer.clone());
            let (run, shown) = on_terminal(&world, &format!("{} {options}", line(&server)));
            assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
            assert_eq!(run.status, status);
            assert!(shown.contains(USER_CODE));
            assert!(!world.path("out").exists() && !world.path("out.refresh-token").exists());
        }));
    }
    for case in cases {
        case.join().unwrap(); // each waits for its second question or so: all at once
    }
}

#[test]
fn an_issuer_without_a_usable_device_endpoint_is_named() {
    let world = World::new();
    let found = |answer: Vec<u8>| {
        Server::new(move |request| {
            let url = format!("http://{}", request.header("host").unwrap());
            match request.line.starts_with("GET") {
                true => json(&format!(
                    r#"{{"issuer":"{url}","token_endpoint":"{url}/token",
                        "device_authorization_endpoint":"{url}/device"}}"#
                )),
                false => answer.clone(),
            }
        })
    };
    let none = Server::new(|request| {
        let url = format!("http://{}", request.header("host").unwrap());
        json(&format!(r#"{{"issuer":"{url}","token_endpoint":"{url}/token"}}"#))
    });
    for (server, status, message) in [
        (
            none,
            3,
            "{url}/ names no device_authorization_endpoint; \
             turn the device authorization grant on at the issuer, or check --issuer",
        ),
        (
            found(json(r#"{"device_code":"hunter2","verification_uri":"https://idp.example"}"#)),
            7,
            "the answer of {url}/device has no user_code; \
             check --issuer: RFC 8628 section 3.2 demands one",
        ),
        (
            found(response("401 No", "application/json", r#"{"error":"invalid_client"}"#)),
            5,
            "{url}/device answered 401: invalid_client; check --client-id, \
             or prove the client with --client-secret, --client-key or --client-cert",
        ),
        (
            found(response("400 No", "application/json", r#"{"error":"invalid_scope"}"#)),
            5,
            "{url}/device answered 400: invalid_scope; check --scope",
        ),
        (
            found(response("200 OK", "text/html", "<html>")),
            7,
            "{url}/device answered with HTML; a login page or a proxy may have answered: check --issuer",
        ),
    ] {
        let (run, shown) = on_terminal(&world, &line(&server));
        assert_eq!(run.stderr.replace(&server.url, "{url}"), message.to_owned() + "\n");
        assert_eq!((run.status, shown.as_str()), (status, ""));
    }
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    let world = World::new();
    let server = issuer(|_, _| tokens("unused"));
    let by_hand = "run gcloud auth login --cred-file=FILE in a terminal, or this command with \
                   GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1\n";
    let run = world.run(&line(&server));
    let cause = world.fill("there is no refresh token for this in {dir}/out.refresh-token");
    let nobody = "nobody is signed in at 127.0.0.1";
    assert_eq!(run.stderr, format!("{nobody}: {cause}; {by_hand}"));
    assert_eq!((run.status, server.count()), (4, 0));

    let bare = format!("oidc --flow=device --client-id=c --issuer={}", server.url);
    let cause = "there is no --refresh-token-file or output file";
    assert_eq!(world.run(&bare).stderr, format!("{nobody}: {cause}; {by_hand}"));

    // setsid(1) takes the terminal away, should these tests have one.
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_wif-token"));
    command.args(world.fill(&line(&server)).split(' ').filter(|word| !word.is_empty()));
    command.env_clear().env("PATH", "/usr/bin:/bin").env(INTERACTIVE.0, INTERACTIVE.1);
    let run = Run::new(command.output().unwrap());
    assert_eq!(
        run.stderr,
        format!(
            "there is no terminal to ask a person at: No such device or address (os error 6); {by_hand}"
        )
    );
    assert_eq!(run.status, 4);
    assert!(server.requests().iter().all(|request| !request.line.contains("/device")));
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let world = World::new();
    world.write("notes", "my notes");
    let server = issuer(|_, _| tokens("unused"));
    let line = format!("{} --refresh-token-file={{dir}}/notes", line(&server));
    let message =
        "{dir}/notes holds no refresh token; check --refresh-token-file, or remove the file\n";
    assert_eq!(on_terminal(&world, &line).0.stderr, world.fill(message));
    assert_eq!(world.run_with(&line, &[REVOKE]).stderr, world.fill(message));
    assert_eq!((world.read("notes").as_str(), server.count()), ("my notes", 0));
    let run = world.run("oidc --issuer=https://i.example --client-id=c --refresh-token-file=x");
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (2, "--refresh-token-file is for --flow=device; add --flow=device, or leave it out\n")
    );
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

#[test]
fn revocation_removes_the_token_here_and_at_the_issuer() {
    let revoked = "{\"version\":1,\"success\":true}\n";
    for (answer, status, message) in [
        (json(""), 0, ""),
        (
            response("503 Busy", "text/plain", ""),
            6,
            "{url}/revoke answered 503; the refresh token is removed here, \
             but has to be revoked at the issuer by hand\n",
        ),
    ] {
        let world = World::new();
        let server = issuer(move |request, _| match request.line.contains("/revoke") {
            true => answer.clone(),
            false => tokens("hunter2-refresh"),
        });
        on_terminal(&world, &line(&server));
        let run = world.run_with(&line(&server), &[REVOKE]);
        assert_eq!(run.stderr.replace(&server.url, "{url}"), message);
        assert_eq!(run.status, status);
        assert!(!world.path("out").exists() && !world.path("out.refresh-token").exists());
        assert_eq!(
            bodies(&server).last().unwrap(),
            "token=hunter2-refresh&token_type_hint=refresh_token&client_id=the%3Aclient"
        );
        let asked = server.count();
        assert_eq!(world.run_with(&line(&server), &[REVOKE]).stdout, revoked);
        assert_eq!(server.count(), asked, "there is nothing left to revoke");
        keeps_quiet(&world.read("log"));
    }
}

#[test]
fn a_configuration_is_that_of_a_workforce_pool() {
    let world = World::new();
    let line = "config oidc --flow=device --issuer=https://idp.example --client-id=c \
                --pool-provider=locations/global/workforcePools/staff/providers/idp \
                --workforce-pool-user-project=1 --program=/usr/bin/wif-token \
                --output-file=/home/me/out.json --out={dir}/credentials.json";
    for (options, wait, person_waits) in
        [("", 30_000, 300_000), ("--timeout=600", 120_000, 605_000)]
    {
        let run = world.run(&format!("{line} {options}"));
        assert!(
            run.stdout.contains(
                "gcloud iam workforce-pools providers create-oidc \
                 locations/global/workforcePools/staff/providers/idp --issuer-uri=https://idp.example --client-id=c \
                 --web-sso-response-type=id-token \
                 --web-sso-assertion-claims-behavior=only-id-token-claims "
            ),
            "{run:?}"
        );
        let written: serde_json::Value =
            serde_json::from_str(&world.read("credentials.json")).unwrap();
        assert_eq!(written["subject_token_type"], "urn:ietf:params:oauth:token-type:id_token");
        let executable = &written["credential_source"]["executable"];
        assert_eq!(executable["timeout_millis"], wait);
        assert_eq!(executable["interactive_timeout_millis"], person_waits);
    }
}
