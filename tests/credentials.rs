//! The refresh token of a workforce user, which is replaced at each use, and the private cache.
#![cfg(unix)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

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

/// Starts `size` runs at once. `cache` returns the name of the cache for each.
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
fn an_update_keeps_the_link_the_mode_and_the_other_members_of_the_file() {
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

/// A name of maximum length: a temporary file or a lock beside it would have a longer name, so the
/// file cannot be replaced.
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
    // After another sign-in, the stored token is not used.
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
fn requests_with_other_scopes_share_the_token_of_a_workforce_user() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    for scope in ["", " --scope=first", " --scope=second", ""] {
        let line = format!("access-token --credentials={{dir}}/c.json{scope}");
        let run = world.run_with(&line, &[("XDG_CACHE_HOME", "{dir}/cache")]);
        assert_eq!(run.stdout, "access-1", "{scope}: {run:?}");
    }
}

#[test]
fn a_token_for_an_impersonation_is_not_used_for_narrower_scopes() {
    let server = Server::new(|request| {
        let token = if request.body.contains("scope=") { "narrow" } else { "all" };
        json(&format!(r#"{{"access_token":"{token}","expires_in":3600}}"#))
    });
    let world = World::new();
    let file = format!(
        r#"{{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r","token_uri":"{}/token"}}"#,
        server.url
    );
    world.write("c.json", file);
    let variables = [("XDG_CACHE_HOME", "{dir}/cache"), ("HTTPS_PROXY", "http://127.0.0.1:9")];
    let line = "access-token --credentials={dir}/c.json";
    let account = "--service-account=app@example-project.iam.gserviceaccount.com";
    assert_eq!(world.run_with(&format!("{line} {account}"), &variables).status, 6);
    assert_eq!(server.count(), 1);
    let scope = "--scope=https://www.googleapis.com/auth/cloud-platform";
    assert_eq!(world.run_with(&format!("{line} {scope}"), &variables).stdout, "narrow");
    assert_eq!(world.run_with(line, &variables).stdout, "all");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_cached_token_is_not_used_after_another_sign_in() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-1");
    let text = world.read("c.json").replace("refresh-1", "refresh-of-another-user");
    world.write("c.json", text);
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-2");
}

#[test]
fn all_waiting_runs_get_a_short_lived_token_and_the_next_run_renews_it() {
    let (world, server) = (World::new(), endpoint(100));
    write(&world, "c.json", &server.url);
    let runs = crowd(&world, 12, |_| "cache".to_owned());
    assert!(runs.iter().all(|run| run.status == 0), "{runs:?}");
    let first = server.count();
    // A run that starts late on a busy machine does not wait with the others.
    assert!(first <= 6, "{first} exchanges for 12 runs at once");
    run(&world, "c.json", "cache");
    assert_eq!(server.count(), first + 1);
}

#[test]
fn the_cache_is_private_and_does_not_grow() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    let cache = world.path("cache/wif-token");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o700)).unwrap();
    let digest = "0".repeat(64);
    let old = [
        format!("access-token-{digest}.json"),
        format!("id-token-{digest}.json.lock"),
        format!(".access-token-{digest}.json.a1B2c3.wif-token.tmp"),
    ];
    // A refresh token may be the only valid one, and the other files do not belong to this program.
    let kept = [
        format!("refresh-token-{digest}.json"),
        "credentials.json".to_owned(),
        "my-key.json.lock".to_owned(),
    ];
    for name in old.iter().chain(&kept) {
        let file = fs::File::create(cache.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(8 * 24 * 3600)).unwrap();
    }
    run(&world, "c.json", "cache");
    let names: Vec<String> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(kept.iter().all(|name| names.contains(name)), "{names:?}");
    let new: Vec<_> = names.iter().filter(|name| !kept.contains(name)).collect();
    assert_eq!(new.len(), 2, "{names:?}");
    for name in new {
        let mode = cache.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_lock_in_use_is_not_removed() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    run(&world, "c.json", "cache");
    let of_kind = |end: &str| {
        let entries = fs::read_dir(world.path("cache/wif-token")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_str().unwrap().ends_with(end)).unwrap()
    };
    let lock = of_kind(".lock");
    let week = Duration::from_secs(8 * 24 * 3600);
    fs::File::open(&lock).unwrap().set_modified(SystemTime::now() - week).unwrap();
    fs::remove_file(of_kind(".json")).unwrap();
    run(&world, "c.json", "cache");
    assert_eq!(server.count(), 2);
    assert!(lock.exists());
}

/// A token service and IAM, whose tokens are numbered. IAM does not accept the token `refused`.
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
fn a_cached_token_is_not_used_for_another_token_in_the_file() {
    let program = env!("CARGO_BIN_EXE_wif-token");
    let command = format!(r#"{{"executable":{{"command":"{program} file --path={{dir}}/t"}}}}"#);
    for source in [r#"{"file":"{dir}/t"}"#, &command] {
        let (world, server) = (World::new(), google(""));
        write_workload(&world, &server, source, "");
        let get = || {
            let cache = ("XDG_CACHE_HOME", "{dir}/cache");
            world.run_with("access-token --credentials={dir}/c.json", &[cache, ALLOWED])
        };
        for (life, expected) in [(3600, "pool-0"), (1800, "pool-1")] {
            world.write("t", common::jwt_until(1_900_000_000 + life));
            for run in [get(), get()] {
                assert_eq!(run.stdout, expected, "{source}: {run:?}");
            }
        }
    }
}

fn cached(world: &World, options: &str) -> String {
    let cache = ("XDG_CACHE_HOME", "{dir}/cache");
    let line = format!("access-token --credentials={{dir}}/c.json{options}");
    let run = world.run_with(&line, &[cache, ALLOWED, ("AWS_EC2_METADATA_DISABLED", "true")]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    run.stdout
}

#[test]
fn a_cached_token_is_not_used_for_other_keys_in_a_profile() {
    let (world, server) = (World::new(), google(""));
    let source = r#"{"environment_id":"aws1","regional_cred_verification_url":"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}"#;
    write_workload(&world, &server, source, "");
    let config = world.read("c.json").replace("token-type:jwt", "token-type:aws4_request");
    world.write(
        "c.json",
        config.replace("params:oauth:token-type:aws4", "params:aws:token-type:aws4"),
    );
    fs::create_dir(world.path(".aws")).unwrap();
    let write_keys = |key: &str| {
        let text = format!(
            "[default]\naws_access_key_id={key}\naws_secret_access_key=s\nregion=eu-west-1\n"
        );
        world.write(".aws/credentials", text);
    };
    write_keys("AKIAONE");
    assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-0", "pool-0"]);
    write_keys("AKIATWO");
    assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-1", "pool-1"]);
}

#[test]
fn a_result_depends_on_the_files_of_its_cached_token() {
    let (world, server) = (World::new(), google(""));
    let account = format!(
        r#","service_account_impersonation_url":"{}/v1/projects/-/serviceAccounts/app@example-project.iam.gserviceaccount.com:generateAccessToken""#,
        server.url
    );
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, &account);
    world.write("t", common::jwt_until(1_900_000_000));
    // The second one is made with the token of the pool that the first one has cached.
    cached(&world, " --scope=first");
    cached(&world, " --scope=second");
    assert_eq!(server.count(), 3);
    world.write("t", common::jwt_until(1_900_000_001));
    cached(&world, " --scope=second");
    assert_eq!(server.count(), 5, "another subject token, and another impersonation");
}

#[test]
fn a_result_for_the_token_of_another_program_is_cached_only_with_its_output_file() {
    let (world, server) = (World::new(), google(""));
    let document = |time: i64| {
        format!(
            r#"{{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"{}","expiration_time":{time}}}"#,
            common::jwt_until(time)
        )
    };
    let script = world.write("program", "#!/bin/sh\ncat \"${0%/*}/document\"\n");
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    write_workload(&world, &server, r#"{"executable":{"command":"{dir}/program"}}"#, "");
    world.write("document", document(1_900_000_000));
    assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-0", "pool-1"]);
    let source = r#"{"executable":{"command":"{dir}/program","output_file":"{dir}/out.json"}}"#;
    write_workload(&world, &server, source, "");
    world.write("out.json", document(1_900_000_000));
    assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-2", "pool-2"]);
    world.write("out.json", document(1_900_000_001));
    assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-3", "pool-3"]);
    let source = r#"{"executable":{"command":"{dir}/program","output_file":"relative.json"}}"#;
    write_workload(&world, &server, source, "");
    for directory in ["one", "two"] {
        fs::create_dir(world.path(directory)).unwrap();
        world.write(&format!("{directory}/relative.json"), document(1_900_000_000));
    }
    for (directory, expected) in
        [("one", "pool-4"), ("one", "pool-4"), ("two", "pool-5"), ("two", "pool-5")]
    {
        let variables = [("XDG_CACHE_HOME", "{dir}/cache"), ALLOWED];
        let mut command = world.command("access-token --credentials={dir}/c.json", &variables);
        let run = command.current_dir(world.path(directory)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&run.stdout), expected, "{directory}");
    }
}

#[test]
fn a_program_with_an_output_file_causes_one_exchange() {
    let program = env!("CARGO_BIN_EXE_wif-token");
    let other = World::new();
    let copy = other.path("copy");
    fs::copy(program, &copy).unwrap();
    for (name, cache) in [(program, "in this process"), (copy.to_str().unwrap(), "another program")]
    {
        let (world, server) = (World::new(), google(""));
        world.write("t", common::jwt(3600));
        let source = format!(
            r#"{{"executable":{{"command":"{name} command -- cat {{dir}}/t","output_file":"{{dir}}/out.json"}}}}"#
        );
        write_workload(&world, &server, &source, "");
        assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-0", "pool-0"], "{cache}");
        fs::remove_file(world.path("out.json")).unwrap();
        assert_eq!([cached(&world, ""), cached(&world, "")], ["pool-1", "pool-1"], "{cache}");
    }
}

#[test]
fn cached_aws_credentials_are_not_used_for_another_service_account() {
    let number = AtomicUsize::new(0);
    let server = Server::new(move |request| {
        if request.line.contains("/token ") {
            return json(r#"{"access_token":"pool","expires_in":3600}"#);
        }
        if request.line.contains(":generateAccessToken ") {
            return json(r#"{"accessToken":"account","expireTime":"2999-01-01T00:00:00Z"}"#);
        }
        if request.line.contains(":generateIdToken ") {
            return json(&format!(r#"{{"token":"{}"}}"#, common::jwt(3600)));
        }
        let key = format!("ASIA{}", number.fetch_add(1, Ordering::SeqCst));
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        response("200 OK", "text/xml", &body)
    });
    let world = World::new();
    let account = format!(
        r#","service_account_impersonation_url":"{}/v1/projects/-/serviceAccounts/app@example-project.iam.gserviceaccount.com:generateAccessToken""#,
        server.url
    );
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, &account);
    world.write("t", common::jwt(3600));
    for (name, key) in [("one", "ASIA0"), ("two", "ASIA1"), ("one", "ASIA0"), ("two", "ASIA1")] {
        let line = format!(
            "helper aws --credentials={{dir}}/c.json --role-arn=arn:aws:iam::123456789012:role/deploy \
             --sts-endpoint={} --service-account={name}-app@example-project.iam.gserviceaccount.com",
            server.url
        );
        let run = world.run_with(&line, &[("XDG_CACHE_HOME", "{dir}/cache")]);
        assert!(run.stdout.contains(&format!("\"{key}\"")), "{run:?}");
    }
}

#[test]
fn a_new_refresh_token_is_stored_before_the_rest_of_the_response_is_judged() {
    let world = World::new();
    let server = Server::new(|_| {
        json(r#"{"access_token":"access","expires_in":0,"refresh_token":"refresh-1"}"#)
    });
    write(&world, "c.json", &server.url);
    let run = run(&world, "c.json", "cache");
    assert_eq!(run.status, 7, "{run:?}");
    assert!(world.read("c.json").contains("\"refresh-1\""));
}

#[test]
fn a_token_from_a_pipe_is_read_once_and_no_cached_token_is_used() {
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
fn a_cache_that_others_can_write_to_is_not_used() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    let cache = world.path("cache/wif-token");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
    for expected in ["access-1", "access-2"] {
        assert_eq!(run(&world, "c.json", "cache").stdout, expected);
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn a_relative_or_unwritable_cache_is_not_used() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    world.write("file", "");
    for (cache, expected) in [("relative", "access-1"), ("{dir}/file", "access-2")] {
        let variables = [("XDG_CACHE_HOME", cache), ("HOME", "")];
        let run = world.run_with("access-token --credentials={dir}/c.json", &variables);
        assert_eq!((run.status, run.stdout.as_str()), (0, expected), "{run:?}");
    }
    assert!(!world.path("relative").exists());
}

#[test]
fn a_token_that_was_cached_while_the_clock_was_ahead_is_not_used() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-1");
    let mut entries = fs::read_dir(world.path("cache/wif-token")).unwrap();
    let path = entries.find_map(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_some_and(|end| end == "json").then_some(path)
    });
    let path = path.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let mut members: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in ["wif_token_issued", "expiration_time"] {
        members[name] = (members[name].as_i64().unwrap() + 7200).into();
    }
    fs::write(&path, members.to_string()).unwrap();
    assert_eq!(run(&world, "c.json", "cache").stdout, "access-2");
}

/// Creates the temporary file of a run that was killed before it replaced `c.json`. The file was
/// changed `age` seconds ago.
fn leave_behind(world: &World, text: &str, age: u64) -> PathBuf {
    let path = world.path(".c.json.a1B2c3.wif-token.tmp");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    path
}

#[test]
fn the_update_of_a_killed_run_is_finished() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    // The endpoint refuses refresh-0 from now on.
    assert_eq!(run(&world, "c.json", "cache-1").stdout, "access-1");
    let new = world.read("c.json");
    write(&world, "c.json", &server.url);
    fs::set_permissions(world.path("c.json"), PermissionsExt::from_mode(0o640)).unwrap();
    let left = leave_behind(&world, &new, 0);
    assert_eq!(run(&world, "c.json", "cache-2").stdout, "access-2");
    assert!(world.read("c.json").contains("\"refresh-2\"") && !left.exists());
    let mode = world.path("c.json").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn other_temporary_files_are_removed_and_not_used() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    let text = world.read("c.json");
    let other_token = text.replace("refresh-0", "refresh-of-the-killed-run");
    for (left, age) in [
        // The user has signed in again after the run was killed.
        (other_token.clone(), 60),
        (other_token.replace("\"c\"", "\"another client\""), 0),
        (other_token.replace("\"refresh-of-the-killed-run\"", "1"), 0),
        (other_token[..other_token.len() - 1].to_owned(), 0),
        (String::new(), 0),
    ] {
        let path = leave_behind(&world, &left, age);
        let run = run(&world, "c.json", &format!("cache-{}", server.count()));
        assert_eq!(run.status, 0, "{left}: {run:?}");
        assert!(!path.exists(), "{left}");
        assert!(!world.read("c.json").contains("killed"), "{left}");
    }
}

#[test]
fn an_offline_check_neither_locks_nor_changes_anything() {
    let server = endpoint(3600);
    let world = World::new();
    write(&world, "c.json", &server.url);
    let left = leave_behind(&world, "refresh-of-another-run", 0);
    let names = || fs::read_dir(world.path("")).unwrap().count();
    let before = names();
    let run = world.run("check --offline --credentials={dir}/c.json");
    assert_eq!((run.status, names(), server.count()), (0, before, 0), "{run:?}");
    assert!(left.exists());
}

#[test]
fn credentials_of_a_workforce_user_must_be_in_a_file() {
    let (world, server) = (World::new(), endpoint(3600));
    write(&world, "c.json", &server.url);
    let program = env!("CARGO_BIN_EXE_wif-token");
    let script = format!("cat c.json | {program} access-token --credentials=/dev/stdin");
    let run = Command::new("sh")
        .args(["-c", &script])
        .current_dir(world.path(""))
        .env("XDG_CACHE_HOME", world.path("cache"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(stderr.starts_with("/dev/stdin is not a regular file: the refresh token"), "{stderr}");
    assert_eq!((run.status.code(), server.count()), (Some(3), 0));
}

#[test]
fn a_cached_token_is_not_used_for_another_account_of_the_metadata_server() {
    let attached = Arc::new(Mutex::new("one"));
    let shared = attached.clone();
    let server = Server::new(move |request| {
        let account = shared.lock().unwrap();
        let body = match request.line.contains("/email") {
            true => format!("{account}@my-project.iam.gserviceaccount.com"),
            false => format!(r#"{{"access_token":"access-of-{account}","expires_in":3600}}"#),
        };
        response("200 OK\r\nMetadata-Flavor: Google", "text/plain", &body)
    });
    let world = World::new();
    let host = server.url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let ask = |options: &str| {
        let variables = [
            ("GCE_METADATA_HOST", host.as_str()),
            ("GOOGLE_APPLICATION_CREDENTIALS", ""),
            ("CLOUDSDK_CONFIG", "{dir}"),
            ("XDG_CACHE_HOME", "{dir}/cache"),
        ];
        world.run_with(&format!("access-token{options}"), &variables).stdout
    };
    let file = " --cache-file={dir}/cached";
    assert_eq!([ask(file), ask(file)], ["access-of-one", "access-of-one"]);
    assert_eq!(server.count(), 3, "the account twice, and one token");
    assert_eq!(ask(""), "access-of-one");
    assert_eq!(server.count(), 4, "the token of the server has a separate cache");
    *attached.lock().unwrap() = "two";
    assert_eq!([ask(file), ask("")], ["access-of-two", "access-of-two"]);
}

/// A server that refuses every request.
fn refusing() -> Server {
    Server::new(|_| response("403 No", "application/json", r#"{"error":"invalid_grant"}"#))
}

/// Runs a helper with the credentials, and asserts that it is refused.
fn refused(world: &World, secret: &str) {
    let variables = [("XDG_CACHE_HOME", "{dir}/cache"), ("SECRET", secret), ALLOWED];
    let run = world.run_with("helper kubernetes --credentials={dir}/c.json", &variables);
    assert_eq!(run.status, 5, "{run:?}");
}

#[test]
fn a_refusal_is_remembered_until_a_file_or_variable_changes() {
    let (world, server) = (World::new(), refusing());
    let program = env!("CARGO_BIN_EXE_wif-token");
    let command = format!("{program} url --url={}/ --header=x:env:SECRET", server.url);
    let source = format!(r#"{{"executable":{{"command":"{command}"}}}}"#);
    write_workload(&world, &server, &source, "");
    for (secret, count) in [("one", 1), ("one", 1), ("two", 2), ("two", 2)] {
        refused(&world, secret);
        assert_eq!(server.count(), count);
    }
    for count in [3, 4] {
        write(&world, "c.json", &format!("{}/{count}", server.url));
        for _ in 0..2 {
            refused(&world, "");
            assert_eq!(server.count(), count);
        }
    }
}

#[test]
fn a_refusal_by_iam_or_of_another_program_is_not_remembered() {
    let (world, server) = (World::new(), refusing());
    let script = world.write(
        "program",
        "#!/bin/sh\necho x >> \"${0%/*}/runs\"\n\
         echo '{\"version\":1,\"success\":false,\"code\":\"DENIED\",\"message\":\"no\"}'\nexit 5\n",
    );
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    write_workload(&world, &server, r#"{"executable":{"command":"{dir}/program"}}"#, "");
    for runs in 1..=2 {
        refused(&world, "");
        assert_eq!(world.read("runs").lines().count(), runs);
    }

    let granted = Server::new(|request| match request.line.contains("/token ") {
        true => json(r#"{"access_token":"pool","expires_in":3600}"#),
        false => response("403 No", "application/json", "{}"),
    });
    world.write("t", common::jwt(3600));
    write_workload(&world, &granted, r#"{"file":"{dir}/t"}"#, &account(&granted));
    let mut counts = vec![0];
    for _ in 0..2 {
        refused(&world, "");
        counts.push(granted.count());
    }
    assert!(counts.is_sorted_by(|before, after| before < after), "{counts:?}");
}

/// The member with the service account of a configuration.
fn account(server: &Server) -> String {
    format!(
        r#","service_account_impersonation_url":"{}/v1/projects/-/serviceAccounts/app@example-project.iam.gserviceaccount.com:generateAccessToken""#,
        server.url
    )
}

#[test]
fn a_longer_chain_uses_the_cached_federated_token() {
    let is_refused = Arc::new(AtomicBool::new(false));
    let refuses = is_refused.clone();
    let number = AtomicUsize::new(0);
    let server = Server::new(move |request| match request.line.contains("/token ") {
        true => {
            let number = number.fetch_add(1, Ordering::SeqCst);
            json(&format!(r#"{{"access_token":"pool-{number}","expires_in":3600}}"#))
        }
        _ if refuses.load(Ordering::SeqCst)
            && request.header("authorization") == Some("Bearer pool-0") =>
        {
            response("403 No", "application/json", "{}")
        }
        _ => json(r#"{"accessToken":"account","expireTime":"2999-01-01T00:00:00Z"}"#),
    });
    let world = World::new();
    world.write("t", common::jwt(3600));
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, &account(&server));
    cached(&world, "");
    cached(&world, " --service-account=other@example-project.iam.gserviceaccount.com");
    assert_eq!(server.count(), 4, "one exchange, and three impersonations");
    is_refused.store(true, Ordering::SeqCst);
    cached(&world, " --service-account=third@example-project.iam.gserviceaccount.com --scope=a");
    assert_eq!(server.count(), 5, "the token of the first account is cached");
    let is_of_first = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("\"account\"");
    let files = fs::read_dir(world.path("cache/wif-token")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.filter(is_of_first).for_each(|path| fs::remove_file(path).unwrap());
    cached(&world, " --service-account=other@example-project.iam.gserviceaccount.com");
    assert_eq!(server.count(), 9, "a refusal, an exchange, and two impersonations");
}

#[test]
fn the_file_of_cache_file_is_used_instead_of_the_private_cache() {
    let (world, server) = (World::new(), google(""));
    write_workload(&world, &server, r#"{"file":"{dir}/t"}"#, "");
    world.write("t", common::jwt(3600));
    for _ in 0..2 {
        assert_eq!(cached(&world, " --cache-file={dir}/token"), "pool-0");
    }
    assert!(world.path("token").exists() && !world.path("cache").exists());
}
