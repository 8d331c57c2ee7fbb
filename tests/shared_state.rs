//! State that several output files, and other programs, share: the SSO cache of the AWS CLI and the
//! refresh token file of `oidc`. A refresh token may be valid only once.

mod common;

use std::collections::HashSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::server::{Server, json, response};
use common::{Run, World, jwt};

/// The cache file of the AWS CLI for the session `corp`.
const CACHE: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

fn cache(access: &str, expiry: &str, refresh: &str) -> String {
    format!(
        r#"{{"accessToken":"{access}","expiresAt":"{expiry}","refreshToken":"{refresh}","clientId":"c","clientSecret":"hunter2-client"}}"#
    )
}

fn world(profiles: usize) -> World {
    let world = World::new();
    let profile = |number| {
        format!(
            "[profile p{number}]\nsso_session = corp\nsso_account_id = 12345678901{number}\nsso_role_name = r\n"
        )
    };
    let session =
        "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://d.example/start\n";
    fs::create_dir_all(world.path(CACHE).parent().unwrap()).unwrap();
    world.write(".aws/config", (0..profiles).map(profile).collect::<String>() + session);
    world.write(CACHE, cache("old", "2020-01-01T00:00:00Z", "refresh-0"));
    world
}

fn role_credentials() -> Vec<u8> {
    json(
        r#"{"roleCredentials":{"accessKeyId":"ASIA","secretAccessKey":"s","sessionToken":"t","expiration":32472144000000}}"#,
    )
}

fn refused() -> Vec<u8> {
    response("400 Bad Request", "application/json", r#"{"error":"invalid_grant"}"#)
}

fn variables(url: &str) -> [(&'static str, String); 3] {
    [
        ("AWS_ENDPOINT_URL_SSO", url.to_owned()),
        ("AWS_ENDPOINT_URL_SSO_OIDC", url.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

#[test]
fn profiles_of_one_sso_session_refresh_it_once() {
    let (used, count) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    let server = Server::new(move |request| {
        if !request.line.starts_with("POST") {
            return role_credentials();
        }
        thread::sleep(Duration::from_millis(200));
        if !used.lock().unwrap().insert(request.body.clone()) {
            return refused();
        }
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        json(&format!(
            r#"{{"accessToken":"new-{number}","expiresIn":3600,"refreshToken":"refresh-{number}"}}"#
        ))
    });
    let (world, variables) = (world(5), variables(&server.url));
    let start = |number| {
        let line = format!(
            "aws --profile=p{number} --region=eu-west-1 --mode=caller-identity --audience={{aud}} \
             --output-file={{dir}}/out-{number}"
        );
        let mut command = world.command(&line, &[]);
        command.envs(variables.iter().map(|(name, value)| (name, value))).spawn().unwrap()
    };
    let children: Vec<_> = (0..5).map(start).collect();
    for child in children {
        Run::new(child.wait_with_output().unwrap()).document();
    }
    let refreshes = server.requests().iter().filter(|found| found.line.starts_with("POST")).count();
    assert_eq!(refreshes, 1);
    assert!(world.read(CACHE).contains("refresh-1"));
}

#[test]
fn the_sso_cache_is_read_again_after_a_refusal() {
    let world = world(1);
    let path = world.path(CACHE);
    let server = Server::new(move |request| match request.header("x-amz-sso_bearer_token") {
        Some("of-the-cli") => role_credentials(),
        Some(_) => response("401 No", "application/json", "{}"),
        None => {
            // The AWS CLI does not lock the file.
            fs::write(&path, cache("of-the-cli", "2999-01-01T00:00:00Z", "refresh-1")).unwrap();
            refused()
        }
    });
    let line = "aws --profile=p0 --region=eu-west-1 --mode=caller-identity --audience={aud}";
    let variables = variables(&server.url);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.run_with(line, &variables).document();
    assert!(world.read(CACHE).contains("refresh-1"));
}

#[test]
fn the_refresh_token_file_is_read_again_after_a_refusal() {
    let world = World::new();
    let (path, token) = (world.path("refresh"), jwt(3600));
    let file = |issuer: &str, token: &str| {
        format!(
            r#"{{"issuer":"{issuer}","client_id":"c","scope":"openid","resource":null,"refresh_token":"{token}"}}"#
        )
    };
    let server = Server::new(move |request| {
        let host = format!("http://{}", request.header("host").unwrap());
        match (request.line.starts_with("GET"), request.body.contains("newer")) {
            (true, _) => json(&format!(r#"{{"issuer":"{host}","token_endpoint":"{host}/token"}}"#)),
            (false, true) => json(&format!(r#"{{"id_token":"{token}"}}"#)),
            (false, false) => {
                fs::write(&path, file(&host, "newer")).unwrap();
                refused()
            }
        }
    });
    world.write("refresh", file(&server.url, "older"));
    let line = format!(
        "oidc --flow=device --issuer={} --client-id=c --audience=a --refresh-token-file={{dir}}/refresh",
        server.url
    );
    world.run(&line).document();
    assert!(world.read("refresh").contains("newer"), "the newer token is kept");
}
