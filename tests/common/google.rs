//! Google on loopback for the commands, and a folder with a configuration that uses this server.

use std::collections::BTreeMap;

use serde_json::{Value, json as object};

use super::placeholders::time_of;
use super::server::{Request, Server, json, response};
use super::{AUDIENCE, Run, World, holds_no_secret, jwt, now};

pub const EMAIL: &str = "app@example-project.iam.gserviceaccount.com";
pub const FEDERATED: &str = "hunter2-bearer-of-the-pool";
pub const IMPERSONATED: &str = "hunter2-bearer-of-the-account";
pub const SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.e30.hunter2-bearer-signed0";

/// Answers by method: the last part of the path, after its colon if it has one.
pub fn google() -> Server {
    let expiry = time_of(now() + 3600).replace('Z', ".123456789Z");
    let answers = BTreeMap::from([
        ("token", json(&format!(r#"{{"access_token":"{FEDERATED}","expires_in":3599}}"#))),
        (
            "generateAccessToken",
            json(&format!(r#"{{"accessToken":"{IMPERSONATED}","expireTime":"{expiry}"}}"#)),
        ),
        ("signJwt", json(&format!(r#"{{"keyId":"k1","signedJwt":"{SIGNED}"}}"#))),
        ("oauth", json(r#"{"access_token":"hunter2-bearer-of-a-person","expires_in":3599}"#)),
    ]);
    Server::new(move |request| match answers.get(method(request)) {
        Some(answer) => answer.clone(),
        None => response("404 Not Found", "text/plain", ""),
    })
}

pub fn method(request: &Request) -> &str {
    let path = request.line.split(' ').nth(1).unwrap();
    path.rsplit([':', '/']).next().unwrap()
}

/// Creates a folder with a subject token, and a configuration for this server that reads the token.
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

/// Runs the program with the configuration as its credential file.
pub fn run(world: &World, line: &str) -> Run {
    let line = format!("{line} --log-file={{dir}}/log");
    let run = world.run_with(&line, &[("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/c.json")]);
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

pub fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

pub const PERSON: &str = "access-token --subject=ann@example.com --oauth-endpoint={url}/oauth";
