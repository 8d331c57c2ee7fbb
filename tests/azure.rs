//! The source `azure`: signed assertions, and the wait for absent instance metadata. The other
//! cases are in `tests/scenarios/azure` and `tests/transcripts/azure*.txt`, and those with key files of
//! Azure Arc in `tests/real`.

mod common;

use std::net::TcpListener;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::server::{Server, json};
use common::{World, jwt, now};
use serde_json::Value;

/// A key and its certificate, made with openssl for this test only.
const CERTIFIED: &str = include_str!("vectors/azure/certified.pem");
/// openssl x509 -in certified.pem -outform DER | openssl dgst -sha256 -binary | basenc --base64url
const THUMBPRINT: &str = "QngmbFESe-wY4QEVB3kREDmVExmsxo0uf583CbhLH9w";

/// Runs the program with these options and variables, and returns the assertion that it sends to
/// the server.
fn assertion(server: &Server, options: &str, variables: &[(&str, &str)]) -> String {
    let world = World::new();
    world.write("cert.pem", CERTIFIED);
    let account = "--tenant-id=tenant.example --client-id=app --log-file={dir}/log";
    let host = format!("--authority-host={}", server.url);
    let line = format!("azure --resource=api://wif {account} {host} {options}");
    world.run_with(&line, variables).token();
    common::holds_no_secret(&world.read("log"));
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "POST /tenant.example/oauth2/v2.0/token HTTP/1.1");
    let fields = "grant_type=client_credentials&scope=api%3A%2F%2Fwif%2F.default&client_id=app&\
                  client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A\
                  jwt-bearer&client_assertion=";
    request.body.strip_prefix(fields).unwrap_or_else(|| panic!("{}", request.body)).to_owned()
}

#[test]
fn a_certificate_signs_a_new_assertion_for_each_run() {
    let answer = json(&format!(r#"{{"access_token":"{}"}}"#, jwt(3600)));
    let server = Server::new(move |_| answer.clone());
    let path = [("AZURE_CLIENT_CERTIFICATE_PATH", "{dir}/cert.pem")];
    let first = assertion(&server, "", &path);
    let part = |index| -> Value {
        let part = first.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let header = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": THUMBPRINT});
    assert_eq!(part(0), header);
    let claims = part(1);
    assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
    assert_eq!(claims["aud"], format!("{}/tenant.example/oauth2/v2.0/token", server.url));
    let (from, to) = (claims["nbf"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(to - from == 300 && from <= now(), "{claims}");

    let options = "--client-cert={dir}/cert.pem --client-key={dir}/cert.pem";
    let second = assertion(&server, options, &[]);
    assert_ne!(second.rsplit('.').next(), first.rsplit('.').next());
}

#[test]
fn silent_instance_metadata_delays_a_run_by_about_one_second() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let variables = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", host.as_str())];
    let run = World::new().run_with("azure --resource=api://wif", &variables);
    assert_eq!(run.status, 4, "{}", run.stderr);
    assert!(began.elapsed().as_millis() < 2500);
}
