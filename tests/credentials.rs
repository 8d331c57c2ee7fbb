//! The refresh token of a workforce user, which is replaced at each use, and the private cache.
#![cfg(unix)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::server::{Server, json, response};
use common::{Run, World};

/// A token endpoint that replaces the refresh token at each use and refuses one that was used before.
/// Its access tokens are valid for `lifetime` seconds.
fn endpoint(lifetime: u32) -> Server {
    let used = Mutex::new(HashSet::new());
    Server::new(move |request| {
        let token = request.body.split("refresh_token=").nth(1).unwrap().to_owned();
        thread::sleep(Duration::from_millis(50));
        let mut used = used.lock().unwrap();
        if !used.insert(token.clone()) || !token.starts_with("refresh-") {
            let body = r#"{"error":"invalid_grant"}"#;
            return response("400 Bad Request", "application/json", body);
        }
        let next = used.len();
        json(&format!(
            r#"{{"access_token":"access-{next}","expires_in":{lifetime},"refresh_token":"refresh-{next}"}}"#
        ))
    })
}

/// Writes the credentials of a workforce user.
fn write(world: &World, name: &str, url: &str) {
    let file = format!(
        r#"{{"type":"external_account_authorized_user","client_id":"c","client_secret":"s","refresh_token":"refresh-0","token_url":"{url}","note":"kept"}}"#
    );
    world.write(name, file);
}

fn run(world: &World, credentials: &str, cache: &str) -> Run {
    let line = format!("access-token --credentials={{dir}}/{credentials}");
    world.run_with(&line, &[("XDG_CACHE_HOME", &format!("{{dir}}/{cache}"))])
}

/// The outputs of so many runs at once; `cache` names the cache of each.
fn crowd(world: &World, size: usize, cache: impl Fn(usize) -> String + Sync) -> Vec<Run> {
    let one = |index| run(world, "c.json", &cache(index));
    thread::scope(|scope| {
        let one = &one;
        let runs: Vec<_> = (0..size).map(|index| scope.spawn(move || one(index))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[test]
fn runs_at_once_share_one_exchange() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    for run in crowd(&world, 12, |_| "cache".to_owned()) {
        assert_eq!((run.status, run.stdout.as_str()), (0, "access-1"), "{run:?}");
    }
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-1");
    assert_eq!(server.count(), 1);
}

#[test]
fn runs_with_separate_caches_lose_no_refresh_token() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    for run in crowd(&world, 8, |index| format!("cache-{index}")) {
        assert_eq!(run.status, 0, "{run:?}");
    }
    assert_eq!(server.count(), 8);
    assert!(world.read("c.json").contains("\"refresh-8\""));
}

#[test]
fn the_file_keeps_its_link_its_mode_and_its_other_members() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "target", &server.url);
    fs::set_permissions(world.path("target"), PermissionsExt::from_mode(0o640)).unwrap();
    symlink("target", world.path("c.json")).unwrap();
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-1");
    let text = world.read("target");
    assert!(text.contains("\"refresh-1\"") && text.contains("\"kept\""), "{text}");
    assert!(world.path("c.json").symlink_metadata().unwrap().is_symlink());
    let mode = world.path("target").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

/// The longest name: no temporary file and no lock fit beside it, so the file cannot be replaced.
fn unwritable() -> String {
    "c".repeat(250) + ".json"
}

#[test]
fn a_refresh_token_that_cannot_be_stored_is_kept_in_the_private_cache() {
    let (world, server) = (World::new(), endpoint(1));
    write(&world, &unwritable(), &server.url);
    for expected in ["access-1", "access-2", "access-3"] {
        assert_eq!(run(&world, &unwritable(), "cache").stdout, expected);
    }
    assert!(world.read(&unwritable()).contains("\"refresh-0\""));
    // After another sign-in, the kept token is not used.
    let text = world.read(&unwritable()).replace("refresh-0", "refresh-new");
    world.write(&unwritable(), text);
    assert_eq!(run(&world, &unwritable(), "cache").stdout, "access-4");
}

#[test]
fn a_refresh_token_that_can_be_stored_nowhere_ends_the_run() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, &unwritable(), &server.url);
    world.write("file", "");
    let run = run(&world, &unwritable(), "file");
    assert_eq!((run.status, run.stdout.as_str()), (3, ""), "{run:?}");
    assert!(run.stderr.starts_with("the new refresh token cannot be stored in "), "{run:?}");
}

#[test]
fn another_sign_in_is_not_answered_from_the_cache() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-1");
    let text = world.read("c.json").replace("refresh-1", "refresh-of-another-user");
    world.write("c.json", text);
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-2");
}

#[test]
fn a_token_that_lives_too_short_is_given_to_all_that_wait_and_then_renewed() {
    let (world, server) = (World::new(), endpoint(100));
    write(&world, "c.json", &server.url);
    let runs = crowd(&world, 12, |_| "cache".to_owned());
    assert!(runs.iter().all(|run| run.status == 0), "{runs:?}");
    let first = server.count();
    assert!(first < 4, "{first} exchanges for 12 runs at once");
    run(&world, "c.json", "cache");
    assert_eq!(server.count(), first + 1);
}

#[test]
fn the_cache_is_private_and_does_not_grow() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    let cache = world.path("cache/wif-token");
    fs::create_dir_all(&cache).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let old_token = format!("access-token-{}.json", "0a".repeat(32));
    let kept = [format!("refresh-token-{}.json", "0a".repeat(32)), "settings.json".to_owned()];
    for name in [&old_token, &format!("{old_token}.lock"), &kept[0], &kept[1]] {
        let file = fs::File::create(cache.join(name)).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o600)).unwrap();
        file.set_modified(old).unwrap();
    }
    run(&world, "c.json", "cache");
    let mut names: Vec<String> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(kept.iter().all(|name| names.contains(name)), "{names:?}");
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let mode = cache.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// A token service and IAM, whose tokens are numbered. The `refused` token is not accepted any more.
fn google(refused: &'static str) -> Server {
    let number = AtomicUsize::new(0);
    Server::new(move |request| match request.line.contains("/token ") {
        true => {
            let number = number.fetch_add(1, Ordering::SeqCst);
            json(&format!(r#"{{"access_token":"pool-{number}","expires_in":3600}}"#))
        }
        _ if request.header("authorization") == Some(&format!("Bearer {refused}"))
            && request.body.contains("again") =>
        {
            let details = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ACCESS_TOKEN_EXPIRED"}"#;
            let error = format!(r#"{{"error":{{"code":401,"details":[{details}]}}}}"#);
            response("401 Unauthorized", "application/json", &error)
        }
        _ => json(r#"{"accessToken":"account","expireTime":"2999-01-01T00:00:00Z"}"#),
    })
}

/// Writes a configuration with this credential source.
fn write_workload(world: &World, server: &Server, source: &str, more: &str) {
    let config = format!(
        r#"{{"type":"external_account","audience":"{}","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"{}/token"{more},"credential_source":{source}}}"#,
        common::AUDIENCE,
        server.url
    );
    world.write("c.json", world.fill(&config));
}

const ALLOWED: (&str, &str) = ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");

#[test]
fn another_token_in_the_file_is_not_answered_from_the_cache() {
    let program = env!("CARGO_BIN_EXE_wif-token");
    let command = format!(r#"{{"executable":{{"command":"{program} file --path={{dir}}/t"}}}}"#);
    for source in [r#"{"file":"{dir}/t"}"#, &command] {
        let (world, server) = (World::new(), google(""));
        write_workload(&world, &server, source, "");
        let get = || {
            let cache = ("XDG_CACHE_HOME", "{dir}/cache");
            world.run_with("access-token --credentials={dir}/c.json", &[cache, ALLOWED])
        };
        for (life, expected) in [(3600, "pool-0"), (3600, "pool-0"), (1800, "pool-1")] {
            world.write("t", common::jwt_until(1_900_000_000 + life));
            let run = get();
            assert_eq!(run.stdout, expected, "{source}: {run:?}");
        }
    }
}

#[test]
fn a_pipe_with_the_token_is_read_once_and_not_answered_from_the_cache() {
    let (world, server) = (World::new(), google(""));
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, "");
    assert!(Command::new("mkfifo").arg(world.path("t")).status().unwrap().success());
    for expected in ["pool-0", "pool-1"] {
        let (pipe, token) = (world.path("t"), common::jwt(3600));
        let writer = thread::spawn(move || fs::write(pipe, token));
        let cache = ("XDG_CACHE_HOME", "{dir}/cache");
        let run = world.run_with("access-token --credentials={dir}/c.json", &[cache]);
        assert_eq!(run.stdout, expected, "{run:?}");
        writer.join().unwrap().unwrap();
    }
}

#[test]
fn a_cached_token_of_the_caller_that_has_expired_is_renewed_once() {
    let (world, server) = (World::new(), google("pool-0"));
    let account = format!(
        r#","service_account_impersonation_url":"{}/v1/projects/-/serviceAccounts/app@example-project.iam.gserviceaccount.com:generateAccessToken""#,
        server.url
    );
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, &account);
    world.write("t", common::jwt(3600));
    for scope in ["first", "again"] {
        let line = format!("access-token --credentials={{dir}}/c.json --scope={scope}");
        let run = world.run_with(&line, &[("XDG_CACHE_HOME", "{dir}/cache")]);
        assert_eq!(run.stdout, "account", "{run:?}");
    }
    assert_eq!(server.count(), 5);
}

#[test]
fn a_token_of_another_attached_account_is_not_answered_from_the_cache() {
    let (world, number) = (World::new(), AtomicUsize::new(0));
    let server = Server::new(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let token = format!(r#"{{"access_token":"host-{number}","expires_in":3600}}"#);
        response("200 OK", "application/json\r\nMetadata-Flavor: Google", &token)
    });
    let host = server.url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let variables = [("GCE_METADATA_HOST", host), ("HOME", "{dir}"), ("XDG_CACHE_HOME", "{dir}")];
    for expected in ["host-0", "host-1"] {
        let run = world.run_with("access-token", &variables);
        assert_eq!(run.stdout, expected, "{run:?}");
    }
}
