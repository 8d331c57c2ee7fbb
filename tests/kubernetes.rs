//! The source `kubernetes`: a proxy, and a token file that changes between runs. The other cases are in
//! `tests/scenarios/kubernetes`, `tests/transcripts/kubernetes.txt` and `kubeconfig.txt`.

mod common;

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use common::server::{Server, json};
use common::{World, jwt};

#[test]
fn a_projected_token_is_read_again() {
    let world = World::new();
    for token in [jwt(3600), jwt(600)] {
        world.write("token", format!("{token}\n"));
        assert_eq!(world.run("kubernetes --path={dir}/token").token(), token);
    }
}

/// Starts a proxy that accepts CONNECT once. Returns its URL, and the head of the request that it
/// receives.
fn proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://jane:hunter2-client-secret@{}", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let mut server = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
        sender.send(head).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut there, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut there, &mut server));
        let _ = io::copy(&mut back, &mut client);
    });
    (url, asked)
}

#[test]
fn the_proxy_in_the_kubeconfig_is_used_for_every_host() {
    let world = World::new();
    let answer = json(&format!(r#"{{"status":{{"token":"{}"}}}}"#, jwt(3600)));
    let server = Server::new(move |_| answer.clone());
    let (proxy, asked) = proxy();
    let host = server.url.strip_prefix("http://").unwrap();
    let config = format!(
        "current-context: here\n\
         contexts: [{{name: here, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{}', proxy-url: '{proxy}'}}}}]\n\
         users: [{{name: u, user: {{token: hunter2-bearer}}}}]\n",
        server.url
    );
    world.write("config", config);
    let line = "kubernetes --account=app --audience={aud} --kubeconfig={dir}/config";
    let line = format!("{line} --log-file={{dir}}/log");
    world.run_with(&line, &[("NO_PROXY", "*")]).document();
    let head = asked.recv().unwrap();
    assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
    common::holds_no_secret(&world.read("log"));
}
