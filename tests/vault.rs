//! The source `vault` against a loopback server: what it sends, and what it says when refused.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::server::{Request, Server, json, response};
use common::{AUDIENCE, SECRETS, World, jwt, jwt_until};

const VAULT_TOKEN: &str = SECRETS[0];
const RUN: &str = "vault --role=google --log-file={dir}/log --address=";

fn signed(token: &str, client_id: &str) -> Vec<u8> {
    json(&format!(r#"{{"data":{{"client_id":"{client_id}","token":"{token}","ttl":600}}}}"#))
}

fn granted(kind: &str) -> Vec<u8> {
    json(&format!(r#"{{"auth":{{"client_token":"{VAULT_TOKEN}","token_type":"{kind}"}}}}"#))
}

fn refused(status: &str, words: &str) -> Vec<u8> {
    let errors = serde_json::json!({ "errors": [words] });
    response(status, "application/json", &errors.to_string())
}

/// Grants every login and signs every token.
fn willing(kind: &'static str) -> Server {
    let token = jwt(3600);
    Server::new(move |request| match request.line.as_str() {
        line if line.starts_with("GET ") => signed(&token, AUDIENCE),
        line if line.contains("/revoke-self") => response("204 No Content", "text/plain", ""),
        _ => granted(kind),
    })
}

fn lines(server: &Server) -> Vec<String> {
    let line = |request: Request| request.line.strip_suffix(" HTTP/1.1").unwrap().to_owned();
    server.requests().into_iter().map(line).collect()
}

#[test]
fn the_token_is_asked_for_as_documented() {
    let world = World::new();
    let token = jwt(3600);
    let answer = signed(&token, AUDIENCE);
    let server = Server::new(move |_| answer.clone());
    let line = format!("{RUN}{}/ --namespace=team/a --token=env:T", server.url);
    let run = world.run_with(&line, &[("T", VAULT_TOKEN), ("VAULT_NAMESPACE", "other")]);
    assert_eq!(run.token(), token);
    let [request] = &server.requests()[..] else { panic!("{:?}", lines(&server)) };
    assert_eq!(request.line, "GET /v1/identity/oidc/token/google HTTP/1.1");
    assert_eq!(request.header("x-vault-token"), Some(VAULT_TOKEN));
    assert_eq!(request.header("x-vault-namespace"), Some("team/a"));
    assert_eq!(request.header("x-vault-request"), Some("true"));
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn variables_count_where_there_is_no_option_and_openbaos_come_first() {
    let world = World::new();
    let server = willing("service");
    world.write(".vault-token", format!("{}\n", SECRETS[1]));
    let url = server.url.as_str();
    let other = "http://127.0.0.1:1";
    for (variables, token, namespace) in [
        (vec![("VAULT_ADDR", url)], SECRETS[1], None),
        (vec![("VAULT_ADDR", url), ("VAULT_TOKEN", "v"), ("VAULT_NAMESPACE", "n")], "v", Some("n")),
        (vec![("BAO_ADDR", url), ("VAULT_ADDR", other), ("BAO_TOKEN", "b")], "b", None),
        (
            vec![
                ("VAULT_ADDR", url),
                ("BAO_TOKEN", "b"),
                ("VAULT_TOKEN", "v"),
                ("BAO_NAMESPACE", "n"),
            ],
            "b",
            Some("n"),
        ),
    ] {
        world.run_with("vault --role=google", &variables).token();
        let request = server.requests().pop().unwrap();
        assert_eq!(request.header("x-vault-token"), Some(token), "{variables:?}");
        assert_eq!(request.header("x-vault-namespace"), namespace, "{variables:?}");
    }
}

#[test]
fn each_login_sends_what_its_method_takes_and_its_token_is_revoked() {
    let world = World::new();
    world.write("secret", format!("{}\n", SECRETS[1]));
    let secret = SECRETS[1];
    for (options, path, body) in [
        (
            "--login=approle --role-id=r --secret-id=env:SECRET",
            "auth/approle/login",
            format!(r#"{{"role_id":"r","secret_id":"{secret}"}}"#),
        ),
        (
            "--login=approle --role-id=file:{dir}/secret --login-mount=/team/app role/",
            "auth/team/app%20role/login",
            format!(r#"{{"role_id":"{secret}","secret_id":null}}"#),
        ),
        (
            "--login=kubernetes --login-role=pod --jwt=file:{dir}/secret",
            "auth/kubernetes/login",
            format!(r#"{{"role":"pod","jwt":"{secret}"}}"#),
        ),
        (
            "--login=jwt --jwt=env:SECRET",
            "auth/jwt/login",
            format!(r#"{{"role":null,"jwt":"{secret}"}}"#),
        ),
        (
            "--login=jwt --jwt=env:SECRET --login-role=ci --login-mount=gitlab",
            "auth/gitlab/login",
            format!(r#"{{"role":"ci","jwt":"{secret}"}}"#),
        ),
        (
            "--login=userpass --user=a/b@c --password=env:SECRET",
            "auth/userpass/login/a%2Fb%40c",
            format!(r#"{{"password":"{secret}"}}"#),
        ),
    ] {
        let server = willing("service");
        let line = world.fill(&format!("{RUN}{} --namespace=n {options}", server.url));
        // An arguments file, for the blank in the name of a mount.
        world.write("args", line.replace(" --", "\n--"));
        world.run_with("--args-file={dir}/args", &[("SECRET", secret)]).token();
        assert_eq!(
            lines(&server),
            [
                format!("POST /v1/{path}"),
                "GET /v1/identity/oidc/token/google".to_owned(),
                "POST /v1/auth/token/revoke-self".to_owned(),
            ]
        );
        let [login, read, revoke] = &server.requests()[..] else { panic!() };
        assert_eq!(login.body, body);
        assert_eq!(login.header("content-type"), Some("application/json"));
        assert_eq!(login.header("x-vault-token"), None);
        for request in [read, revoke] {
            assert_eq!(request.header("x-vault-token"), Some(VAULT_TOKEN));
        }
        for request in server.requests() {
            assert_eq!(request.header("x-vault-namespace"), Some("n"));
        }
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn the_name_of_a_role_stays_one_part_of_the_path() {
    let server = willing("service");
    let line = format!("vault --role=a/../b?c --address={}", server.url);
    World::new().run_with(&line, &[("VAULT_TOKEN", VAULT_TOKEN)]).token();
    assert_eq!(lines(&server), ["GET /v1/identity/oidc/token/a%2F..%2Fb%3Fc"]);
}

#[test]
fn a_batch_token_is_not_revoked_and_none_is_none() {
    let world = World::new();
    let server = willing("batch");
    let variables = [("SECRET", SECRETS[1]), ("VAULT_TOKEN", VAULT_TOKEN)];
    let line = format!("{RUN}{} --login=jwt --jwt=env:SECRET", server.url);
    world.run_with(&line, &variables).token();
    assert_eq!(server.count(), 2);

    world.run_with(&format!("{RUN}{} --login=none", server.url), &variables).token();
    assert_eq!(server.count(), 3);
    assert_eq!(server.requests()[2].header("x-vault-token"), None);
}

#[test]
fn trouble_with_the_revocation_costs_nobody_the_token() {
    let world = World::new();
    for (pause, words) in [(0, "503: Vault is sealed"), (10, "no answer from")] {
        let token = jwt(3600);
        let server = Server::new(move |request| match request.line.as_str() {
            line if line.starts_with("GET ") => signed(&token, AUDIENCE),
            line if line.contains("/revoke-self") => {
                thread::sleep(Duration::from_secs(pause));
                refused("503 Service Unavailable", "Vault is sealed")
            }
            _ => granted("service"),
        });
        let began = Instant::now();
        let line = format!("{RUN}{} --login=jwt --jwt=env:SECRET", server.url);
        world.run_with(&line, &[("SECRET", SECRETS[1])]).token();
        assert!(began.elapsed() < Duration::from_secs(5), "it is given little time");
        assert_eq!(server.count(), 3, "a revocation is tried once");
        let log = world.read("log");
        let told = "the Vault token of this run lasts until its TTL: ";
        assert!(log.lines().any(|line| line.contains(told) && line.contains(words)), "{log}");
    }
}

#[test]
fn a_token_that_was_made_for_nothing_is_revoked_too() {
    let world = World::new();
    let server = Server::new(move |request| match request.line.as_str() {
        line if line.starts_with("GET ") => refused("403 Forbidden", "permission denied"),
        _ => granted("service"),
    });
    let line = format!("{RUN}{} --login=jwt --jwt=env:SECRET", server.url);
    let run = world.run_with(&line, &[("SECRET", SECRETS[1])]);
    assert_eq!(run.status, 5);
    assert!(lines(&server)[2].ends_with("/revoke-self"));
}

#[test]
fn a_standby_that_lags_is_asked_again() {
    let world = World::new();
    let token = jwt(3600);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server =
        Server::new(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => refused("412 Precondition Failed", "required index state not present"),
            1 => refused("503 Busy", "local node not active"),
            _ => signed(&token, AUDIENCE),
        });
    let run = world.run_with(&format!("{RUN}{}", server.url), &[("VAULT_TOKEN", VAULT_TOKEN)]);
    run.token();
    assert_eq!(server.count(), 3);
}

#[test]
fn the_log_tells_of_another_audience_and_nothing_else_does() {
    let world = World::new();
    let token = jwt(3600);
    let server = Server::new(move |_| signed(&token, "vault-made-1"));
    let variables = [("VAULT_TOKEN", VAULT_TOKEN)];
    let line = format!("{RUN}{} --audience={{aud}}", server.url);
    world.run_with(&line, &variables).document();
    let words = format!(
        "the token's aud is vault-made-1, the client_id of the role google, and not the audience \
         {AUDIENCE}: allow it in the pool provider (--allowed-audiences=vault-made-1), or make it \
         the role's client_id"
    );
    assert!(world.read("log").contains(&words), "{}", world.read("log"));

    let log = || world.read("log").matches("the token's aud").count();
    for same in [AUDIENCE.to_owned(), format!("https:{AUDIENCE}")] {
        let (server, before) = (willing("service"), log());
        let line = format!("{RUN}{} --audience={same}", server.url);
        world.run_with(&line, &variables).document();
        assert_eq!(log(), before);
    }
}

#[test]
fn the_pool_provider_has_to_trust_the_issuer_of_the_namespace() {
    let config = format!("config vault --role=r --pool-provider={AUDIENCE} --out={{dir}}/c.json");
    for (options, issuer) in [
        ("", "ADDRESS/v1/identity/oidc"),
        ("--address=https://v.example/ --namespace=a/b/", "https://v.example/v1/a/b/identity/oidc"),
    ] {
        let run = World::new().run(&format!("{config} {options}"));
        let words = format!("--issuer-uri={issuer} --allowed-audiences=CLIENT_ID ");
        assert!(run.stdout.contains(&words), "{run:?}");
    }
}

#[test]
fn refusals_say_what_to_change() {
    let world = World::new();
    let read = "{url}/v1/identity/oidc/token/google";
    let policy = r#"path "identity/oidc/token/google" { capabilities = ["read"] }"#;
    for (answer, status, message) in [
        (
            refused("403 Forbidden", "1 error occurred:\n\t* permission denied\n\n"),
            5,
            format!(
                "{read} answered 403: 1 error occurred: * permission denied; the Vault token may be \
                 over or of another namespace; else allow it in its policy: {policy}"
            ),
        ),
        (
            refused("403 Forbidden", "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"),
            5,
            format!(
                "{read} answered 403: 2 errors occurred: * permission denied * invalid token; \
                 the Vault token is over: renew it, or take another --login"
            ),
        ),
        (
            refused("400 Bad Request", "no entity associated with the request's token"),
            3,
            format!(
                "{read} answered 400: no entity associated with the request's token; root tokens have \
                 no entity, nor has a token made without a login: take another --login or --token"
            ),
        ),
        (
            refused("400 Bad Request", r#"role "google" not found"#),
            3,
            format!(
                r#"{read} answered 400: role "google" not found; check --role and --namespace: vault read (or bao read) identity/oidc/role/google"#
            ),
        ),
        (
            refused(
                "400 Bad Request",
                r#"the key "k" does not list the client ID of the role "google" as an allowed client ID"#,
            ),
            5,
            format!(
                r#"{read} answered 400: the key "k" does not list the client ID of the role "google" as an allowed client ID; add the client_id of google to allowed_client_ids of its key"#
            ),
        ),
        (
            refused("404 Not Found", "namespace not found"),
            3,
            format!("{read} answered 404: namespace not found; check --address and --namespace"),
        ),
        (
            refused("503 Service Unavailable", "Vault is sealed"),
            6,
            format!(
                "{read} answered 503: Vault is sealed; \
                 unseal it (vault operator unseal, bao operator unseal)"
            ),
        ),
        (
            refused("412 Precondition Failed", "required index state not present"),
            6,
            format!(
                "{read} answered 412: required index state not present; \
                 this standby lags behind the active server: try again later"
            ),
        ),
        (
            refused("500 Oops", "1 error occurred:\n\t* internal error\n\n"),
            6,
            format!(
                "{read} answered 500: 1 error occurred: * internal error; try again later"
            ),
        ),
        (
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://active.example/v1/x\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            3,
            format!(
                "{read} redirects to active.example; redirects are refused, they could carry a \
                 credential away: give the final address in --address"
            ),
        ),
        (
            response("200 OK", "text/html", "<html>"),
            7,
            format!(
                "{read} answered with HTML; a login page or a proxy may have answered: check --address"
            ),
        ),
        (json(r#"{"data":null}"#), 7, "the answer of {url}/ has no token; check --address".to_owned()),
        (
            signed("opaque-hunter2-bearer", "c"),
            7,
            "the answer of {url}/ holds no subject token: it is opaque, not a JWT; \
             check --role: Google exchanges signed JWTs only"
                .to_owned(),
        ),
        (
            signed(&jwt_until(1_795_276_800), "c"),
            8,
            "the token in the answer of {url}/ ended at 2026-11-21T16:00:00Z; \
             the clocks of this host and of the server may differ"
                .to_owned(),
        ),
    ] {
        let server = Server::new(move |_| answer.clone());
        let run = world.run_with(&format!("{RUN}{}", server.url), &[("VAULT_TOKEN", VAULT_TOKEN)]);
        assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
        assert_eq!(run.status, status);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn refused_logins_name_their_options() {
    let world = World::new();
    let approle = "--login=approle --role-id=r --secret-id=env:SECRET";
    let kubernetes = "--login=kubernetes --login-role=pod --jwt=env:SECRET";
    let by_jwt = "--login=jwt --login-role=ci --jwt=env:SECRET";
    let userpass = "--login=userpass --user=u --password=env:SECRET";
    for (options, answer, status, message) in [
        (
            approle,
            refused("400 Bad Request", "invalid role or secret ID"),
            5,
            "{url}/v1/auth/approle/login answered 400: invalid role or secret ID; \
             check --role-id and --secret-id, which may be over or used up",
        ),
        (
            approle,
            refused("404 Not Found", r#"no handler for route "auth/approle/login""#),
            3,
            r#"{url}/v1/auth/approle/login answered 404: no handler for route "auth/approle/login"; check --login-mount, --namespace and --address"#,
        ),
        (
            approle,
            refused("503 Service Unavailable", "Vault is sealed"),
            6,
            "{url}/v1/auth/approle/login answered 503: Vault is sealed; \
             unseal it (vault operator unseal, bao operator unseal)",
        ),
        (
            approle,
            refused("429 Too Many Requests", "request path rate limit quota exceeded"),
            6,
            "{url}/v1/auth/approle/login answered 429: request path rate limit quota exceeded; \
             try again later",
        ),
        (
            approle,
            refused("400 Bad Request", "no hunter2-bearer"),
            5,
            "{url}/v1/auth/approle/login answered 400: no [secret]; \
             check --role-id and --secret-id, which may be over or used up",
        ),
        (
            kubernetes,
            refused("403 Forbidden", "namespace not authorized"),
            5,
            "{url}/v1/auth/kubernetes/login answered 403: namespace not authorized; \
             check --login-role, and that it allows this pod's service account and namespace; \
             check --login-mount, --namespace and --address",
        ),
        (
            by_jwt,
            refused("400 Bad Request", "error validating token: invalid audience (aud) claim"),
            5,
            "{url}/v1/auth/jwt/login answered 400: error validating token: invalid audience (aud) \
             claim; check --login-role and --jwt, and the role's bound_audiences and bound_claims",
        ),
        (
            userpass,
            refused("400 Bad Request", "invalid username or password"),
            5,
            "{url}/v1/auth/userpass/login/u answered 400: invalid username or password; \
             check --user and --password",
        ),
        (
            userpass,
            json(r#"{"auth":{"client_token":"","mfa_requirement":{"mfa_request_id":"1"}}}"#),
            5,
            "the login at {url}/ gave no Vault token; \
             check --login-mount, and that nothing there asks for a second factor",
        ),
    ] {
        let server = Server::new(move |_| answer.clone());
        let line = format!("{RUN}{} {options}", server.url);
        let run = world.run_with(&line, &[("SECRET", SECRETS[1])]);
        assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
        assert_eq!(run.status, status);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn what_is_missing_or_out_of_place_is_named() {
    let world = World::new();
    let server = willing("service");
    let tls = server.url.replace("http:", "https:");
    for (line, variables, status, message) in [
        (
            "",
            vec![("VAULT_TOKEN", VAULT_TOKEN)],
            4,
            "there is no address of a Vault server; add --address=… or set VAULT_ADDR or BAO_ADDR",
        ),
        (
            "--address=https://vault.example --login=kubernetes",
            vec![],
            2,
            "--login-role is missing; add --login-role=…",
        ),
        (
            "",
            vec![("VAULT_ADDR", "vault.example")],
            3,
            "VAULT_ADDR takes an absolute https:// address; correct VAULT_ADDR, or give --address",
        ),
        (
            "",
            vec![("BAO_ADDR", "http://vault.example"), ("BAO_TOKEN", VAULT_TOKEN)],
            3,
            "http://vault.example/v1/identity/oidc/token/google would send a credential in the clear; \
             use https in BAO_ADDR, or add --allow-http=vault.example",
        ),
        (
            "",
            vec![("VAULT_ADDR", "{url}")],
            4,
            "there is no Vault token; log in (vault login, bao login), set VAULT_TOKEN or BAO_TOKEN, \
             or take another --login",
        ),
        (
            "",
            vec![("VAULT_ADDR", "{url}"), ("VAULT_TOKEN", "hunter2-bearer\nX-Evil: 1")],
            3,
            r#"the header "X-Vault-Token" has control characters in its value; a header is a name and one line of text"#,
        ),
        (
            "",
            vec![
                ("VAULT_ADDR", "{tls}"),
                ("VAULT_TOKEN", VAULT_TOKEN),
                ("VAULT_CACERT", "{dir}/none.pem"),
            ],
            3,
            "cannot read {dir}/none.pem: it does not exist; check VAULT_CACERT",
        ),
        ("--login=approle --secret-id=env:S", vec![], 2, "--role-id is missing; add --role-id=…"),
        ("--login=jwt", vec![], 2, "--jwt is missing; add --jwt=…"),
        ("--login=userpass --user=u", vec![], 2, "--password is missing; add --password=…"),
        (
            "--secret-id=env:S",
            vec![],
            2,
            "--secret-id is not for --login=token; leave it out, or add --login=approle",
        ),
        (
            "--login=approle --role-id=r --jwt=env:S",
            vec![],
            2,
            "--jwt is not for --login=approle; leave it out, or add --login=kubernetes or jwt",
        ),
        (
            "--login=none --token=env:S",
            vec![],
            2,
            "--token is not for --login=none; leave it out, or add --login=token",
        ),
    ] {
        let variables: Vec<_> = variables
            .into_iter()
            .map(|(n, v)| (n, v.replace("{url}", &server.url).replace("{tls}", &tls)))
            .collect();
        let variables: Vec<_> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let run = world.run_with(&format!("vault --role=google {line}"), &variables);
        assert_eq!(run.stderr, world.fill(message) + "\n");
        assert_eq!(run.status, status);
    }
    assert_eq!(server.count(), 0);
}
