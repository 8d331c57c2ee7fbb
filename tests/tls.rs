//! TLS against a loopback server: whose certificates are trusted, and what is said otherwise.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use common::server::json;
use common::{World, jwt};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority and servers with certificates of its own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// A server that gives one token to everybody; its address, by IP address and port.
    fn server(&self, name: &str, expired: bool) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        serve(Arc::new(config))
    }
}

fn serve(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/t", listener.local_addr().unwrap());
    let answer = json(&jwt(3600));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let _ = stream.write_all(&answer);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    url
}

/// A server that answers a TLS greeting in plain HTTP; its address.
fn plain() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/t", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    url
}

#[test]
fn the_authority_of_ca_file_is_trusted_and_no_other() {
    let (ours, other) = (Authority::new(), Authority::new());
    let world = World::new();
    world.write("ca.pem", &ours.pem);
    world.write("other.pem", &other.pem);
    world.write("none.pem", "no certificate");
    let good = ours.server("127.0.0.1", false);
    world.run(&format!("url --url={good} --ca-file={{dir}}/ca.pem")).document();

    let named = ours.server("idp.example", false);
    let expired = ours.server("127.0.0.1", true);
    let plain = plain();
    let untrusted = "the certificate of 127.0.0.1 is not trusted: ";
    for (url, options, variables, status, message) in [
        (
            &good,
            "",
            &[][..],
            3,
            format!(
                "{untrusted}it was issued by an unknown authority; \
                 add --ca-file=PEM with the certificate of that authority"
            ),
        ),
        (
            &good,
            "--ca-file={dir}/other.pem",
            &[],
            3,
            format!(
                "{untrusted}it was issued by an unknown authority; \
                 add the certificate of that authority to {{dir}}/other.pem (--ca-file)"
            ),
        ),
        (
            &named,
            "--ca-file={dir}/ca.pem",
            &[],
            3,
            format!("{untrusted}it is for a different host name; check the host in --url"),
        ),
        (
            &expired,
            "--ca-file={dir}/ca.pem",
            &[],
            3,
            format!("{untrusted}it has expired; renew the certificate of 127.0.0.1, or correct this host's clock"),
        ),
        (
            &good,
            "--ca-file={dir}/none.pem",
            &[],
            3,
            "{dir}/none.pem (--ca-file) does not contain a certificate in PEM format; \
             add the certificate of the authority that issued the server's certificate"
                .to_owned(),
        ),
        (
            &plain,
            "--ca-file={dir}/ca.pem",
            &[],
            7,
            "the TLS handshake with 127.0.0.1 failed: received corrupt message of type \
             InvalidContentType; check the port in --url and the TLS settings of the server"
                .to_owned(),
        ),
        (
            &good,
            "",
            &[("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "{dir}/nowhere")],
            3,
            "this host has no usable certificate store: No CA certificates were loaded from the \
             system; install the certificate authorities of the platform (package ca-certificates), \
             or add --ca-file=PEM"
                .to_owned(),
        ),
    ] {
        let run = world.run_with(&format!("url --url={url} {options}"), variables);
        assert_eq!(run.stderr, world.fill(&message) + "\n");
        assert_eq!(run.status, status);
    }
}

/// On Linux the platform's trust store is what `SSL_CERT_FILE` names, where it is set.
#[cfg(target_os = "linux")]
#[test]
fn the_trust_store_of_the_platform_is_used() {
    let authority = Authority::new();
    let world = World::new();
    world.write("store.pem", &authority.pem);
    let url = authority.server("127.0.0.1", false);
    world.run_with(&format!("url --url={url}"), &[("SSL_CERT_FILE", "{dir}/store.pem")]).document();
}
