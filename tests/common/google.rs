//! Google on loopback for the commands, and a folder with a configuration that leads there.

use std::collections::BTreeMap;

use serde_json::{Value, json as object};

use super::server::{Request, Server, json, response};
use super::{AUDIENCE, Run, SECRETS, World, holds_no_secret, jwt};

pub const EMAIL: &str = "app@example-project.iam.gserviceaccount.com";
pub const FEDERATED: &str = "hunter2-bearer-of-the-pool";
pub const IMPERSONATED: &str = "hunter2-bearer-of-the-account";
pub const SIGNED: &str = "hunter2-bearer-signed";
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What Google says to a method: the last part of the path, after its colon if it has one.
pub type Answers = BTreeMap<&'static str, Vec<u8>>;

pub fn google(answers: &[(&'static str, Vec<u8>)]) -> Server {
    let mut all: Answers = BTreeMap::from([
        ("token", json(&format!(r#"{{"access_token":"{FEDERATED}","expires_in":3599}}"#))),
        (
            "generateAccessToken",
            json(&format!(
                r#"{{"accessToken":"{IMPERSONATED}","expireTime":"2999-01-01T00:00:00.123456789Z"}}"#
            )),
        ),
        ("generateIdToken", json(&format!(r#"{{"token":"{SIGNED}"}}"#))),
        ("signJwt", json(&format!(r#"{{"keyId":"k1","signedJwt":"{SIGNED}"}}"#))),
        ("signBlob", json(&format!(r#"{{"keyId":"k1","signedBlob":"{SIGNED}"}}"#))),
        ("oauth", json(r#"{"access_token":"hunter2-bearer-of-a-person","expires_in":3599}"#)),
    ]);
    all.extend(answers.iter().cloned());
    Server::new(move |request| match all.get(method(request)) {
        Some(answer) => answer.clone(),
        None => response("404 Not Found", "text/plain", ""),
    })
}

pub fn method(request: &Request) -> &str {
    let path = request.line.split(' ').nth(1).unwrap();
    path.rsplit([':', '/']).next().unwrap()
}

/// A folder with a subject token and a configuration for this server that reads it.
pub fn world(server: &Server) -> World {
    let world = World::new();
    world.write("t", jwt(3600));
    configure(&world, server, |_| {});
    world
}

pub fn configure(world: &World, server: &Server, change: impl Fn(&mut Value)) {
    let url = &server.url;
    let account = format!("{url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken");
    let mut config = object!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{url}/v1/token"),
        "service_account_impersonation_url": account,
        "credential_source": {"file": world.fill("{dir}/t")},
    });
    change(&mut config);
    world.write("c.json", config.to_string());
}

pub fn federated_only(config: &mut Value) {
    config.as_object_mut().unwrap().remove("service_account_impersonation_url");
}

/// A run with the configuration in its place.
pub fn run(world: &World, line: &str) -> Run {
    let line = format!("{line} --log-file={{dir}}/log");
    let run = world
        .run_with(&line, &[("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/c.json"), ("T", SECRETS[2])]);
    if world.path("log").exists() {
        let log = world.read("log");
        holds_no_secret(&log);
        assert!(!log.contains("hunter2"), "{log}");
    }
    run
}

pub fn succeeds(world: &World, line: &str) -> String {
    let run = run(world, line);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}: {run:?}");
    run.stdout
}

/// A failure of a command is one line on standard error; `--format=json` adds the document.
pub fn fails(world: &World, url: &str, line: &str, status: i32, message: &str) {
    let message = world.fill(message).replace("{url}", url) + "\n";
    let run = run(world, &line.replace("{url}", url));
    assert_eq!(run.stderr, message, "{line}");
    assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{line}");
}

pub fn form(request: &Request) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into()
    };
    request
        .body
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

pub fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

pub const PERSON: &str = "access-token --subject=ann@example.com --oauth-endpoint={url}/oauth";

/// Runs with the opt-in and an executable that is a shell script of these lines.
#[cfg(unix)]
pub fn with_script(world: &World, script: &str, variables: &[(&str, &str)]) -> Run {
    use std::os::unix::fs::PermissionsExt;
    let path = world.write("script", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
    let mut all = vec![
        ("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/c.json"),
        ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1"),
    ];
    all.extend(variables);
    world.run_with("access-token", &all)
}
