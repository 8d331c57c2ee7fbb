//! `serve`: the protocol of a metadata server, which clients get a response, and robustness against
//! clients and failures.
#![cfg(target_os = "linux")]

mod common;

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::Run;
use common::google::{EMAIL, FEDERATED, IMPERSONATED, body, method};
use common::metadata::{ACCOUNT, ALLOW, Client, Google, Response, Serving, runs_program};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;

const ROOT: &str = "/computeMetadata/v1/";
const FLAVOR: &str = "Metadata-Flavor: Google\r\n";
const SCOPE: &str = "https://www.googleapis.com/auth/";

fn token_path(query: &str) -> String {
    format!("{ACCOUNT}token{query}")
}

fn expires_in(response: &Response) -> i64 {
    response.json()["expires_in"].as_i64().unwrap()
}

// The protocol.

#[test]
fn the_tree_is_that_of_a_metadata_server() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let account = format!("instance/service-accounts/{EMAIL}/");
    let listed = "aliases\nemail\nidentity\nscopes\ntoken\n";
    let accounts = format!("{EMAIL}/\ndefault/\n");
    for (path, expected) in [
        ("/", "computeMetadata/\n"),
        ("/computeMetadata/", "v1/\n"),
        (ROOT, "instance/\nproject/\nuniverse/\n"),
        ("instance/", "attributes/\nservice-accounts/\n"),
        ("project/attributes/", ""),
        ("instance/service-accounts/", &accounts),
        ("project/", "attributes/\nnumeric-project-id\nproject-id\n"),
        ("project/project-id", "example-project"),
        ("project/numeric-project-id", "1"),
        ("universe/universe-domain", "googleapis.com"),
        (&account, listed),
        (ACCOUNT, listed),
        (&format!("{account}email"), EMAIL),
        (&format!("{ACCOUNT}email"), EMAIL),
        (&format!("{ACCOUNT}aliases"), "default\n"),
        (&format!("{ACCOUNT}scopes"), &format!("{SCOPE}cloud-platform\n")),
        (&format!("{ACCOUNT}email?alt=json"), &format!("\"{EMAIL}\"")),
        (&format!("{ACCOUNT}email?alt=text"), EMAIL),
        ("project/?alt=json", r#"["attributes/","numeric-project-id","project-id"]"#),
        ("universe/?recursive=true&alt=text", "universe-domain googleapis.com\n"),
    ] {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{ROOT}{path}") };
        let response = serving.get(&path);
        assert_eq!((response.status, response.body.as_str()), (200, expected), "{path}");
        assert_eq!(response.header("Metadata-Flavor"), Some("Google"), "{path}");
        assert_eq!(response.header("Server"), Some("Metadata Server for VM"), "{path}");
        assert!(response.header("ETag").is_some(), "{path}");
    }
    let account = json!({"aliases": ["default"], "email": EMAIL, "scopes": [format!("{SCOPE}cloud-platform")]});
    for query in ["?recursive=true", "?recursive=True&alt=json", "?recursive"] {
        assert_eq!(serving.get(&format!("{ACCOUNT}{query}")).json(), account);
    }
    let all = serving.get(&format!("{ROOT}?recursive=true")).json();
    assert_eq!(all["instance"]["serviceAccounts"][EMAIL], account);
    assert_eq!(all["project"]["numericProjectId"], 1);
    assert_eq!(all["universe"]["universeDomain"], "googleapis.com");
    assert_eq!(google.server.count(), 0, "no token is fetched before one is requested");
}

#[test]
fn a_directory_without_its_slash_is_redirected_and_other_paths_are_not_found() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    for (path, target) in [
        ("/computeMetadata", "/computeMetadata/"),
        ("/computeMetadata/v1", ROOT),
        ("/computeMetadata/v1/instance", "/computeMetadata/v1/instance/"),
        (ACCOUNT.trim_end_matches('/'), ACCOUNT),
        (
            "/computeMetadata/v1/instance?recursive=true",
            "/computeMetadata/v1/instance/?recursive=true",
        ),
    ] {
        let response = serving.get(path);
        let expected = format!("http://{}{target}", serving.address);
        assert_eq!((response.status, response.header("Location")), (301, Some(&*expected)));
        assert_eq!(response.header("Metadata-Flavor"), Some("Google"));
    }
    for path in [
        "/favicon.ico",
        "/computeMetadata/v1/instance/id",
        "/computeMetadata/v1/project/project-id/",
        "/computeMetadata/v1/instance/service-accounts/b@example-project.iam.gserviceaccount.com/token",
        "/computeMetadata/v1/instance/service-accounts/b@example-project.iam.gserviceaccount.com/",
        "/computeMetadata/v1beta1/instance/",
        "/computeMetadata/v1/..%2f..%2fhealthz",
    ] {
        let response = serving.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(response.header("Metadata-Flavor"), Some("Google"));
    }
    assert_eq!(google.server.count(), 0);
}

#[test]
fn the_response_without_a_project_names_the_option() {
    let google = Google::new();
    let world = google.world(true);
    let config = world.read("c.json").replace(EMAIL, "1-compute@developer.gserviceaccount.com");
    world.write("c.json", config);
    let serving = Serving::start(&world, "");
    let response = serving.get(&format!("{ROOT}project/project-id"));
    assert_eq!(response.status, 404);
    assert!(response.body.contains("; set --project"), "{}", response.body);
}

#[test]
fn the_project_and_the_scopes_are_those_of_the_options() {
    let google = Google::new();
    let world = google.world(true);
    let options = "--project=another-project --project-number=7 --scope=devstorage.read_only,email";
    let serving = Serving::start(&world, options);
    assert_eq!(serving.get(&format!("{ROOT}project/project-id")).body, "another-project");
    assert_eq!(serving.get(&format!("{ROOT}project/numeric-project-id")).body, "7");
    let scopes = format!("{SCOPE}devstorage.read_only\nemail\n");
    assert_eq!(serving.get(&format!("{ACCOUNT}scopes")).body, scopes);
    serving.get(&token_path(""));
    let requests = google.server.requests();
    let impersonation = requests.iter().find(|request| method(request) == "generateAccessToken");
    let scopes = json!([format!("{SCOPE}devstorage.read_only"), "email"]);
    assert_eq!(body(impersonation.unwrap())["scope"], scopes);
}

#[test]
fn an_access_token_has_the_scopes_that_the_client_requests() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let (a, b) = (format!("{SCOPE}devstorage.read_only"), format!("{SCOPE}pubsub"));
    let escaped = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    for (query, scopes) in [
        (String::new(), json!([format!("{SCOPE}cloud-platform")])),
        ("?scopes=".to_owned(), json!([format!("{SCOPE}cloud-platform")])),
        ("?scopes=,%20".to_owned(), json!([format!("{SCOPE}cloud-platform")])),
        (format!("?scopes={a},{b}"), json!([a, b])),
        (format!("?scopes={}%2C{}", escaped(&b), escaped(&a)), json!([b, a])),
        (format!("?scopes={}", escaped(&b)), json!([b])),
    ] {
        let response = serving.get(&token_path(&query)).json();
        assert_eq!(response["access_token"], IMPERSONATED);
        assert_eq!(response["token_type"], "Bearer");
        assert!(response["expires_in"].as_i64().unwrap() > 3600, "{response}");
        if query == "?scopes=" || query == "?scopes=,%20" {
            continue; // the response has the token of the first request
        }
        let requests = google.server.requests();
        let last = requests.iter().rfind(|request| method(request) == "generateAccessToken");
        assert_eq!(body(last.unwrap())["scope"], scopes, "{query}");
    }
    assert_eq!(google.calls("generateAccessToken"), 4);
}

#[test]
fn without_a_service_account_the_exchange_gets_the_scopes() {
    let google = Google::new();
    let world = google.world(false);
    let serving = Serving::start(&world, "");
    let response = serving.get(&token_path(&format!("?scopes={SCOPE}pubsub")));
    assert_eq!(response.json()["access_token"], FEDERATED);
    assert!((3290..=3599).contains(&expires_in(&response)), "{response:?}");
    assert!(google.server.requests()[0].body.contains("pubsub"));
    thread::sleep(Duration::from_millis(1100));
    let later = serving.get(&token_path(&format!("?scopes={SCOPE}pubsub")));
    assert!(expires_in(&later) < expires_in(&response), "the remaining life");
    assert_eq!(serving.get(&format!("{ACCOUNT}identity?audience=a")).status, 400);
    assert_eq!(google.server.count(), 1);
}

#[test]
fn an_id_token_has_the_requested_audience() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    for (query, audience, is_full) in [
        ("audience=https://app.example/a", "https://app.example/a", false),
        (
            "audience=https%3A%2F%2Fapp.example&format=full&licenses=FALSE",
            "https://app.example",
            true,
        ),
        ("format=standard&audience=32555940559.apps", "32555940559.apps", false),
    ] {
        let response = serving.get(&format!("{ACCOUNT}identity?{query}"));
        assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/html")));
        assert_eq!(response.body.matches('.').count(), 2);
        assert_eq!(response.body.trim(), response.body);
        let requests = google.server.requests();
        let request = requests.iter().rfind(|request| method(request) == "generateIdToken");
        let request = body(request.unwrap());
        assert_eq!(request["audience"], audience);
        assert_eq!(request["includeEmail"].as_bool().unwrap_or_default(), is_full, "{query}");
    }
    let calls = google.calls("generateIdToken");
    for query in ["", "?audience=", "?format=full"] {
        let response = serving.get(&format!("{ACCOUNT}identity{query}"));
        let text = "non-empty audience parameter required\n";
        assert_eq!((response.status, response.body.as_str()), (400, text));
    }
    assert_eq!(google.calls("generateIdToken"), calls);
}

#[test]
fn a_head_request_gets_no_body_and_post_is_allowed_only_for_tokens() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let head = serving.ask("HEAD", &format!("{ACCOUNT}email"), FLAVOR, "");
    let length = EMAIL.len().to_string();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some(length.as_str())));
    // The response to a HEAD request has no body, even if the request fails.
    let mut client = Client::connect(&serving.address);
    let head =
        |path: &str| format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    client.send(&(head("/x") + &head(&token_path("")) + &head("/")));
    let statuses = [(); 3].map(|()| client.response(true).unwrap().status);
    assert_eq!(statuses, [404, 200, 200]);
    let posted = serving.ask(
        "POST",
        &token_path(""),
        &format!("{FLAVOR}Content-Type: application/json\r\nContent-Length: 2\r\n"),
        "{}",
    );
    assert_eq!(posted.json()["access_token"], IMPERSONATED);
    for (method, path) in [
        ("POST", &*format!("{ACCOUNT}email")),
        ("POST", "/healthz"),
        ("POST", "/subject-token"),
        ("PUT", &token_path("")),
        ("DELETE", "/"),
        ("OPTIONS", "/"),
        ("TRACE", "/"),
        ("CONNECT", "/"),
    ] {
        let response = serving.ask(method, path, FLAVOR, "");
        assert_eq!(response.status, 405, "{method} {path}");
        assert_eq!(response.header("Metadata-Flavor"), Some("Google"));
    }
}

// Security.

#[test]
fn a_request_requires_the_header_and_the_host_of_the_server() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "--token=env:TOKEN");
    let port = serving.address.rsplit(':').next().unwrap();
    let path = format!("{ACCOUNT}email");
    for host in [
        serving.address.clone(),
        format!("localhost:{port}"),
        format!("LocalHost:{port}"),
        "metadata.google.internal".to_owned(),
        "metadata.google.internal.".to_owned(),
        "metadata".to_owned(),
    ] {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n");
        assert_eq!(serving.send(&text).status, 200, "{host}");
        // A target can be a whole URL, whose host follows the same rules.
        let text = format!("GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n");
        assert_eq!(serving.send(&text).status, 200, "{host}");
    }
    let own = format!("Host: {}", serving.address);
    let secret = "Authorization: Bearer hunter2-bearer-of-url\r\n";
    for path in [&*path, "/", "/healthz", "/subject-token", &token_path("")] {
        for host in [
            "Host: evil.example".to_owned(),
            format!("Host: evil.example:{port}"),
            "Host: 127.0.0.1".to_owned(),
            format!("Host: 127.0.0.2:{port}"),
            "Host: localhost".to_owned(),
            format!("Host: metadata.google.internal:{port}"),
            format!("Host: metadata.google.internal.evil.example:{port}"),
            "Host:".to_owned(),
            "X: y".to_owned(),
            format!("{own}\r\nHost: evil.example"),
            format!("{own}\r\nX-Forwarded-For: 10.0.0.1"),
            format!("{own}\r\nx-forwarded-for:"),
        ] {
            let text = format!("GET {path} HTTP/1.1\r\n{host}\r\n{FLAVOR}{secret}\r\n");
            let response = serving.send(&text);
            assert_eq!(response.status, 403, "{path} {host}");
            assert_eq!(response.header("Metadata-Flavor"), Some("Google"));
        }
        let user = format!("user@{}", serving.address);
        for (target, host) in [
            ("evil.example", &*serving.address),
            ("evil.example", "evil.example"),
            (&serving.address, "evil.example"),
            (&user, &user),
            ("", ""),
        ] {
            let text = format!(
                "GET http://{target}{path} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}{secret}\r\n"
            );
            assert_eq!(serving.send(&text).status, 403, "{target} {path} {host}");
        }
    }
    for flavor in ["", "Metadata-Flavor: google\r\n", "Metadata-Flavor:\r\n", &FLAVOR.repeat(2)] {
        for path in ["/", &*path, &token_path(""), "/x"] {
            assert_eq!(serving.ask("GET", path, flavor, "").status, 403, "{flavor} {path}");
        }
    }
    assert_eq!(google.server.count(), 0);
}

#[test]
fn a_request_for_the_subject_token_requires_the_secret() {
    let google = Google::new();
    let world = google.world(true);
    let subject_token = world.read("t");
    let secret = "Authorization: Bearer hunter2-bearer-of-url\r\n";
    let serving = Serving::start(&world, "--token=env:TOKEN");
    let text = serving.ask("GET", "/subject-token", secret, "");
    assert_eq!((text.status, text.body), (200, subject_token.clone()));
    let document = serving.ask("GET", "/subject-token?format=json", secret, "").json();
    assert_eq!(document["subject_token"], *subject_token);
    for wrong in [
        "",
        FLAVOR,
        "Authorization: Bearer hunter2-bearer-of-ur\r\n",
        "Authorization: Bearer hunter2-bearer-of-url2\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic hunter2-bearer-of-url\r\n",
        "Authorization: hunter2-bearer-of-url\r\n",
        &secret.repeat(2),
    ] {
        let response = serving.ask("GET", "/subject-token", wrong, "");
        assert_eq!(response.status, 403, "{wrong}");
        assert!(!response.body.contains("hunter2"));
    }
    assert_eq!(serving.ask("GET", "/healthz", "", "").body, "ok\n");
    assert_eq!(serving.end().code(), Some(0));

    let world = google.world(true);
    let serving = Serving::start(&world, "");
    for header in [secret, FLAVOR, "Authorization: Bearer \r\n"] {
        let response = serving.ask("GET", "/subject-token", header, "");
        assert_eq!(response.status, 403);
        assert!(response.body.contains("--token"), "{}", response.body);
    }
    assert_eq!(google.server.count(), 0);
}

#[test]
fn requests_that_are_too_large_or_invalid_are_refused() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let host = format!("Host: {}\r\n{FLAVOR}", serving.address);
    let (path, post) = (format!("{ACCOUNT}email"), format!("POST {} HTTP/1.1\r\n", token_path("")));
    let long = "a".repeat(8 * 1024);
    for (text, status) in [
        (format!("GET {path} HTTP/1.1\r\n{host}X: {long}\r\n\r\n"), 431),
        (format!("GET {path}?{long} HTTP/1.1\r\n{host}\r\n"), 431),
        (format!("GET {path}?{} HTTP/1.1\r\n{host}\r\n", long.repeat(20)), 431),
        (format!("GET {path} HTTP/1.1\r\n{host}{}\r\n", "X: y\r\n".repeat(100)), 431),
        (format!("GET {path} HTTP/1.1\r\n{host}X: {}\r\n\r\n", &long[..7000]), 200),
        (format!("{post}{host}Content-Length: 16385\r\n\r\n{}", "a".repeat(16385)), 413),
        (format!("{post}{host}Content-Length: 16384\r\n\r\n{}", "a".repeat(16384)), 200),
        (format!("{post}{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 411),
        (format!("{post}{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400),
        ("\x16\x03\x01\x02\x00\r\n\r\n".to_owned(), 400),
        (format!("GET https://{}{path} HTTP/1.1\r\n{host}\r\n", serving.address), 400),
        (format!("GET {path} HTTP/1.1\r\n{host} X: y\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.1\r\n{host}X: \0\r\n\r\n"), 400),
    ] {
        let response = serving.send(&text);
        let shown: String = text.chars().take(120).collect();
        assert_eq!(response.status, status, "{shown}");
        assert_eq!(response.header("Connection").is_some(), status != 200, "{shown}");
    }
}

/// Whether this test can act as another user. If it cannot, it prints a message.
fn other_user(test: &str) -> bool {
    let is_root = rustix::process::getuid().is_root();
    if !is_root {
        eprintln!("NOT TESTED: {test}: only root can start a client of another user");
    }
    is_root
}

const PYTHON: &str = "
import socket, sys
s = socket.socket()
if len(sys.argv) > 3: s.bind((sys.argv[3], int(sys.argv[4])))
host, port = sys.argv[1].split(':')
s.connect((host, int(port)))
s.sendall(('GET ' + sys.argv[2] + ' HTTP/1.1\\r\\nHost: ' + sys.argv[1] + '\\r\\nMetadata-Flavor: Google\\r\\n\\r\\n').encode())
print(s.recv(65536).decode(errors='replace'))
";

/// Sends a request as user 65534, and returns the response.
fn ask_as_nobody(arguments: &[&str]) -> String {
    let mut client = Command::new("/usr/bin/python3");
    client.env_clear().args(["-c", PYTHON]).args(arguments).uid(65534).gid(65534);
    let output = client.current_dir("/").output().expect("python3 in /usr/bin");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn another_user_gets_nothing() {
    if !other_user("another_user_gets_nothing") {
        return;
    }
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let path = token_path("");
    for path in [&*path, "/", "/healthz"] {
        let response = ask_as_nobody(&[&serving.address, path]);
        assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
        assert!(response.contains("another user"), "{response}");
    }
    // The other user has the port of a connection of this user, at another loopback address.
    let own = TcpStream::connect(&serving.address).unwrap();
    let port = own.local_addr().unwrap().port().to_string();
    let response = ask_as_nobody(&[&serving.address, &path, "127.0.0.2", &port]);
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    assert_eq!(google.server.count(), 0);
    assert!(world.read("log").contains("from another user was refused"));
    drop(serving);

    let world = google.world(true);
    let serving = Serving::start(&world, "--allow-uid=65534");
    assert!(ask_as_nobody(&[&serving.address, &path]).contains(IMPERSONATED));
    drop(serving);

    // Root may connect to a server that belongs to another user.
    let world = google.world(true);
    for name in ["", "c.json", "t"] {
        std::os::unix::fs::chown(world.path(name), Some(65534), Some(65534)).unwrap();
    }
    let serving = Serving::start_with(&world, "", |command| {
        command.uid(65534).gid(65534);
    });
    assert_eq!(serving.get(&path).json()["access_token"], IMPERSONATED);
    assert!(ask_as_nobody(&[&serving.address, &path]).contains(IMPERSONATED));
}

/// In a user namespace, every user without an ID there has the ID 65534.
#[test]
fn a_user_without_an_id_in_the_user_namespace_gets_nothing() {
    const TEST: &str = "a_user_without_an_id_in_the_user_namespace_gets_nothing";
    let in_namespace = |options: &[&str]| {
        let mut command = Command::new("/usr/bin/unshare");
        command.args(options).args(["--map-user=65534", "--map-group=65534"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin").uid(1234).gid(1234);
        command
    };
    let own_network = |script: &str| {
        let mut command = in_namespace(&["--user", "--net", "--keep-caps"]);
        command.args(["/bin/sh", "-c", &format!("ip link set lo up && {script}")]);
        command
    };
    if !other_user(TEST) || !own_network("true").status().is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: {TEST}: no user namespace with a network can be created");
        return;
    }
    let google = Google::new();
    let world = google.world(true);
    for name in ["", "c.json", "t"] {
        std::os::unix::fs::chown(world.path(name), Some(1234), Some(1234)).unwrap();
    }
    let serving = Serving::start_with(&world, "", |command| {
        let mut outer = in_namespace(&["--user"]);
        outer.arg(command.get_program()).args(command.get_args());
        *command = outer;
    });
    let response = ask_as_nobody(&[&serving.address, &token_path("")]);
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    drop(serving);

    // In a separate network namespace, no such user can connect.
    let client = format!("exec python3 -c \"$CLIENT\" $GCE_METADATA_HOST {ROOT}project/project-id");
    let program = env!("CARGO_BIN_EXE_wif-token");
    let mut command = own_network("exec \"$0\" exec --credentials=\"$1\" -- sh -c \"$2\"");
    let run = Run::new(
        command
            .env("CLIENT", PYTHON)
            .arg(program)
            .arg(world.path("c.json"))
            .arg(client)
            .output()
            .unwrap(),
    );
    assert!(run.stdout.starts_with("HTTP/1.1 200 "), "{} {}", run.stdout, run.stderr);
}

// Robustness.

#[test]
fn the_connection_of_a_slow_request_is_closed_after_five_seconds_and_delays_nobody() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let (start, ticks) = (Instant::now(), serving.ticks());
    let mut silent = Client::connect(&serving.address);
    let mut slow = Client::connect(&serving.address);
    slow.send("GET / HTTP/1.1\r\nHost:");
    let mut kept = Client::connect(&serving.address);
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    kept.send(&request);
    assert_eq!(kept.response(false).unwrap().status, 200);
    assert_eq!(serving.get("/").status, 200);
    assert!(start.elapsed() < Duration::from_secs(1));
    for client in [&mut silent, &mut slow] {
        assert!(client.is_closed_after(Duration::from_secs(8)));
        let elapsed = start.elapsed().as_secs_f64();
        assert!((4.9..8.0).contains(&elapsed), "{elapsed}");
    }
    // A connection that was used stays open.
    kept.send(&request);
    assert_eq!(kept.response(false).unwrap().status, 200);
    // Waiting in a loop would take about 100.
    assert!(serving.ticks() - ticks < 50, "the server uses no CPU time while it waits");
}

#[test]
fn the_oldest_idle_connection_is_closed_for_a_new_one() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..64 {
        let mut client = Client::connect(&serving.address);
        client.send(&request);
        assert_eq!(client.response(false).unwrap().status, 200);
        clients.push(client);
    }
    // The first one is used, so that the second one is the oldest.
    clients[0].send(&request);
    assert_eq!(clients[0].response(false).unwrap().status, 200);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(serving.get("/").status, 200);
    assert!(clients[1].is_closed_after(Duration::from_secs(1)));
    for index in [0, 2, 63] {
        clients[index].send(&request);
        assert_eq!(clients[index].response(false).unwrap().status, 200, "{index}");
    }
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", serving.child.id())).unwrap().count();
    assert!(sockets < 64 + 20, "{sockets}");
}

#[test]
fn idle_and_slow_connections_do_not_delay_a_request() {
    for (begun, longest) in [("", 1), ("G", 4)] {
        idle_connections_delay_a_request_at_most(begun, Duration::from_secs(longest));
    }
}

fn idle_connections_delay_a_request_at_most(begun: &str, longest: Duration) {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let connect = |_| {
        let mut client = Client::connect(&serving.address);
        client.send(begun);
        client
    };
    let delay = |_| {
        let _idle: Vec<Client> = (0..1000).map(connect).collect();
        let start = Instant::now();
        assert_eq!(serving.get("/").status, 200);
        start.elapsed()
    };
    // On a busy machine, one of three attempts must be fast enough.
    assert!((0..3).map(delay).any(|delay| delay < longest), "{begun}");
    assert_eq!(serving.end().code(), Some(0));
}

/// The kernel no longer finds the other end of a connection that was closed at once.
#[test]
fn connections_that_are_closed_at_once_cost_little() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    assert_eq!(serving.get("/").status, 200);
    let ticks = serving.ticks();
    (0..1000).for_each(|_| drop(Client::connect(&serving.address)));
    assert_eq!(serving.get("/").status, 200);
    assert!(serving.ticks() - ticks < 100, "{} ticks", serving.ticks() - ticks);
    assert_eq!(serving.end().code(), Some(0));
}

#[test]
fn an_idle_server_does_not_wake_up() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let mut client = Client::connect(&serving.address);
    let host = &serving.address;
    client.send(&format!("GET {} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n", token_path("")));
    assert_eq!(client.response(false).unwrap().status, 200);
    thread::sleep(Duration::from_millis(300)); // the connection to Google may have just been closed
    let before = serving.switches();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(serving.switches(), before);
}

#[test]
fn requests_that_are_sent_at_once_are_answered_in_order() {
    let google = Google::new();
    google.set(|google| google.delay = Duration::from_millis(200));
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    let mut client = Client::connect(&serving.address);
    let (email, scopes) = (format!("{ACCOUNT}email"), token_path("?scopes=pubsub"));
    client.send(&[&*email, &token_path(""), &email, &scopes, "/x", "/"].map(get).concat());
    let responses = [(); 6].map(|()| client.response(false).unwrap());
    assert_eq!(
        responses.each_ref().map(|response| response.status),
        [200, 200, 200, 200, 404, 200]
    );
    assert_eq!(responses[2].body, EMAIL);
    assert_eq!(responses[3].json()["access_token"], IMPERSONATED);
    // A request in pieces.
    for byte in get(&email).chars() {
        client.send(&byte.to_string());
    }
    assert_eq!(client.response(false).unwrap().body, EMAIL);
    client.send(&get("/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    assert_eq!(client.response(false).unwrap().header("Connection"), Some("close"));
    assert_eq!(client.response(false), None);
}

#[test]
fn a_client_that_expects_100_continue_gets_it_at_once() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let mut client = Client::connect(&serving.address);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        token_path(""),
        serving.address
    );
    for _ in 0..2 {
        client.send(&head);
        assert_eq!(client.response(false).unwrap().status, 100);
        client.send("a");
        client.send("b");
        assert_eq!(client.response(false).unwrap().json()["access_token"], IMPERSONATED);
    }
    client.send(&format!("{head}ab"));
    assert_eq!(client.response(false).unwrap().status, 200);
}

#[test]
fn a_client_that_waits_for_a_change_gets_no_response_before_its_timeout() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let project = format!("{ROOT}project/project-id");
    let tag = serving.get(&project).header("ETag").unwrap().to_owned();
    let ask = |client: &mut Client, query: &str| {
        let (path, host) = (format!("{project}?wait_for_change={query}"), &serving.address);
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n"));
    };
    let mut client = Client::connect(&serving.address);
    let started = Instant::now();
    for query in ["true&last_etag=0", "true&timeout_sec=0", &format!("false&last_etag={tag}")] {
        ask(&mut client, query);
        assert_eq!(client.response(false).unwrap().body, "example-project", "{query}");
    }
    let missing = format!("{ROOT}instance/id?wait_for_change=true");
    assert_eq!(serving.get(&missing).status, 404);
    assert!(started.elapsed() < Duration::from_secs(1));
    for query in [format!("TRUE&last_etag={tag}&timeout_sec=1"), "true&timeout_sec=1".to_owned()] {
        let started = Instant::now();
        ask(&mut client, &query);
        let response = client.response(false).unwrap();
        assert!(started.elapsed() >= Duration::from_secs(1), "{query}");
        assert_eq!(response.body, "example-project");
        assert_eq!(response.header("ETag"), Some(tag.as_str()));
    }
    // Without a timeout, clients wait until other clients need the connections.
    let mut waiting: Vec<Client> = (0..64).map(|_| Client::connect(&serving.address)).collect();
    waiting.iter_mut().for_each(|client| ask(client, &format!("true&last_etag={tag}")));
    let mut ticks = None;
    while ticks.replace(serving.ticks()) != Some(serving.ticks()) {
        thread::sleep(Duration::from_millis(500)); // until all requests have been read
    }
    assert_eq!(serving.get("/").status, 200);
    assert!(waiting[0].is_closed_after(Duration::from_secs(5)));
    assert!(serving.ticks() - ticks.unwrap() < 20, "the server uses no CPU time while it waits");
    // Clients that have disconnected leave no open files.
    drop(waiting);
    let folder = format!("/proc/{}/fd", serving.child.id());
    let started = Instant::now();
    while std::fs::read_dir(&folder).unwrap().count() > 32 {
        assert!(started.elapsed() < Duration::from_secs(5), "the connections are still open");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(serving.end().code(), Some(0));
}

#[test]
fn a_header_that_the_server_does_not_use_may_have_any_bytes() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let mut client = Client::connect(&serving.address);
    let host = &serving.address;
    let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}User-Agent: M");
    client.send_bytes(&[head.as_bytes(), b"\xfcller\r\n\r\n"].concat());
    assert_eq!(client.response(false).unwrap().status, 200);
}

#[test]
fn a_client_that_does_not_read_blocks_no_other_client() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let path = format!("{ROOT}?recursive=true");
    let get = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    let address = serving.address.clone();
    let many = thread::spawn(move || {
        let mut client = Client::connect(&address);
        let text = get.repeat(20_000);
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let _ = std::io::Write::write_all(&mut stream, text.as_bytes());
        client.send(&get);
        assert_eq!(client.response(false).unwrap().status, 200);
        drop(stream);
    });
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(serving.get("/").status, 200);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    many.join().unwrap();
    assert!(serving.memory() < 60 * 1024, "{} KiB", serving.memory());
}

/// Clients on this host find the server through a variable that the server has too. The source
/// `google` in the credentials of the server must not send its requests to the server itself.
#[test]
fn a_server_is_not_its_own_metadata_server() {
    let google = Google::new();
    let world = google.world(true);
    let mut config: serde_json::Value = serde_json::from_str(&world.read("c.json")).unwrap();
    let command = format!("{} google", env!("CARGO_BIN_EXE_wif-token"));
    config["credential_source"] = json!({"executable": {"command": command}});
    world.write("c.json", config.to_string());
    let expected = "there is no metadata server";
    for host in ["127.0.0.1", "localhost"] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = format!("--listen=127.0.0.1:{port} --timeout=10");
        let serving = Serving::start_with(&world, &options, |command| {
            command.env("GCE_METADATA_HOST", format!("{host}:{port}")).env(ALLOW, "1");
        });
        let start = Instant::now();
        let response = serving.get(&token_path(""));
        assert!(start.elapsed() < Duration::from_secs(5), "{host}: {:?}", start.elapsed());
        assert_ne!(response.status, 200);
        assert!(response.body.contains(expected), "{host}: {}", response.body);
        assert!(serving.end().success());
        std::fs::remove_file(world.path("log")).unwrap();
    }
    assert_eq!(google.calls("token"), 0);
}

/// A program that the credentials run does not get the variable that names the server.
#[test]
fn a_server_on_a_socket_from_systemd_is_not_its_own_metadata_server() {
    let google = Google::new();
    let world = google.world(true);
    let script = "echo \"<$GCE_METADATA_HOST>\" >> hosts; cat t";
    for (host, is_own) in [("127.0.0.1", true), ("LOCALHOST", true), ("127.0.0.77", false)] {
        runs_program(&world, script);
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("{host}:{}", tcp.local_addr().unwrap().port());
        let serving = Serving::start_with(&world, "--listen=", |command| {
            command.env("GCE_METADATA_HOST", &host).env(ALLOW, "1");
            let plain = without_listen(command);
            *command = activated(&plain, &tcp, "$$", "1");
        });
        assert_eq!(serving.get(&token_path("")).status, 200);
        let shown = if is_own { "" } else { &host };
        assert_eq!(world.read("hosts"), format!("<{shown}>\n"));
        assert!(serving.end().success());
        for name in ["log", "hosts"] {
            std::fs::remove_file(world.path(name)).unwrap();
        }
        std::fs::remove_dir_all(world.path(".cache")).unwrap();
    }
}

/// A URL in the configuration or in a command leads back to the server.
#[test]
fn a_server_does_not_wait_for_itself() {
    let google = Google::new();
    let world = google.world(true);
    let plain: serde_json::Value = serde_json::from_str(&world.read("c.json")).unwrap();
    for (is_passed, is_command) in [(false, false), (false, true), (true, false), (true, true)] {
        // Systems do not give such a port to another program before the server binds it.
        let start = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let mut ports = (start..).map(|port| TcpListener::bind(("127.0.0.1", port)));
        let tcp = ports.find_map(Result::ok).unwrap();
        let address = tcp.local_addr().unwrap();
        let url = format!("http://localhost:{}/subject-token", address.port());
        let (source, place) = match is_command {
            true => {
                let command = format!("{} url --url={url}", env!("CARGO_BIN_EXE_wif-token"));
                (json!({"executable": {"command": command}}), "set --url to")
            }
            false => (json!({"url": url}), "set credential_source.url to"),
        };
        let mut config = plain.clone();
        config["credential_source"] = source;
        world.write("c.json", config.to_string());
        let tcp = is_passed.then_some(tcp);
        let options = match is_passed {
            true => "--listen= --token=env:TOKEN".to_owned(),
            false => format!("--listen={address} --token=env:TOKEN"),
        };
        let serving = Serving::start_with(&world, &options, |command| {
            command.env(ALLOW, "1");
            if let Some(tcp) = &tcp {
                let plain = without_listen(command);
                *command = activated(&plain, tcp, "$$", "1");
            }
        });
        let start = Instant::now();
        let response = serving.get(&token_path(""));
        assert!(start.elapsed() < Duration::from_secs(5), "{url}: {:?}", start.elapsed());
        assert_eq!(response.status, 400, "{}", response.body);
        assert!(response.body.contains("is this metadata server"), "{}", response.body);
        assert!(response.body.contains(place), "{}", response.body);
        assert!(serving.end().success());
        std::fs::remove_file(world.path("log")).unwrap();
    }
    assert_eq!(google.calls("token"), 0);
}

/// systemd would accept a message from a program as a message from the service.
#[test]
fn a_program_cannot_send_messages_to_the_service_manager() {
    const NAMES: [&str; 7] = [
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "LISTEN_PID",
        "LISTEN_PIDFDID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
    ];
    let google = Google::new();
    let world = google.world(true);
    runs_program(&world, "env > env; cat t");
    let variables: Vec<_> = NAMES.iter().map(|name| (*name, "2")).chain([(ALLOW, "1")]).collect();
    let line = "access-token --credentials={dir}/c.json";
    let run = world.run_with(line, &variables);
    assert_eq!(run.status, 0, "{run:?}");
    let of_command = world.read("env");
    assert!(of_command.contains("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE="), "{of_command}");
    let line = "command -- /bin/sh {dir}/program";
    let run = world.run_with(line, &variables);
    assert_eq!(run.status, 0, "{run:?}");
    for seen in [of_command, world.read("env")] {
        let seen: Vec<&str> =
            seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(seen.contains(&ALLOW), "{seen:?}");
        assert!(!NAMES.iter().any(|name| seen.contains(name)), "{seen:?}");
    }
}

#[test]
fn concurrent_first_requests_share_one_exchange() {
    let google = Google::new();
    google.set(|google| google.delay = Duration::from_millis(300));
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let hangs_up =
        format!("GET {} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", token_path(""), serving.address);
    let mut first = Client::connect(&serving.address);
    first.send(&hangs_up);
    thread::sleep(Duration::from_millis(100));
    drop(first);
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let response = serving.get(&token_path(""));
                assert_eq!(response.json()["access_token"], IMPERSONATED);
            });
        }
    });
    assert_eq!((google.calls("token"), google.calls("generateAccessToken")), (1, 1));
}

#[test]
fn ten_thousand_requests_leave_no_memory_or_files() {
    let google = Google::new();
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{FLAVOR}\r\n", serving.address);
    let mut client = Client::connect(&serving.address);
    let mut ask = |requests: usize| {
        for _ in 0..requests {
            client.send(&get(&token_path("")));
            assert_eq!(client.response(false).unwrap().status, 200);
        }
    };
    ask(1000);
    (0..100).for_each(|_| assert_eq!(serving.get("/").status, 200));
    let before = serving.memory();
    ask(9000);
    (0..1000).for_each(|_| assert_eq!(serving.get("/").status, 200));
    let after = serving.memory();
    assert!(after <= before + 256, "{before} KiB, then {after} KiB");
    thread::sleep(Duration::from_millis(300)); // the last clients may have just disconnected
    let files = std::fs::read_dir(format!("/proc/{}/fd", serving.child.id())).unwrap().count();
    assert!(files < 20, "{files} open files");
    assert_eq!(google.server.count(), 2);
}

/// A program may leave behind a process that is killed with its group, and one that runs for a
/// while longer.
#[test]
fn programs_leave_no_threads_files_and_processes() {
    let google = Google::new();
    let world = google.world(true);
    runs_program(&world, "sleep 60 &\nsetsid sleep 0.2 >/dev/null &\nexit 3");
    let serving = Serving::start_with(&world, "", |command| {
        command.env(ALLOW, "1");
    });
    let run = |times: usize| {
        for _ in 0..times {
            assert_eq!(serving.get(&token_path("")).status, 503);
        }
        let of = |what: &str| format!("/proc/{}/{what}", serving.child.id());
        let count = |what| std::fs::read_dir(of(what)).unwrap().count();
        let children = || {
            let tasks = std::fs::read_dir(of("task")).unwrap();
            let list = |task: std::io::Result<std::fs::DirEntry>| {
                std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
            };
            tasks.map(list).collect::<String>()
        };
        let start = Instant::now();
        while !children().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(5), "{}", children());
            thread::sleep(Duration::from_millis(5));
        }
        (count("fd"), count("task"))
    };
    let first = run(4);
    let then = run(20);
    assert!(then.0 <= first.0 + 4 && then.1 <= first.1 + 4, "{first:?} {then:?}");
    assert_eq!(serving.end().code(), Some(0));
}

#[test]
fn a_program_gets_no_files_of_the_server() {
    let google = Google::new();
    let world = google.world(true);
    runs_program(&world, "ls /proc/$$/fd > fds; cat t");
    let serving = Serving::start_with(&world, "", |command| {
        command.env(ALLOW, "1");
    });
    let _idle = TcpStream::connect(&serving.address).unwrap();
    assert_eq!(serving.get(&token_path("")).status, 200);
    let fds = world.read("fds");
    Command::new("/bin/sh").arg(world.path("program")).output().unwrap();
    assert_eq!(fds, world.read("fds"));
    assert_eq!(serving.end().code(), Some(0));
}

/// A file system that does not respond may respond again.
#[test]
fn files_that_hang_do_not_stop_the_server() {
    use rustix::fs::{CWD, Mode, mkfifoat};
    let google = Google::new();
    let world = google.world(true);
    std::fs::remove_file(world.path("t")).unwrap();
    mkfifoat(CWD, world.path("t"), Mode::RUSR | Mode::WUSR).unwrap();
    let serving = Serving::start(&world, "--timeout=1");
    let path = |scope: usize| token_path(&format!("?scopes=s{scope}"));
    thread::scope(|scope| {
        for number in 0..6 {
            let (serving, path) = (&serving, path(number));
            scope.spawn(move || {
                let response = serving.get(&path);
                assert_eq!(response.status, 503, "{}", response.body);
                assert!(response.body.contains("still waiting for the file"), "{}", response.body);
            });
        }
    });
    std::fs::remove_file(world.path("t")).unwrap();
    world.write("t", common::jwt(3600));
    thread::sleep(Duration::from_millis(1500));
    for number in [0, 7] {
        assert_eq!(serving.get(&path(number)).status, 200, "{number}");
    }
    assert_eq!(serving.end().code(), Some(0));
}

#[test]
fn a_server_without_free_file_descriptors_waits() {
    let google = Google::new();
    let world = google.world(true);
    let binary = env!("CARGO_BIN_EXE_wif-token");
    let serving = Serving::start_with(&world, "", |command| {
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -n 24; exec \"$0\" \"$@\"", binary]).args(args);
        limited
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        *command = limited;
    });
    let clients: Vec<Client> = (0..40).map(|_| Client::connect(&serving.address)).collect();
    thread::sleep(Duration::from_millis(100));
    let ticks = serving.ticks();
    thread::sleep(Duration::from_secs(1));
    // Waiting in a loop would take about 100.
    assert!(serving.ticks() - ticks < 50, "the server uses no CPU time while it waits");
    let log = world.read("log");
    assert!(log.contains("cannot accept a connection"), "{log}");
    drop(clients);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(serving.get("/").status, 200);
}

#[test]
fn a_client_that_disconnects_has_no_effect() {
    let google = Google::new();
    google.set(|google| google.delay = Duration::from_secs(4));
    let world = google.world(true);
    disconnect(&google, &Serving::start(&world, ""), None);
    drop(world);

    let world = google.world(true);
    let mut serving = Serving::start(&world, "--listen=unix:{dir}/s");
    serving.address = world.path("s").display().to_string();
    disconnect(&google, &serving, Some("localhost"));
}

fn disconnect(google: &Google, serving: &Serving, host: Option<&str>) {
    let host = host.unwrap_or(&serving.address);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n");
    let (start, ticks, calls) = (Instant::now(), serving.ticks(), google.calls("token"));
    // More than the maximum number of connections: those whose clients have disconnected are not
    // counted.
    for number in 0..100 {
        let mut client = Client::connect(&serving.address);
        client.send(&get(&token_path(if number % 2 == 0 { "" } else { "?scopes=pubsub" })));
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(serving.send(&get("/")).status, 200);
    assert!(start.elapsed() < Duration::from_millis(3900), "{:?}", start.elapsed());
    assert_eq!(serving.send(&get(&token_path(""))).json()["access_token"], IMPERSONATED);
    // Waiting in a loop would take about 400.
    assert!(serving.ticks() - ticks < 200, "the server uses no CPU time while it waits");
    assert!(google.calls("token") - calls <= 2);
}

#[test]
fn many_different_tokens_do_not_accumulate() {
    let google = Google::new();
    google.set(|google| google.delay = Duration::from_secs(20));
    let world = google.world(true);
    let mut serving = Serving::start(&world, "--listen=unix:{dir}/s");
    serving.address = world.path("s").display().to_string();
    let ask = |number: usize| {
        let path = format!("{ACCOUNT}identity?audience={number}");
        let mut client = Client::connect(&serving.address);
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{FLAVOR}\r\n"));
        client
    };
    for number in 0..300 {
        ask(number);
    }
    let response = ask(300).response(false).unwrap();
    assert_eq!(response.status, 503);
    assert!(response.body.contains("too many different tokens"), "{}", response.body);
}

// The lifetime of a token, and failures.

#[test]
fn a_token_with_less_than_five_minutes_left_is_renewed_and_served_if_that_takes_long() {
    let google = Google::new();
    google.set(|google| google.life = 200);
    let world = google.world(false);
    let serving = Serving::start(&world, "");
    let first = serving.get(&token_path(""));
    assert!((190..=200).contains(&expires_in(&first)));
    assert_eq!(google.server.count(), 1);
    google.set(|google| google.life = 3599);
    google.set(|google| google.delay = Duration::from_secs(4));
    let start = Instant::now();
    assert!(expires_in(&serving.get(&token_path(""))) < 200, "the old one");
    let elapsed = start.elapsed().as_secs_f64();
    assert!((1.9..3.5).contains(&elapsed), "{elapsed}");
    // The renewal is still in progress. No other client waits for it again.
    let start = Instant::now();
    assert!(expires_in(&serving.get(&token_path(""))) < 200);
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    google.set(|google| google.delay = Duration::ZERO);
    thread::sleep(Duration::from_millis(2500));
    assert!(expires_in(&serving.get(&token_path(""))) > 3000, "the new one");
    assert_eq!(google.server.count(), 2);
}

#[test]
fn the_old_token_is_served_if_its_renewal_fails() {
    let google = Google::new();
    google.set(|google| google.life = 200);
    let world = google.world(false);
    let serving = Serving::start(&world, "");
    assert!(expires_in(&serving.get(&token_path(""))) <= 200);
    for failure in ["400 Bad Request", "403 Forbidden", "503 Service Unavailable"] {
        google.set(|google| google.failure = Some(failure));
        let start = Instant::now();
        assert!(expires_in(&serving.get(&token_path(""))) <= 200, "{failure}");
        assert!(start.elapsed() < Duration::from_secs(3), "{failure}");
    }
    google.set(|google| (google.failure, google.life) = (None, 3599));
    // The refusal is remembered until a file changes.
    world.write("t", world.read("t"));
    thread::sleep(Duration::from_secs(3));
    assert!(expires_in(&serving.get(&token_path(""))) > 3000);
}

#[test]
fn the_status_of_a_failure_says_whether_to_retry() {
    let google = Google::new();
    let world = google.world(false);
    let serving = Serving::start(&world, "--timeout=3");
    for (failure, status) in [
        ("400 Bad Request", 403),
        ("403 Forbidden", 403),
        ("503 Service Unavailable", 503),
        ("500 Internal Server Error", 503),
    ] {
        google.set(|google| google.failure = Some(failure));
        world.write("t", world.read("t"));
        let response = serving.get(&token_path(""));
        assert_eq!(response.status, status, "{failure}: {}", response.body);
        assert_eq!(response.body.matches('\n').count(), 1, "{}", response.body);
        common::holds_no_secret(&response.body);
        assert_eq!(response.header("Metadata-Flavor"), Some("Google"));
        // A failure has no body if only the head is requested.
        assert_eq!(serving.ask("HEAD", &token_path(""), FLAVOR, "").status, status);
    }
    google.set(|google| google.failure = None);
    assert_eq!(serving.get(&token_path("")).status, 200);
    std::fs::remove_file(world.path("t")).unwrap();
    let response = serving.get(&token_path("?scopes=pubsub"));
    assert_eq!(response.status, 400, "{}", response.body);
    world.write("t", common::jwt(3600));
    google.set(|google| google.delay = Duration::from_secs(6));
    let start = Instant::now();
    assert_eq!(serving.get(&token_path("?scopes=pubsub")).status, 503);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(serving.end().code(), Some(0));
}

// The addresses of the server, and its end.

#[test]
fn signals_stop_the_server_with_status_zero() {
    let google = Google::new();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let world = google.world(true);
        let serving = Serving::start_with(&world, "", |command| {
            let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let mut clean = Command::new("env");
            clean.arg("--default-signal").arg(env!("CARGO_BIN_EXE_wif-token")).args(args);
            let envs: Vec<_> =
                command.get_envs().map(|(n, v)| (n.to_owned(), v.map(ToOwned::to_owned))).collect();
            clean
                .env_clear()
                .envs(envs.into_iter().filter_map(|(name, value)| Some((name, value?))));
            *command = clean;
        });
        serving.signal(signal);
        assert_eq!(serving.wait().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_signal_stops_the_server_while_a_token_is_fetched() {
    let google = Google::new();
    google.set(|google| google.delay = Duration::from_secs(5));
    let world = google.world(true);
    let serving = Serving::start(&world, "");
    let mut client = Client::connect(&serving.address);
    let host = &serving.address;
    client.send(&format!("GET {} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n", token_path("")));
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    assert_eq!(serving.end().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(client.response(false), None);
}

#[test]
fn the_server_listens_only_on_loopback_addresses_and_sockets() {
    let google = Google::new();
    let world = google.world(true);
    for listen in
        ["0.0.0.0:0", "10.0.0.1:80", "[::]:0", "localhost:80", "127.0.0.1", "8080", "unix:", ""]
    {
        let run = world.run(&format!("serve --credentials={{dir}}/c.json --listen={listen}"));
        assert_eq!(run.status, 2, "{listen}: {run:?}");
        assert!(run.stderr.contains("--listen"), "{run:?}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = world.run(&format!("serve --credentials={{dir}}/c.json --listen={address}"));
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("in use"), "{run:?}");
    if TcpListener::bind("[::1]:0").is_ok() {
        let world = google.world(true);
        let serving = Serving::start(&world, "--listen=[::1]:0");
        assert!(serving.address.starts_with("[::1]:"));
        assert_eq!(serving.get(&token_path("")).json()["access_token"], IMPERSONATED);
    }
}

#[test]
fn a_socket_file_is_private_and_removed_at_the_end() {
    let google = Google::new();
    let world = google.world(true);
    let path = world.path("s");
    let options = "--listen=unix:{dir}/s";
    let start = || {
        let mut serving = Serving::start(&world, options);
        serving.address = path.display().to_string();
        serving
    };
    let serving = start();
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
    let get = |host: &str| {
        let text = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n{FLAVOR}\r\n", token_path(""));
        serving.send(&text)
    };
    for host in ["localhost", "metadata.google.internal", "metadata"] {
        assert_eq!(get(host).json()["access_token"], IMPERSONATED, "{host}");
    }
    assert_eq!(get("evil.example").status, 403);
    // The socket is in use.
    let run = world.run(&format!("serve --credentials={{dir}}/c.json {options}"));
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("another process listens on"), "{run:?}");
    assert_eq!(get("localhost").status, 200);
    assert_eq!(serving.end().code(), Some(0));
    assert!(!path.exists());

    // A socket on which no process listens is replaced.
    drop(UnixListener::bind(&path).unwrap());
    std::fs::remove_file(world.path("log")).unwrap();
    let serving = start();
    assert_eq!(serving.end().code(), Some(0));
    assert!(!path.exists());

    // A file that is not a socket is not replaced, and a file that replaced the socket is not
    // removed.
    std::fs::remove_file(world.path("log")).unwrap();
    let serving = start();
    std::fs::remove_file(&path).unwrap();
    world.write("s", "mine");
    assert_eq!(serving.end().code(), Some(0));
    assert_eq!(world.read("s"), "mine");
    let run = world.run(&format!("serve --credentials={{dir}}/c.json {options}"));
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("is not a socket"), "{run:?}");
    assert_eq!(world.read("s"), "mine");
    let run = world.run("serve --credentials={dir}/c.json --listen=unix:{dir}/none/s");
    assert_eq!(run.status, 3, "{run:?}");
}

/// A server creates its file shortly before it listens. Another server that starts at this moment
/// waits for it, but does not wait long for a program that holds the lock on the directory.
#[test]
fn the_socket_file_of_a_server_that_is_starting_is_not_replaced() {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let google = Google::new();
    let world = google.world(true);
    let path = world.path("s");
    let directory = std::fs::File::open(world.path("")).unwrap();
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    let other = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    // A program that another test starts would keep the socket open.
    fcntl_setfd(&other, FdFlags::CLOEXEC).unwrap();
    bind(&other, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    let line = "serve --credentials={dir}/c.json --listen=unix:{dir}/s";
    let run = world.command(line, &[]).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    listen(&other, 1).unwrap();
    flock(&directory, FlockOperation::Unlock).unwrap();
    let run = Run::new(run.wait_with_output().unwrap());
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("another process listens on"), "{run:?}");

    drop(other);
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    let serving = Serving::start(&world, "--listen=unix:{dir}/s");
    assert_eq!(serving.end().code(), Some(0));
}

/// A stopped server accepts no connection, and a pipe in place of the directory has no writer.
#[test]
fn a_socket_file_is_examined_without_waiting() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let google = Google::new();
    let world = google.world(true);
    let path = world.path("s");
    let other = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&other, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&other, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert!(Command::new("mkfifo").arg(world.path("pipe")).status().unwrap().success());
    for (at, expected) in [("s", "another process listens on"), ("pipe/s", "cannot listen on")] {
        let line =
            format!("serve --credentials={{dir}}/c.json --listen=unix:{{dir}}/{at} --timeout=3");
        let run = world.run(&line);
        assert!(run.status == 3 && run.stderr.contains(expected), "{run:?}");
    }
}

/// The command with this socket as descriptor 3, as systemd starts it. `pid` is the value of
/// `LISTEN_PID`.
fn activated(command: &Command, socket: &impl AsFd, pid: &str, count: &str) -> Command {
    let script = format!(
        "LISTEN_PID={pid} LISTEN_FDS={count}; export LISTEN_PID LISTEN_FDS; \
         exec \"$0\" \"$@\" 3<&0 </dev/null"
    );
    let mut activated = Command::new("/bin/sh");
    activated.args(["-c", &script]).arg(command.get_program()).args(command.get_args());
    let envs = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    activated.env_clear().envs(envs).stdin(socket.as_fd().try_clone_to_owned().unwrap());
    activated
}

#[test]
fn a_socket_passed_by_systemd_is_used() {
    let google = Google::new();
    let world = google.world(true);
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let serving = Serving::start_with(&world, "--listen=", |command| {
        let plain = without_listen(command);
        *command = activated(&plain, &tcp, "$$", "1");
    });
    assert_eq!(serving.address, tcp.local_addr().unwrap().to_string());
    assert_eq!(serving.get(&token_path("")).json()["access_token"], IMPERSONATED);
    assert_eq!(serving.end().code(), Some(0));

    let world = google.world(true);
    let path = world.path("s");
    let unix = UnixListener::bind(&path).unwrap();
    let mut serving = Serving::start_with(&world, "--listen=", |command| {
        let plain = without_listen(command);
        *command = activated(&plain, &unix, "$$", "1");
    });
    serving.address = path.display().to_string();
    let text = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{FLAVOR}\r\n");
    assert_eq!(serving.send(&text).status, 200);
    assert_eq!(serving.end().code(), Some(0));
    assert!(
        path.metadata().unwrap().file_type().is_socket(),
        "the socket file belongs to systemd and remains"
    );
}

/// A copy of a command without its empty `--listen`.
fn without_listen(command: &Command) -> Command {
    let mut plain = Command::new(command.get_program());
    plain.args(command.get_args().filter(|argument| *argument != "--listen="));
    plain.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    plain
}

#[test]
fn a_wrong_socket_passed_by_systemd_is_refused() {
    let google = Google::new();
    let world = google.world(true);
    let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let connected = TcpStream::connect(loopback.local_addr().unwrap()).unwrap();
    let command = world.command("serve --credentials={dir}/c.json", &[]);
    let run = |mut command: Command| Run::new(command.output().unwrap());
    for (command, status, message) in [
        (activated(&command, &loopback, "1", "1"), 2, "--listen is required"),
        (activated(&command, &loopback, "$$", ""), 2, "--listen is required"),
        (activated(&command, &loopback, "$$", "2"), 3, "did not pass exactly one socket"),
        (activated(&command, &loopback, "$$", "0"), 3, "did not pass exactly one socket"),
        (activated(&command, &everywhere, "$$", "1"), 3, "other hosts can reach"),
        (activated(&command, &connected, "$$", "1"), 3, "is not a listening stream socket"),
        (command, 2, "--listen is required"),
    ] {
        let run = run(command);
        assert_eq!(run.status, status, "{run:?}");
        assert!(run.stderr.contains(message), "{message}: {run:?}");
    }
}

#[test]
fn a_wrong_option_is_refused_before_it_listens() {
    let google = Google::new();
    let world = google.world(true);
    for options in [
        "--allow-uid=root",
        "--allow-uid=-1",
        "--project=Not_A_Project",
        "--project-number=x",
        "--token=env:NONE",
        "--delegate=x",
    ] {
        let run = world
            .run(&format!("serve --listen=unix:{{dir}}/s --credentials={{dir}}/c.json {options}"));
        assert_ne!(run.status, 0, "{options}: {run:?}");
        assert!(!world.path("s").exists());
    }
}
