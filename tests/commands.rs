//! The commands against a loopback Google: what they send, what they print, and what they keep.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::google::*;
use common::server::{Server, json};
use common::{AUDIENCE, SECRETS, jwt, now};
use serde_json::{Value, json as object};

#[test]
fn the_exchange_is_a_form_without_authorization() {
    let server = google(&[]);
    let world = world(&server);
    configure(&world, &server, federated_only);
    assert_eq!(succeeds(&world, "access-token --scope=devstorage.read_only,openid"), FEDERATED);
    let [exchange] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(exchange.line, "POST /v1/token HTTP/1.1");
    assert_eq!(exchange.header("authorization"), None);
    let urn = |name: &str| format!("urn:ietf:params:oauth:{name}");
    assert_eq!(
        form(exchange),
        BTreeMap::from(
            [
                ("grant_type", urn("grant-type:token-exchange")),
                ("audience", AUDIENCE.to_owned()),
                ("scope", "https://www.googleapis.com/auth/devstorage.read_only openid".to_owned()),
                ("requested_token_type", urn("token-type:access_token")),
                ("subject_token_type", urn("token-type:jwt")),
                ("subject_token", world.read("t")),
            ]
            .map(|(name, value)| (name.to_owned(), value))
        )
    );
}

#[test]
fn a_client_of_a_workforce_pool_names_itself_or_the_project() {
    let server = google(&[]);
    let world = world(&server);
    let client = |config: &mut Value| {
        federated_only(config);
        config["workforce_pool_user_project"] = "123".into();
    };
    configure(&world, &server, client);
    succeeds(&world, "access-token");
    configure(&world, &server, |config| {
        client(config);
        config["client_id"] = "my client:1".into();
        config["client_secret"] = SECRETS[0].into();
    });
    succeeds(&world, "access-token");
    configure(&world, &server, |config| {
        federated_only(config);
        config["client_id"] = "public".into();
    });
    succeeds(&world, "access-token");
    let requests = server.requests();
    assert_eq!(form(&requests[0])["options"], r#"{"userProject":"123"}"#);
    assert_eq!(requests[0].header("authorization"), None);
    let basic = |text: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let pair = basic(&format!("my client:1:{}", SECRETS[0]));
    assert_eq!(requests[1].header("authorization"), Some(pair.as_str()));
    assert!(!form(&requests[1]).contains_key("options"), "the client's own project counts");
    assert_eq!(requests[2].header("authorization"), Some(basic("public:").as_str()));
}

#[test]
fn an_impersonation_asks_for_the_scopes_with_a_federated_token_of_the_cloud_platform() {
    let server = google(&[]);
    let world = world(&server);
    let chain = "--delegate=a@x.example --delegate=b@x.example";
    let line = format!("access-token --scope=bigquery --lifetime=900 {chain}");
    assert_eq!(succeeds(&world, &line), IMPERSONATED);
    let [exchange, account] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!(form(exchange)["scope"], CLOUD_PLATFORM);
    let path = format!("POST /v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken HTTP/1.1");
    assert_eq!(account.line, path);
    assert_eq!(account.header("authorization"), Some(format!("Bearer {FEDERATED}").as_str()));
    assert_eq!(account.header("content-type"), Some("application/json"));
    let delegates = ["a", "b"].map(|name| format!("projects/-/serviceAccounts/{name}@x.example"));
    assert_eq!(
        body(account),
        object!({
            "scope": ["https://www.googleapis.com/auth/bigquery"],
            "lifetime": "900s",
            "delegates": delegates,
        })
    );
}

#[test]
fn the_lifetime_of_the_configuration_counts_where_none_is_given() {
    let server = google(&[]);
    let world = world(&server);
    succeeds(&world, "access-token");
    configure(&world, &server, |config| {
        config["service_account_impersonation"] = object!({"token_lifetime_seconds": 1200});
    });
    succeeds(&world, "access-token");
    succeeds(&world, "access-token --lifetime=600");
    let lifetimes: Vec<Value> = server
        .requests()
        .iter()
        .filter(|request| method(request) == "generateAccessToken")
        .map(|request| body(request)["lifetime"].clone())
        .collect();
    assert_eq!(lifetimes, [Value::Null, "1200s".into(), "600s".into()]);
}

#[test]
fn scopes_are_completed_and_empty_ones_passed_over() {
    let server = google(&[]);
    let world = world(&server);
    world.write(
        "args",
        "access-token\n--scope=cloud-platform, email  https://mail.google.com/,,urn:x\n",
    );
    succeeds(&world, "--args-file={dir}/args");
    let scopes = object!({"scope": [CLOUD_PLATFORM, "email", "https://mail.google.com/", "urn:x"]});
    assert_eq!(body(&server.requests()[1]), scopes);
}

#[test]
fn id_tokens_and_signatures_send_what_the_reference_says() {
    let server = google(&[]);
    let world = world(&server);
    let claims = format!(r#"{{ "aud": "x","exp":{} }}"#, now() + 3600);
    world.write("claims", &claims);
    world.write("blob", b"\x00\xffblob");
    let delegate = "--delegate=a@x.example";
    for (line, name, sent) in [
        (
            "id-token --for=https://app.example",
            "generateIdToken",
            object!({"audience": "https://app.example", "includeEmail": false}),
        ),
        (
            "id-token --for=https://app.example --include-email",
            "generateIdToken",
            object!({"audience": "https://app.example", "includeEmail": true}),
        ),
        ("sign-jwt --payload={dir}/claims", "signJwt", object!({ "payload": claims })),
        ("sign-blob --file={dir}/blob", "signBlob", object!({"payload": "AP9ibG9i"})),
    ] {
        assert_eq!(succeeds(&world, &format!("{line} {delegate}")), SIGNED);
        let request = server.requests().pop().unwrap();
        assert_eq!(method(&request), name);
        let mut expected = sent;
        expected["delegates"] = object!(["projects/-/serviceAccounts/a@x.example"]);
        assert_eq!(body(&request), expected, "{line}");
    }
}

#[test]
fn answers_come_in_the_form_that_was_asked_for() {
    let server = google(&[]);
    let world = world(&server);
    world.write("claims", "{}");
    let header = |token: &str| format!("Authorization: Bearer {token}");
    for (line, text) in [
        ("access-token --format=text", IMPERSONATED.to_owned()),
        ("access-token --format=header", header(IMPERSONATED)),
        (
            "access-token --format=json",
            format!(
                "{{\"access_token\":\"{IMPERSONATED}\",\"token_type\":\"Bearer\",\
                 \"expiration_time\":32472144000}}\n"
            ),
        ),
        ("id-token --for=a --format=header", header(SIGNED)),
        ("id-token --for=a --format=json", format!("{{\"id_token\":\"{SIGNED}\"}}\n")),
        (
            "sign-jwt --payload={dir}/claims --format=json",
            format!("{{\"signed_jwt\":\"{SIGNED}\",\"key_id\":\"k1\"}}\n"),
        ),
        (
            "sign-blob --file={dir}/claims --format=json",
            format!("{{\"signed_blob\":\"{SIGNED}\",\"key_id\":\"k1\"}}\n"),
        ),
    ] {
        assert_eq!(succeeds(&world, line), text, "{line}");
    }
}

#[test]
fn a_person_is_acted_for_with_a_signed_assertion() {
    let server = google(&[]);
    let world = world(&server);
    let line = PERSON.replace("{url}", &server.url) + " --scope=drive.readonly,openid";
    assert_eq!(succeeds(&world, &line), "hunter2-bearer-of-a-person");
    let [_, sign, grant] = &server.requests()[..] else { panic!("three requests") };
    assert_eq!(method(sign), "signJwt");
    let mut claims: Value = serde_json::from_str(body(sign)["payload"].as_str().unwrap()).unwrap();
    let times = ["iat", "exp"].map(|name| claims[name].take().as_i64().unwrap());
    assert!((now() - 5..=now()).contains(&times[0]) && times[1] - times[0] == 300);
    assert_eq!(
        claims,
        object!({
            "iss": EMAIL,
            "sub": "ann@example.com",
            "scope": "https://www.googleapis.com/auth/drive.readonly openid",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": null,
            "exp": null,
        })
    );
    let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
    assert_eq!(
        form(grant),
        BTreeMap::from([
            ("grant_type".to_owned(), grant_type),
            ("assertion".to_owned(), SIGNED.to_owned())
        ])
    );
}

#[cfg(unix)]
#[test]
fn another_program_is_run_by_the_contract() {
    let server = google(&[]);
    let world = world(&server);
    configure(&world, &server, |config| {
        let command = world.fill("{dir}/script 'two words' last");
        config["credential_source"] = object!({"executable": {"command": command}});
    });
    let script = r#"echo noise >&2; env >"$0.env"; printf '%s|' "$@" >"$0.args"
echo "{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\"id_token\":\"$(cat "${0%script}t")\",\"expiration_time\":4070908800}""#;
    let run = with_script(&world, script, &[("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", "inherited")]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, IMPERSONATED, ""));
    assert_eq!(world.read("script.args"), "two words|last|");
    let seen = world.read("script.env");
    for line in [
        format!("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE={AUDIENCE}\n"),
        "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=urn:ietf:params:oauth:token-type:jwt\n".to_owned(),
        "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0\n".to_owned(),
        "GOOGLE_EXTERNAL_ACCOUNT_REVOKE=0\n".to_owned(),
        format!("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL={EMAIL}\n"),
    ] {
        assert!(seen.contains(&line), "{line} is missing in {seen}");
    }
}

const CACHED: &str = "access-token --cache-file={dir}/cache";

fn impersonations(server: &Server) -> usize {
    server.requests().iter().filter(|request| method(request) == "generateAccessToken").count()
}

#[test]
fn a_cached_token_is_for_its_own_request_whatever_its_form() {
    let server = google(&[]);
    let world = world(&server);
    assert_eq!(succeeds(&world, CACHED), IMPERSONATED);
    fs::remove_file(world.path("t")).unwrap();
    assert_eq!(succeeds(&world, CACHED), IMPERSONATED);
    let header = succeeds(&world, &format!("{CACHED} --format=header --timeout=9"));
    assert_eq!(header, format!("Authorization: Bearer {IMPERSONATED}"));
    fs::rename(world.path("cache"), world.path("moved")).unwrap();
    assert_eq!(succeeds(&world, &CACHED.replace("/cache", "/moved")), IMPERSONATED);
    assert_eq!(impersonations(&server), 1);

    world.write("t", jwt(3600));
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

#[test]
fn a_cache_file_that_is_broken_or_over_is_replaced() {
    let server = google(&[]);
    let world = world(&server);
    succeeds(&world, CACHED);
    let good = world.read("cache");
    let soon = format!("\"expiration_time\":{}", now() + 299);
    let bad = [
        String::new(),
        "{}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("\"expiration_time\":32472144000", &soon),
        good.replace(IMPERSONATED, ""),
        good.replace("token-type:access_token", "token-type:jwt"),
    ];
    for (number, text) in bad.iter().enumerate() {
        assert_ne!(*text, good);
        world.write("cache", text);
        assert_eq!(succeeds(&world, CACHED), IMPERSONATED);
        assert_eq!(world.read("cache"), good);
        assert_eq!(impersonations(&server), number + 2, "{text}");
    }
    let nowhere = CACHED.replace("/cache", "/no/cache");
    assert_eq!(succeeds(&world, &nowhere), IMPERSONATED, "trouble with it costs nobody a token");
}

#[cfg(unix)]
#[test]
fn a_cache_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = google(&[]);
    let world = world(&server);
    succeeds(&world, CACHED);
    for name in ["cache", "cache.lock"] {
        let mode = fs::metadata(world.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn passing_trouble_is_asked_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    for (name, status) in [("token", "503 Busy"), ("generateAccessToken", "429 Slow")] {
        let asked = AtomicUsize::new(0);
        let server = Server::new(move |request| {
            if method(request) == name && asked.fetch_add(1, Ordering::SeqCst) < 2 {
                return format!("HTTP/1.1 {status}\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .into_bytes();
            }
            match method(request) {
                "token" => json(&format!(r#"{{"access_token":"{FEDERATED}","expires_in":3599}}"#)),
                _ => json(&format!(
                    r#"{{"accessToken":"{IMPERSONATED}","expireTime":"2999-01-01T00:00:00Z"}}"#
                )),
            }
        });
        assert_eq!(succeeds(&world(&server), "access-token"), IMPERSONATED);
        assert_eq!(server.count(), 4, "{name}");
    }
}
