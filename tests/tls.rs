//! TLS with a loopback server: which certificates are trusted, and the messages for the others.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use common::server::json;
use common::{SECRETS, World, holds_no_secret, jwt};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority and servers with certificates that it issued.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// An authority with a new key. Authorities of the same name differ only in their keys.
    fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Starts a server that returns one token to every client. Returns its URL, with an IP address and port.
    fn server(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(&[&certificate], &key, json(&jwt(3600)))
    }

    /// Starts a server with a valid certificate from an intermediate authority that has expired.
    fn server_of_expired_authority(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "between");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let between = params.signed_by(&key, &self.issuer).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        serve(&[&certificate, &between], &key, json(&jwt(3600)))
    }

    /// Starts a server with a valid certificate for its address.
    fn good_server(&self) -> String {
        self.server(&["127.0.0.1"], |_| ())
    }
}

/// Starts a server that uses the certificate of an authority, and returns its URL and this
/// certificate.
fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    (serve(&[&certificate], &key, json(&jwt(3600))), certificate.pem())
}

/// Starts a server with this certificate chain and this key, which may not match. The server sends
/// one response to every client.
fn serve(chain: &[&Certificate], key: &KeyPair, answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/t", listener.local_addr().unwrap());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = any_supported_type(&key).unwrap();
    let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
    let pair = CertifiedKey::new(chain, key);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    let config = Arc::new(config);
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

/// Starts a server that responds to a TLS handshake with plain HTTP. Returns its address.
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
fn only_the_authority_in_ca_file_is_trusted() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let world = World::new();
    world.write("ca.pem", &ours.pem);
    world.write("other.pem", &other.pem);
    world.write("none.pem", "no certificate");
    let good = ours.good_server();
    world.run(&format!("url --url={good} --ca-file={{dir}}/ca.pem")).document();

    let plain = plain();
    let no_store = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "{dir}/nowhere")];
    let mut shown = String::new();
    for (what, url, options, variables) in [
        ("the platform's authorities", &good, "", &[][..]),
        ("another authority", &good, "--ca-file={dir}/other.pem", &[]),
        ("a file without certificates", &good, "--ca-file={dir}/none.pem", &[]),
        ("a server without TLS", &plain, "--ca-file={dir}/ca.pem", &[]),
        ("a platform without authorities", &good, "", &no_store[..]),
    ] {
        let run = world.run_with(&format!("url --url={url} {options}"), variables);
        let message = run.stderr.replace(&world.fill("{dir}"), "{dir}");
        shown += &format!("# {what}\nexit {}: {message}", run.status);
    }
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/tls.txt");
    common::snapshot::check(&snapshot, &shown).unwrap();
}

#[test]
fn a_fault_in_a_certificate_is_named_with_a_fix() {
    let (ours, replaced) = (Authority::new("ours"), Authority::new("ours"));
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, "127.0.0.1");
    let world = World::new();
    world.write("ca.pem", &ours.pem);

    let mut shown = String::new();
    for (what, url) in [
        ("another host", ours.server(&["idp.example", "*.idp.example", "10.0.0.1"], |_| ())),
        ("a name that no host has", ours.server(&["hunter2 &%"], |_| ())),
        ("a common name alone", ours.server(&[], |params| params.distinguished_name = names)),
        (
            "expired",
            ours.server(&["127.0.0.1"], |params| {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            }),
        ),
        (
            "not valid yet",
            ours.server(&["127.0.0.1"], |params| {
                params.not_before = date_time_ymd(4000, 1, 1);
            }),
        ),
        (
            "for clients",
            ours.server(&["127.0.0.1"], |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
        ),
        (
            "an unknown critical extension",
            ours.server(&["127.0.0.1"], |params| {
                let mut extension = CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![5, 0]);
                extension.set_criticality(true);
                params.custom_extensions.push(extension);
            }),
        ),
        ("an authority that has expired", ours.server_of_expired_authority()),
        ("an authority with a new key", replaced.good_server()),
        ("an authority with a long name", Authority::new(&"hunter <&%> ".repeat(9)).good_server()),
        ("an authority as a server", self_signed("127.0.0.1", |_| ()).0),
    ] {
        let run = world.run(&format!("url --url={url} --ca-file={{dir}}/ca.pem"));
        let message = run.stderr.replace(&world.fill("{dir}"), "{dir}");
        shown += &format!("# {what}\nexit {}: {message}", run.status);
    }
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/certificates.txt");
    common::snapshot::check(&snapshot, &shown).unwrap();
}

#[test]
fn an_authority_that_is_the_server_is_trusted_if_the_file_contains_exactly_this_certificate() {
    let world = World::new();
    let run = |(url, pem): (String, &str)| {
        world.write("ca.pem", pem);
        world.run(&format!("url --url={url} --ca-file={{dir}}/ca.pem"))
    };
    let (url, pem) = self_signed("127.0.0.1", |_| ());
    run((url.clone(), &pem)).document();
    let fails = |server: (String, &str), why: &str| {
        let stderr = run(server).stderr;
        assert!(stderr.contains(&format!("is not trusted: {why}")), "{stderr}");
    };
    fails(
        (url, &self_signed("127.0.0.1", |_| ()).1),
        "it is the certificate of an authority (CA:TRUE), not of a server",
    );
    let (url, pem) = self_signed("idp.example", |_| ());
    fails((url, &pem), "it is for a different host name (idp.example)");
    let (url, pem) =
        self_signed("127.0.0.1", |params| params.not_after = date_time_ymd(2021, 1, 1));
    fails((url, &pem), "it has expired");
}

/// On Linux, the platform's trust store is the file in `SSL_CERT_FILE`, if that is set.
#[cfg(target_os = "linux")]
#[test]
fn the_trust_store_of_the_platform_is_used() {
    let authority = Authority::new("platform");
    let world = World::new();
    world.write("store.pem", &authority.pem);
    let url = authority.good_server();
    world.run_with(&format!("url --url={url}"), &[("SSL_CERT_FILE", "{dir}/store.pem")]).document();
}

#[test]
fn service_fabric_is_identified_by_the_hash_of_its_certificate_and_by_its_key() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(vec!["node.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let certificate = params.self_signed(&key).unwrap();
    let impostor = params.self_signed(&other).unwrap();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let token = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, jwt(3600));
    let world = World::new();
    let run = |certificate: &Certificate, key: &KeyPair| {
        let url = serve(&[certificate], key, json(&token));
        let variables = [
            ("IDENTITY_ENDPOINT", url.as_str()),
            ("IDENTITY_HEADER", SECRETS[0]),
            ("IDENTITY_SERVER_THUMBPRINT", hash.as_str()),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1"),
        ];
        world.run_with("azure --resource=api://wif --log-file={dir}/log", &variables)
    };
    run(&certificate, &key).document();
    let wrong = run(&impostor, &other);
    assert_eq!(
        wrong.stderr.trim_end(),
        "the certificate of 127.0.0.1 is not trusted: its SHA-1 hash is not the one in \
         IDENTITY_SERVER_THUMBPRINT; check IDENTITY_ENDPOINT and IDENTITY_SERVER_THUMBPRINT, and restart \
         the application"
    );
    let stolen = run(&certificate, &other);
    assert!(
        stolen.stderr.contains("did not prove that it has the private key"),
        "{}",
        stolen.stderr
    );
    holds_no_secret(&world.read("log"));
}
