//! The source `oidc`: assertions signed with the client's key, which differ between runs and tries. The
//! other cases are in `tests/scenarios/oidc`.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::server::{Server, json};
use common::{World, holds_no_secret, jwt};

/// Starts an issuer. `answer` returns the response to each token request, and gets the number of
/// earlier ones.
fn issuer(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |request| match request.line.starts_with("GET /.well-known/") {
        true => {
            let host = request.header("host").unwrap();
            json(&format!(r#"{{"issuer":"http://{host}","token_endpoint":"http://{host}/token"}}"#))
        }
        false => answer(count.fetch_add(1, Ordering::SeqCst)),
    })
}

fn token() -> Vec<u8> {
    json(&format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, jwt(3600)))
}

fn world_with_key() -> World {
    let world = World::new();
    let made = world.run(
        "key --key={dir}/key.pem --generate --issuer=https://i.example --subject=s --audience=a",
    );
    assert_eq!(made.status, 0);
    world
}

const RUN: &str = "oidc --client-id=the:client --client-key={dir}/key.pem --log-file={dir}/log \
                   --assertion-audience=https://aud.example --issuer=";

/// The bodies of the token requests.
fn bodies(server: &Server) -> Vec<String> {
    let posts = server.requests().into_iter().filter(|request| request.line.starts_with("POST"));
    posts.map(|request| request.body).collect()
}

#[test]
fn an_assertion_has_the_claims_of_rfc_7523_and_is_new_in_each_run() {
    let world = world_with_key();
    let server = issuer(|_| token());
    for _ in 0..2 {
        world.run(&format!("{RUN}{}", server.url)).document();
    }
    let assertions: Vec<_> = bodies(&server)
        .into_iter()
        .map(|body| {
            assert!(body.contains(
                "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
            ));
            body.split_once("client_assertion=").unwrap().1.to_owned()
        })
        .collect();
    assert_ne!(assertions[0], assertions[1]);
    let claims = assertions[0].split('.').nth(1).unwrap();
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], "the:client");
    assert_eq!(claims["sub"], "the:client");
    assert_eq!(claims["aud"], "https://aud.example");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    holds_no_secret(&world.read("log"));
}

#[test]
fn an_assertion_is_new_in_each_try() {
    let world = world_with_key();
    let server = issuer(|count| match count {
        0 => {
            b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_vec()
        }
        _ => token(),
    });
    world.run(&format!("{RUN}{}", server.url)).document();
    let bodies = bodies(&server);
    assert_eq!(bodies.len(), 2);
    assert_ne!(bodies[0], bodies[1]);
}
