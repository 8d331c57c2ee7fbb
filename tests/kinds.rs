//! Bad input: each gets its kind, a message that names what to change, its exit status, and the same
//! line on standard error, byte for byte.

mod common;

use std::net::TcpListener;
use std::time::Instant;

use common::server::{Server, json, response};
use common::{AUDIENCE, SECRETS, World, holds_no_secret, jwt, jwt_until};

/// Runs a line and compares everything; `{dir}` and `{url}` stand for themselves.
fn fails(world: &World, url: &str, line: &str, status: i32, code: &str, message: &str) {
    let message = world.fill(message).replace("{url}", url);
    let line = format!("{} --log-file={{dir}}/log", line.replace("{url}", url));
    let run = world.run_with(&line, &[("SECRET", SECRETS[1]), ("EMPTY", "")]);
    let quoted = serde_json::Value::from(message.as_str()).to_string();
    let document = format!(
        r#"{{"version":1,"success":false,"token_type":"urn:ietf:params:oauth:token-type:jwt","code":"{code}","message":{quoted}}}"#
    );
    assert_eq!(run.stdout, format!("{document}\n"), "{line}");
    assert_eq!(run.stderr, format!("{message}\n"), "{line}");
    assert_eq!(run.status, status, "{line}");
    if world.path("log").exists() {
        holds_no_secret(&world.read("log"));
    }
}

fn fails_alone(cases: &[(&str, i32, &str, &str)]) {
    let world = World::new();
    world.write("empty", "");
    world.write("opaque", SECRETS[2]);
    world.write("html", "<html><body>log in</body></html>");
    world.write("json", format!(r#"{{"id_token":"{}"}}"#, jwt(60)));
    world.write("expired", jwt_until(1_795_276_800));
    world.write("latin1", b"\xe9");
    world.write("large", vec![b'a'; 1024 * 1024 + 1]);
    for (line, status, code, message) in cases {
        fails(&world, "", line, *status, code, message);
    }
}

#[test]
fn command_lines() {
    fails_alone(&[
        (
            "",
            2,
            "USAGE",
            "there is no source; name one of file, url, env, command, ci, github, azure-pipelines, oidc, \
             vault, aws, azure, adfs, kubernetes, key",
        ),
        (
            "flie --path=x",
            2,
            "USAGE",
            r#"there is no source or command "flie"; did you mean file?"#,
        ),
        ("file --pat=x", 2, "USAGE", "file has no option --pat; did you mean --path?"),
        ("file --path", 2, "USAGE", "--path takes a value; write --path=PATH"),
        (
            "file a b",
            2,
            "USAGE",
            "there is a word too many after the source; write each setting as one word, --name=value; \
             values with blanks belong in an --args-file",
        ),
        (
            "file --path=x --timeout=0",
            2,
            "USAGE",
            "--timeout takes a whole number of seconds from 1 to 3600; write --timeout=SECONDS",
        ),
        (
            "oidc --client-secret=hunter2-client-secret",
            2,
            "USAGE",
            "--client-secret takes env:NAME or file:PATH, never the secret itself; \
             write --client-secret=env:NAME|file:PATH",
        ),
        (
            "url --url=https://u:hunter2-client-secret@idp.example/",
            2,
            "USAGE",
            "--url takes an address without user name and password; write --url=URL",
        ),
        (
            "url --url=https://idp.example --header=Authorization:hunter2-bearer",
            2,
            "USAGE",
            "the header Authorization would show its secret; \
             write --header=Authorization:env:NAME or --header=Authorization:file:PATH",
        ),
        (
            "command",
            2,
            "USAGE",
            "there is no program to run; write it after two dashes: wif-token command -- PROGRAM [ARG]...",
        ),
        (
            "key --key={dir}/k.pem --issuer=https://i.example --subject=s",
            2,
            "USAGE",
            "there is no audience; add --audience=… or set GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
        ),
        (
            "file --path={dir}/json --token-type=nonsense",
            3,
            "CONFIGURATION",
            "--token-type names an unknown token type; use one of \
             urn:ietf:params:oauth:token-type:jwt, urn:ietf:params:oauth:token-type:id_token, \
             urn:ietf:params:oauth:token-type:saml2, urn:ietf:params:aws:token-type:aws4_request",
        ),
        (
            "file --args-file={dir}/none",
            3,
            "CONFIGURATION",
            "cannot read {dir}/none: it does not exist; check --args-file",
        ),
    ]);
}

#[test]
fn files_and_variables() {
    fails_alone(&[
        (
            "file --path={dir}/none",
            4,
            "ABSENT",
            "cannot read {dir}/none: it does not exist; check --path",
        ),
        (
            "file --path={dir}",
            3,
            "CONFIGURATION",
            "cannot read {dir}: it is a directory; check --path",
        ),
        (
            "file --path={dir}/empty",
            3,
            "CONFIGURATION",
            "the file {dir}/empty is empty; let its writer replace it whole, or check --path",
        ),
        (
            "file --path={dir}/large",
            3,
            "CONFIGURATION",
            "{dir}/large is larger than 1 MiB; check --path",
        ),
        (
            "file --path={dir}/latin1",
            3,
            "CONFIGURATION",
            "{dir}/latin1 is not UTF-8 text; check --path",
        ),
        (
            "file --path={dir}/json",
            7,
            "PROTOCOL",
            "the file {dir}/json holds no subject token: it is JSON, not a JWT; \
             name the member that holds it with --field",
        ),
        (
            "file --path={dir}/json --field=token",
            3,
            "CONFIGURATION",
            r#"the file {dir}/json has no member "token"; check --field; it has id_token"#,
        ),
        (
            "file --path={dir}/html --field=token",
            7,
            "PROTOCOL",
            "the file {dir}/html holds HTML or XML; leave --field=token out, \
             or check where the token comes from",
        ),
        (
            "file --path={dir}/opaque",
            7,
            "PROTOCOL",
            "the file {dir}/opaque holds no subject token: it is opaque, not a JWT; \
             check --path: Google exchanges signed JWTs only",
        ),
        (
            "file --path={dir}/expired",
            8,
            "EXPIRED",
            "the token in the file {dir}/expired ended at 2026-11-21T16:00:00Z; \
             renew the file: whatever writes it has stopped",
        ),
        (
            "env --name=NONE",
            4,
            "ABSENT",
            "the variable NONE is not set; let the job declare its token, or check --name",
        ),
        (
            "env --name=EMPTY",
            4,
            "ABSENT",
            "the variable EMPTY is not set; let the job declare its token, or check --name",
        ),
    ]);
}

#[test]
fn keys() {
    let world = World::new();
    let key = |name: &str| {
        format!(
            "key --key={{dir}}/{name} --issuer=https://i.example --subject=s --audience={AUDIENCE}"
        )
    };
    world.write("text.pem", "no key");
    world.write(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    // RFC 8037, appendix A.1
    world.write(
        "ed25519.jwk",
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    );
    for (name, status, code, message) in [
        (
            "none.pem",
            4,
            "ABSENT",
            "cannot read {dir}/none.pem: it does not exist; check --key, or add --generate to make one",
        ),
        (
            "text.pem",
            3,
            "CONFIGURATION",
            "{dir}/text.pem holds no usable private key: it is not PEM or a JWK; \
             give an RSA key of 2048 to 4096 bits or a P-256 key (--key)",
        ),
        (
            "encrypted.pem",
            3,
            "CONFIGURATION",
            "{dir}/encrypted.pem holds no usable private key: it is encrypted; \
             decrypt it with openssl pkey and protect it by its mode (--key)",
        ),
        (
            "ed25519.jwk",
            3,
            "CONFIGURATION",
            "{dir}/ed25519.jwk holds no usable private key: it is a key of another type; \
             give an RSA key of 2048 to 4096 bits or a P-256 key (--key)",
        ),
    ] {
        fails(&world, "", &key(name), status, code, message);
    }
    fails(
        &world,
        "",
        &format!("{} --generate", key("no/k.pem")),
        3,
        "CONFIGURATION",
        "cannot make {dir}/no/k.pem: No such file or directory (os error 2); \
         check --key: its folder has to exist and be writable",
    );
    fails(
        &world,
        "",
        &format!("{} --claim=aud=x", key("k.pem")),
        2,
        "USAGE",
        "--claim cannot set aud; use --issuer, --subject, --audience and --lifetime",
    );
}

#[test]
fn answers_of_servers() {
    let echo = format!(r#"{{"error":"nope","error_description":"bad {} eyJh.b.c"}}"#, SECRETS[1]);
    let echo_answer = |status: &str| response(status, "application/json", &echo);
    let html = response("200 OK", "text/html", "<!doctype html><p>log in</p>");
    let cases: Vec<(Vec<u8>, &str, i32, &str, &str)> = vec![
        (
            echo_answer("401 Unauthorized"),
            "",
            5,
            "DENIED",
            "{url}/t answered 401: nope: bad [secret] [token]; \
             check the credentials and permissions of this request",
        ),
        (
            response("403 Forbidden", "text/html", "<html>secret page</html>"),
            "",
            5,
            "DENIED",
            "{url}/t answered 403; check the credentials and permissions of this request",
        ),
        (
            response("404 Not Found", "text/plain", "no"),
            "",
            3,
            "CONFIGURATION",
            "{url}/t answered 404; check the path in --url",
        ),
        (
            response("429 Too Many Requests", "text/plain", ""),
            "",
            6,
            "UNREACHABLE",
            "{url}/t answered 429; try again later",
        ),
        (
            response("500 Oops", "application/json", r#"{"message":"out\r\nof order"}"#),
            "",
            6,
            "UNREACHABLE",
            "{url}/t answered 500: out of order; try again later",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/?x=hunter2-bearer\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            "",
            3,
            "CONFIGURATION",
            "{url}/t redirects to evil.example; redirects are refused, they could carry a credential \
             away: give the final address in --url",
        ),
        (
            html.clone(),
            " --field=id_token",
            7,
            "PROTOCOL",
            "the answer of {url}/t holds HTML or XML; leave --field=id_token out, \
             or check where the token comes from",
        ),
        (
            html,
            "",
            7,
            "PROTOCOL",
            "the answer of {url}/t holds no subject token: it is HTML or XML, not a JWT; \
             check --url, or set subject_token_type to …:saml2 if it is SAML",
        ),
        (json(""), "", 7, "PROTOCOL", "the answer of {url}/t is empty; check --url"),
        (
            json(&"a".repeat(1024 * 1024 + 1)),
            "",
            7,
            "PROTOCOL",
            "the answer of {url}/t is larger than 1 MiB; check --url",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            "",
            7,
            "PROTOCOL",
            "{url}/t does not answer in HTTP; check --url",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\neyJ".to_vec(),
            "",
            6,
            "UNREACHABLE",
            "the answer was cut off by {url}/t: Peer disconnected; \
             check --url and the network, or try again",
        ),
    ];
    let world = World::new();
    for (answer, more, status, code, message) in cases {
        let asked = if matches!(answer.get(9..12), Some(b"429" | b"500")) { 4 } else { 1 };
        let server = Server::new(move |_| answer.clone());
        let line =
            format!("url --url={{url}}/t?key=hunter2-token-part --header=X-Token:env:SECRET{more}");
        fails(&world, &server.url, &line, status, code, message);
        assert_eq!(server.count(), asked);
    }
}

#[test]
fn servers_out_of_reach() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    fails(
        &world,
        &nobody,
        "url --url={url}/t",
        6,
        "UNREACHABLE",
        "nothing listens at {url}/t: Connection refused (os error 111); \
         check --url and the network, or try again",
    );
    fails(
        &world,
        "",
        "url --url=https://nowhere.invalid/t",
        6,
        "UNREACHABLE",
        "the host of https://nowhere.invalid/t is unknown; \
         check --url and the name servers, or set HTTPS_PROXY",
    );
    fails(
        &world,
        "",
        "url --url=http://idp.example/t",
        3,
        "CONFIGURATION",
        "http://idp.example/t would send a credential in the clear; \
         use https in --url, or add --allow-http=idp.example",
    );
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    fails(
        &world,
        &format!("http://{}", silent.local_addr().unwrap()),
        "url --url={url}/t --timeout=1",
        6,
        "UNREACHABLE",
        "no answer from {url}/t in time; check --url and the network, or raise --timeout",
    );
    assert!(began.elapsed().as_millis() < 1000, "it ends before its deadline");
}

#[test]
fn a_secret_after_its_scheme_is_not_shown() {
    let world = World::new();
    let echo = format!(r#"{{"message":"not {}"}}"#, SECRETS[1]);
    let server = Server::new(move |_| response("403 No", "application/json", &echo));
    let header = "--header=Authorization: Bearer env:SECRET";
    world.write("args", format!("url\n--url={}/\n{header}\n", server.url));
    fails(
        &world,
        &server.url,
        "--args-file={dir}/args",
        5,
        "DENIED",
        "{url}/ answered 403: not [secret]; check the credentials and permissions of this request",
    );
}

#[test]
fn a_header_that_would_become_two_is_not_sent() {
    let world = World::new();
    let server = Server::new(|_| json(&jwt(60)));
    world.write("secret", format!("{}\r\nX-Evil: 1", SECRETS[1]));
    fails(
        &world,
        &server.url,
        "url --url={url}/ --header=X-Token:file:{dir}/secret",
        3,
        "CONFIGURATION",
        r#"the header "X-Token" has control characters in its value; a header is a name and one line of text"#,
    );
    assert_eq!(server.count(), 0);
}

#[cfg(unix)]
#[test]
fn secrets_that_others_may_read_are_warned_of_in_the_log() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let server = Server::new(|_| json(&jwt(60)));
    let path = world.write("secret", SECRETS[1]);
    let shown = path.display();
    let line = format!(
        "url --url={}/ --header=X-Token:file:{{dir}}/secret --log-file={{dir}}/log",
        server.url
    );
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        world.run(&line).document();
        let warning = format!("warning: others may read {shown}; run chmod 600 {shown}");
        assert_eq!(world.read("log").contains(&warning), warned, "{mode:o}");
        std::fs::remove_file(world.path("log")).unwrap();
    }
}

#[test]
fn programs() {
    let world = World::new();
    for (line, status, code, message) in [
        (
            "command -- {dir}/none",
            4,
            "ABSENT",
            "cannot run {dir}/none: No such file or directory (os error 2); \
             check the program after --, and PATH if it is a bare name",
        ),
        (
            "command -- {dir}",
            3,
            "CONFIGURATION",
            "cannot run {dir}: Permission denied (os error 13); \
             check the program after --, and PATH if it is a bare name",
        ),
        (
            "command -- false",
            6,
            "UNREACHABLE",
            "false failed: exit status: 1; run the program after -- by hand to see its own message",
        ),
        (
            "command -- true",
            7,
            "PROTOCOL",
            "the output of true is empty; run the program by hand to see why",
        ),
        (
            "command -- yes hunter2-token-part",
            7,
            "PROTOCOL",
            "the output of yes is larger than 1 MiB; run the program after -- by hand to see it",
        ),
        (
            "command --timeout=1 -- sleep 60",
            6,
            "UNREACHABLE",
            "sleep did not end in time; run the program after -- by hand, or raise --timeout",
        ),
    ] {
        // The log file has to come before the two dashes.
        let line = line.replacen("command", "command --log-file={dir}/log", 1);
        let message = world.fill(message);
        let run = world.run(&line);
        assert_eq!(run.stderr, format!("{message}\n"), "{line}");
        assert!(run.stdout.contains(&format!(r#""code":"{code}""#)), "{}", run.stdout);
        assert_eq!(run.status, status, "{line}");
        holds_no_secret(&world.read("log"));
    }
}
