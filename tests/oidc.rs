//! The source `oidc` against a loopback issuer: what it sends, and what it says when refused.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::server::{Server, json, response};
use common::{SECRETS, World, jwt, jwt_until, now};

/// An issuer that names its own address and answers token requests so.
fn issuer(answer: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Server {
    Server::new(move |request| match request.line.starts_with("GET /.well-known/") {
        true => {
            let host = request.header("host").unwrap();
            json(&format!(r#"{{"issuer":"http://{host}","token_endpoint":"http://{host}/token"}}"#))
        }
        false => answer(),
    })
}

fn token(text: &str) -> Vec<u8> {
    json(&format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":600}}"#))
}

const RUN: &str = "oidc --client-id=the:client --log-file={dir}/log --issuer=";

#[test]
fn each_client_authentication_sends_what_its_standard_says() {
    let world = World::new();
    let secret = format!("{} +/%", SECRETS[0]);
    world.write("secret", format!("{secret}\r\n"));
    let made = world.run(
        "key --key={dir}/key.pem --generate --issuer=https://i.example --subject=s --audience=a",
    );
    assert_eq!(made.status, 0);
    let good = jwt(3600);
    let server = issuer(move || token(&good));
    let post = |options: &str| {
        let line = format!("{RUN}{} {options}", server.url);
        world.run_with(&line, &[("SECRET", &secret)]).document();
        server.requests().last().unwrap().clone()
    };

    let grant = "grant_type=client_credentials";
    let basic =
        post("--client-secret=env:SECRET --scope=a,b --resource=https://r.example --param=x=y=z");
    assert_eq!(basic.body, format!("{grant}&scope=a%20b&resource=https%3A%2F%2Fr.example&x=y%3Dz"));
    let pair =
        STANDARD.decode(basic.header("authorization").unwrap().strip_prefix("Basic ").unwrap());
    assert_eq!(
        String::from_utf8(pair.unwrap()).unwrap(),
        format!("the%3Aclient:{}%20%2B%2F%25", SECRETS[0])
    );

    let in_body = post("--auth=post --client-secret=file:{dir}/secret");
    assert_eq!(
        in_body.body,
        format!("{grant}&client_id=the%3Aclient&client_secret={}%20%2B%2F%25", SECRETS[0])
    );
    assert_eq!(in_body.header("authorization"), None);

    assert_eq!(post("").body, format!("{grant}&client_id=the%3Aclient"));

    let assertions: Vec<String> = (0..2)
        .map(|_| {
            let body = post("--client-key={dir}/key.pem --assertion-audience=https://aud.example").body;
            assert!(body.contains(
                "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
            ));
            body.split_once("client_assertion=").unwrap().1.to_owned()
        })
        .collect();
    assert_ne!(assertions[0], assertions[1], "each assertion is new");
    let claims = assertions[0].split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], "the:client");
    assert_eq!(claims["sub"], "the:client");
    assert_eq!(claims["aud"], "https://aud.example");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn the_end_of_the_token_is_that_of_its_claims_or_else_of_the_answer() {
    let world = World::new();
    let without_exp = format!("e30.e30.{}", SECRETS[2]);
    for (text, life) in [(jwt(3600), 3600 - 300), (without_exp, 600 - 60)] {
        let server = issuer(move || token(&text));
        let document = world.run(&format!("{RUN}{}", server.url)).document();
        let left = document["expiration_time"].as_i64().unwrap() - now();
        assert!((life - 5..=life).contains(&left), "{left}");
    }
}

#[test]
fn the_id_token_is_taken_when_asked_for() {
    let world = World::new();
    let good = jwt(3600);
    let answer = json(&format!(r#"{{"access_token":"opaque","id_token":"{good}"}}"#));
    let server = issuer(move || answer.clone());
    assert_eq!(world.run(&format!("{RUN}{} --use=id_token", server.url)).token(), good);
}

#[test]
fn refusals_name_the_option_to_change() {
    let world = World::new();
    let refused = |error: &str| {
        response("400 Bad Request", "application/json", &format!(r#"{{"error":"{error}"}}"#))
    };
    let secret = "--client-secret=env:SECRET";
    for (answer, options, status, message) in [
        (
            refused("invalid_client"),
            secret,
            5,
            "{url}/token answered 400: invalid_client; \
             check --client-id and --client-secret, or take --auth=post",
        ),
        (
            refused("unauthorized_client"),
            secret,
            5,
            "{url}/token answered 400: unauthorized_client; \
             allow this client the client credentials grant at the issuer",
        ),
        (
            refused("invalid_scope"),
            secret,
            5,
            "{url}/token answered 400: invalid_scope; check --scope",
        ),
        (
            refused("invalid_target"),
            secret,
            5,
            "{url}/token answered 400: invalid_target; check --resource",
        ),
        (
            token("opaque-hunter2-bearer"),
            "",
            7,
            "the access_token of {url}/token holds no subject token: it is opaque, not a JWT; \
             ask the issuer for a JWT access token (often by --resource or --param=audience=…), \
             or take --use=id_token",
        ),
        (
            token(&jwt_until(1_795_276_800)),
            "",
            8,
            "the token in the access_token of {url}/token ended at 2026-11-21T16:00:00Z; \
             the clocks of this host and of the issuer may differ",
        ),
        (
            json(r#"{"id_token":"a"}"#),
            "",
            7,
            "the answer of {url}/token has no access_token; \
             check --issuer: RFC 6749 section 5.1 demands one",
        ),
        (
            json("{}"),
            "--use=id_token",
            7,
            "the answer of {url}/token has no id_token; \
             add --scope=openid, or take --use=access_token",
        ),
        (
            response("200 OK", "text/html", "<html>"),
            "",
            7,
            "{url}/token answered with HTML; a login page or a proxy may have answered: check --issuer",
        ),
        (
            response("503 Busy", "text/plain", ""),
            "",
            6,
            "{url}/token answered 503; try again later",
        ),
    ] {
        let server = issuer(move || answer.clone());
        let line = format!("{RUN}{} {options}", server.url);
        let run = world.run_with(&line, &[("SECRET", SECRETS[0])]);
        assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
        assert_eq!(run.status, status);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn an_assertion_is_made_anew_for_each_try() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = issuer(move || match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => {
            b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_vec()
        }
        _ => token(&jwt(3600)),
    });
    let world = World::new();
    let made = world.run(
        "key --key={dir}/key.pem --generate --issuer=https://i.example --subject=s --audience=a",
    );
    assert_eq!(made.status, 0);
    let line = format!("oidc --issuer={} --client-id=c --client-key={{dir}}/key.pem", server.url);
    world.run(&line).document();
    let requests = server.requests();
    let posts: Vec<_> = requests.iter().filter(|r| r.line.starts_with("POST")).collect();
    assert_eq!(posts.len(), 2);
    assert_ne!(posts[0].body, posts[1].body);
}

#[test]
fn a_secret_that_the_issuer_repeats_is_not_shown() {
    let world = World::new();
    let echo = format!(r#"{{"error":"invalid_client","error_description":"not {}"}}"#, SECRETS[0]);
    let server = issuer(move || response("401 No", "application/json", &echo));
    for auth in ["basic", "post"] {
        let line = format!("{RUN}{} --auth={auth} --client-secret=env:SECRET", server.url);
        let run = world.run_with(&line, &[("SECRET", SECRETS[0])]);
        assert!(run.stderr.contains("invalid_client: not [secret];"), "{}", run.stderr);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn discovery_is_strict() {
    let world = World::new();
    for (metadata, status, message) in [
        (
            r#"{"issuer":"https://other.example"}"#,
            3,
            "{url}/.well-known/openid-configuration is the metadata of another issuer; \
             use --issuer=https://other.example if you trust it",
        ),
        (
            r#"{"issuer":"{url}"}"#,
            7,
            "{url}/.well-known/openid-configuration names no token_endpoint; check --issuer",
        ),
        (
            r#"{"issuer":"{url}","token_endpoint":"nowhere"}"#,
            7,
            "the token_endpoint in {url}/.well-known/openid-configuration is no address; check --issuer",
        ),
        (
            r#"{"issuer":"{url}","token_endpoint":"http://idp.example/token"}"#,
            3,
            "http://idp.example/token would send a credential in the clear; \
             use https in --issuer, or add --allow-http=idp.example",
        ),
        (
            "[]",
            7,
            "{url}/.well-known/openid-configuration answered with no JSON object; check --issuer",
        ),
    ] {
        let server = Server::new(move |request| {
            let url = format!("http://{}", request.header("host").unwrap());
            json(&metadata.replace("{url}", &url))
        });
        let run = world.run(&format!("{RUN}{}", server.url));
        assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
        assert_eq!(run.status, status);
    }
}

#[test]
fn secrets_that_are_missing_are_named() {
    let world = World::new();
    world.write("empty", "\n");
    world.write("key.pem", "no key");
    let server = issuer(|| token("unused"));
    for (options, status, message) in [
        ("--auth=post", 2, "--client-secret is missing; add --client-secret=…"),
        ("--auth=mtls --client-key=k", 2, "--client-cert is missing; add --client-cert=…"),
        (
            "--client-secret=env:NONE",
            3,
            "the variable NONE is not set; set it or change --client-secret",
        ),
        (
            "--client-secret=file:{dir}/none",
            3,
            "cannot read {dir}/none: it does not exist; check --client-secret",
        ),
        (
            "--client-secret=file:{dir}/empty",
            3,
            "the file {dir}/empty is empty; put the secret there or change --client-secret",
        ),
        (
            "--client-key={dir}/key.pem --client-cert={dir}/key.pem",
            3,
            "the client certificate is not in PEM form; check --client-cert and --client-key",
        ),
    ] {
        let run = world.run(&format!("{RUN}{} {options}", server.url));
        assert_eq!(run.stderr, world.fill(message) + "\n");
        assert_eq!(run.status, status);
    }
}
