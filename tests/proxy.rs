//! A proxy that refuses a connection: the reason is in its status and headers.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use common::World;

const LINE: &str = "oidc --issuer=https://idp.example --client-id=c --client-secret=env:SECRET \
                    --log-file={dir}/log";

/// Starts a proxy that responds to one CONNECT request with this head, and returns its address.
fn proxy(head: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, head) = (listener.local_addr().unwrap(), head.replace('|', "\r\n"));
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        client.write_all(format!("{head}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
    });
    address.to_string()
}

#[test]
fn a_proxy_that_repeats_its_password_does_not_show_it() {
    for code in ["hunter2-pw", "aHVudGVyMi1wdw", "jane_hunter2-pw"] {
        let world = World::new();
        let head = format!("HTTP/1.1 403 {code}|X-Squid-Error: {code}|Proxy-Authenticate: {code}");
        let address = format!("http://jane:hunter2-pw@{}", proxy(&head));
        let run = world.run_with(LINE, &[("HTTPS_PROXY", &address), ("SECRET", "hunter2-bearer")]);
        assert_eq!(run.status, 5, "{run:?}");
        let shown = run.stdout + &run.stderr + &world.read("log");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVud"), "{shown}");
    }
}

/// A proxy that sends its response byte by byte has no more time than one that sends nothing.
#[test]
fn a_slow_proxy_does_not_extend_the_timeout_of_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\nX: ");
                while client.write_all(b"x").is_ok() {
                    thread::sleep(std::time::Duration::from_millis(100));
                }
            });
        }
    });
    let world = World::new();
    let began = std::time::Instant::now();
    let line = "vault --address=https://vault.example --role=r --token=env:SECRET --timeout=4";
    let run = world.run_with(line, &[("HTTPS_PROXY", &address), ("SECRET", "hunter2-bearer")]);
    assert_eq!(run.status, 6, "{run:?}");
    assert!(began.elapsed() < std::time::Duration::from_millis(3400), "{:?}", began.elapsed());
}

#[test]
fn the_reason_for_a_refusal_by_a_proxy_is_named_with_a_fix() {
    let (user, nobody) = ("jane:hunter2-client-secret@", "");
    for (account, head, expected) in [
        (
            nobody,
            "HTTP/1.1 407 x|Proxy-Authenticate: Basic realm=\"a\"",
            "DENIED (5): the proxy in HTTPS_PROXY requires a password: status 407 for idp.example; \
             set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT",
        ),
        (
            user,
            "HTTP/1.1 407 x|Proxy-Authenticate: Basic realm=\"a\"",
            "DENIED (5): the proxy in HTTPS_PROXY refused the user name or the password: status 407 \
             for idp.example; correct the user name and the password in HTTPS_PROXY, in which \
             characters such as @ and : must be percent-encoded",
        ),
        (
            user,
            "HTTP/1.1 407 x|Proxy-Authenticate: Negotiate|Proxy-Authenticate: NTLM",
            "DENIED (5): the proxy in HTTPS_PROXY offers only Negotiate and NTLM authentication: \
             status 407 for idp.example; configure the proxy to offer Basic authentication or to \
             allow idp.example without authentication, or set HTTPS_PROXY to a local proxy that \
             authenticates to this proxy, such as Cntlm or Px, or add idp.example to NO_PROXY",
        ),
        (
            nobody,
            "HTTP/1.1 403 x|X-Squid-Error: ERR_ACCESS_DENIED 0",
            "DENIED (5): the proxy in HTTPS_PROXY refused a connection to idp.example: status 403 \
             (ERR_ACCESS_DENIED); allow idp.example in the proxy, or add idp.example to NO_PROXY",
        ),
        (
            nobody,
            "HTTP/1.1 503 x|X-Squid-Error: ERR_DNS_FAIL 0",
            "UNREACHABLE (6): the proxy in HTTPS_PROXY cannot reach idp.example: status 503 \
             (ERR_DNS_FAIL); check --issuer, because the proxy cannot resolve idp.example, or add \
             idp.example to NO_PROXY",
        ),
        (
            nobody,
            "HTTP/1.1 502 Bad Gateway",
            "UNREACHABLE (6): the proxy in HTTPS_PROXY cannot reach idp.example: status 502; check \
             HTTPS_PROXY, or add idp.example to NO_PROXY",
        ),
    ] {
        let world = World::new();
        let address = format!("http://{account}{}", proxy(head));
        let run = world.run_with(LINE, &[("HTTPS_PROXY", &address), ("SECRET", "hunter2-bearer")]);
        let shown = run.stderr.trim_end();
        let (_, message) = expected.split_once("): ").unwrap();
        assert_eq!(shown, message);
        assert!(expected.contains(&format!("({})", run.status)), "{} {shown}", run.status);
        common::holds_no_secret(&world.read("log"));
    }
}

#[test]
fn a_proxy_without_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 4096]);
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let variables = [("HTTPS_PROXY", address.as_str()), ("SECRET", "hunter2-bearer")];
    let run = World::new().run_with(LINE, &variables);
    assert_eq!(
        run.stderr.trim_end(),
        "the proxy in HTTPS_PROXY did not respond with TLS; set HTTPS_PROXY to http://HOST:PORT"
    );
    assert_eq!(run.status, 3);
}
