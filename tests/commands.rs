//! The commands: sequences of runs with a cache file, times in a request, file modes, and a server that
//! repeats requests. What they send is in `tests/scenarios/requests`; their messages are in
//! `tests/scenarios/commands` and `executables`, and in `tests/transcripts`.

mod common;

use std::fs;

use common::google::*;
use common::server::{Server, json, response};
use common::{SECRETS, now};
use serde_json::{Value, json as object};

#[test]
fn the_assertion_for_a_user_is_valid_for_five_minutes() {
    let server = google();
    let world = world(&server);
    succeeds(&world, &PERSON.replace("{url}", &server.url));
    let [_, sign, _] = &server.requests()[..] else { panic!("three requests") };
    let claims: Value = serde_json::from_str(body(sign)["payload"].as_str().unwrap()).unwrap();
    let times = ["iat", "exp"].map(|name| claims[name].as_i64().unwrap());
    assert!((now() - 5..=now()).contains(&times[0]) && times[1] - times[0] == 300);
}

const CACHED: &str = "access-token --cache-file={dir}/cache";

fn impersonations(server: &Server) -> usize {
    server.requests().iter().filter(|request| method(request) == "generateAccessToken").count()
}

#[test]
fn a_cached_token_is_used_only_for_its_own_request_in_every_format() {
    let server = google();
    let world = world(&server);
    assert_eq!(succeeds(&world, CACHED), IMPERSONATED);
    let header = succeeds(&world, &format!("{CACHED} --format=header --timeout=9"));
    assert_eq!(header, format!("Authorization: Bearer {IMPERSONATED}"));
    fs::rename(world.path("cache"), world.path("moved")).unwrap();
    assert_eq!(succeeds(&world, &CACHED.replace("/cache", "/moved")), IMPERSONATED);
    assert_eq!(impersonations(&server), 1);

    for (number, option) in
        ["--scope=bigquery", "--lifetime=900", "--delegate=a@x.example", "--delegate=b@x.example"]
            .iter()
            .enumerate()
    {
        succeeds(&world, &format!("{CACHED} {option}"));
        assert_eq!(impersonations(&server), number + 2, "{option}");
    }
    configure(&world, &server, |config| {
        config["service_account_impersonation"] = object!({"token_lifetime_seconds": 1200});
    });
    succeeds(&world, &format!("{CACHED} --delegate=b@x.example"));
    assert_eq!(impersonations(&server), 6, "another configuration");

    for (number, secret) in ["hunter2-old", "hunter2-new"].into_iter().enumerate() {
        configure(&world, &server, |config| {
            config["client_id"] = "client".into();
            config["client_secret"] = secret.into();
        });
        succeeds(&world, &format!("{CACHED} --delegate=b@x.example"));
        assert_eq!(impersonations(&server), number + 7, "{secret}");
    }
}

/// The content of a cache file, without the time at which the token was issued.
fn without_time(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    assert!(value.as_object_mut().unwrap().remove("wif_token_issued").is_some(), "{text}");
    value
}

#[test]
fn a_damaged_or_expired_cache_file_is_replaced() {
    let server = google();
    let world = world(&server);
    succeeds(&world, CACHED);
    let good = world.read("cache");
    let expiration_time = |value| format!("\"expiration_time\":{value}");
    let expiry = expiration_time(without_time(&good)["expiration_time"].clone());
    let soon = expiration_time((now() + 299).into());
    let bad = [
        String::new(),
        good[..good.len() / 2].to_owned(),
        good.replace(&expiry, &soon),
        good.replace(IMPERSONATED, ""),
        good.replace("token-type:access_token", "token-type:jwt"),
    ];
    for (number, text) in bad.iter().enumerate() {
        assert_ne!(*text, good);
        world.write("cache", text);
        assert_eq!(succeeds(&world, CACHED), IMPERSONATED);
        assert_eq!(without_time(&world.read("cache")), without_time(&good));
        assert_eq!(impersonations(&server), number + 2, "{text}");
    }
    let nowhere = CACHED.replace("/cache", "/no/cache");
    assert_eq!(succeeds(&world, &nowhere), IMPERSONATED, "the token is printed if the file fails");
}

#[cfg(unix)]
#[test]
fn a_cache_file_is_accessible_only_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let server = google();
    let world = world(&server);
    succeeds(&world, CACHED);
    for name in ["cache", "cache.lock"] {
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn secrets_that_a_server_repeats_are_hidden() {
    for status in ["400 Bad", "401 No", "403 No", "500 Oops"] {
        for name in ["token", "generateAccessToken", "signJwt", "oauth"] {
            let server = Server::new(move |request| {
                if method(request) == name {
                    let all = format!("{:?}", request);
                    let echo = object!({"error": all, "error_description": all, "message": all});
                    return response(status, "application/json", &echo.to_string());
                }
                let value = object!({"access_token": FEDERATED, "accessToken": IMPERSONATED, "signedJwt": SIGNED});
                json(&value.to_string())
            });
            let world = world(&server);
            configure(&world, &server, |config| {
                config["client_id"] = "id".into();
                config["client_secret"] = SECRETS[0].into();
            });
            let lines = ["access-token".to_owned(), PERSON.replace("{url}", &server.url)];
            for line in lines {
                let run = run(&world, &line);
                assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
                let asked = server.requests().last().is_some_and(|last| method(last) == name);
                assert_eq!(run.status != 0, asked, "{run:?}");
            }
        }
    }
}
