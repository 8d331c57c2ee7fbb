//! A certificate as the subject token: the client sends it to both services of Google on loopback,
//! which require a certificate. The certificate files are replaced during and between runs.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::server::json;
use common::{AUDIENCE, Run, World};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const ACCOUNT: &str = "app@example-project.iam.gserviceaccount.com";

/// An authority, and certificates that it issued.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key in PEM.
struct Pair {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let der = certificate.der().to_vec();
        Pair { certificate: certificate.pem(), key: key.serialize_pem(), der }
    }

    fn client(&self) -> Pair {
        self.issue("vm-7", ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// One request to Google: its head and body, and the certificate that the client sent.
#[derive(Clone)]
struct Seen {
    text: String,
    certificate: Vec<u8>,
}

impl Seen {
    /// The certificates in the subject token.
    fn subject_token(&self) -> Vec<Vec<u8>> {
        let token = self.text.split("subject_token=").nth(1).unwrap().split('&').next().unwrap();
        let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap();
        let certificates: Vec<String> = serde_json::from_str(&token).unwrap();
        certificates.iter().map(|text| STANDARD.decode(text).unwrap()).collect()
    }
}

/// Google on loopback, which requires a certificate of the authority.
struct Google {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// An action that runs before the first request is answered.
    event: Arc<Mutex<Option<Event>>>,
}

type Event = Box<dyn FnOnce() + Send>;

impl Google {
    fn new(authority: &Authority) -> Google {
        let own = authority.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority_der(&authority.pem)).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let key = pem_der(&own.key);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![own.der.into()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let event: Arc<Mutex<Option<Event>>> = Arc::default();
        let (config, shared, happens) = (Arc::new(config), seen.clone(), event.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                answer(&mut stream, &shared, &happens);
            }
        });
        Google { url, seen, event }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(
    stream: &mut StreamOwned<ServerConnection, std::net::TcpStream>,
    seen: &Mutex<Vec<Seen>>,
    event: &Mutex<Option<Event>>,
) {
    let mut text = String::new();
    while !is_complete(&text) {
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(length @ 1..) => text += &String::from_utf8_lossy(&part[..length]),
            _ => return,
        }
    }
    let certificates = stream.conn.peer_certificates().unwrap();
    let certificate = certificates[0].to_vec();
    if let Some(event) = event.lock().unwrap().take() {
        event();
    }
    let body = match text.contains("generateAccessToken") {
        true => {
            r#"{"accessToken":"hunter2-bearer-of-the-account","expireTime":"2999-01-01T00:00:00Z"}"#
        }
        false => r#"{"access_token":"hunter2-bearer-of-the-pool","expires_in":3599}"#,
    };
    seen.lock().unwrap().push(Seen { text, certificate });
    let _ = stream.write_all(&json(body));
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn is_complete(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn pem_der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn authority_der(pem: &str) -> rustls::pki_types::CertificateDer<'static> {
    pem_der(pem).into()
}

/// Creates a folder with a configuration for this certificate.
fn world(google: &Google, authority: &Authority, pair: &Pair) -> World {
    let (world, url) = (World::new(), &google.url);
    world.write("ca.pem", &authority.pem);
    put(&world, pair);
    let paths = r#"{"cert_configs":{"workload":{"cert_path":"{dir}/cert.pem","key_path":"{dir}/key.pem"}}}"#;
    world.write("certificates.json", world.fill(paths));
    let account = format!("{url}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
    let config = serde_json::json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:mtls",
        "token_url": format!("{url}/v1/token"),
        "service_account_impersonation_url": account,
        "credential_source": {
            "certificate": {"certificate_config_location": world.fill("{dir}/certificates.json")}
        },
    });
    world.write("c.json", config.to_string());
    world
}

fn put(world: &World, pair: &Pair) {
    replace(world.write("cert.new", &pair.certificate), "cert.pem");
    replace(world.write("key.new", &pair.key), "key.pem");
}

/// Replaces a file atomically.
fn replace(new: PathBuf, name: &str) {
    fs::rename(&new, new.with_file_name(name)).unwrap();
}

fn run(world: &World, options: &str) -> Run {
    let line = format!("access-token --ca-file={{dir}}/ca.pem --log-file={{dir}}/log {options}");
    let variables =
        [("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/c.json"), ("XDG_CACHE_HOME", "{dir}/cache")];
    world.run_with(&line, &variables)
}

#[test]
fn the_same_certificate_is_sent_to_both_services() {
    let authority = Authority::new("Example CA");
    let (google, pair) = (Google::new(&authority), authority.client());
    let world = world(&google, &authority, &pair);
    let first = run(&world, "");
    assert_eq!((first.status, first.stdout.as_str()), (0, "hunter2-bearer-of-the-account"));
    let seen = google.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.certificate == pair.der));
    assert_eq!(seen[0].subject_token(), [pair.der]);
    assert!(seen[1].text.contains("authorization: Bearer hunter2-bearer-of-the-pool"));

    // The next run uses the cached token, until the certificate is replaced.
    assert_eq!(run(&world, "").status, 0);
    assert_eq!(google.seen().len(), 2);
    let renewed = authority.client();
    put(&world, &renewed);
    assert_eq!(run(&world, "").status, 0);
    let seen = google.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[2..].iter().all(|request| request.certificate == renewed.der));
}

#[test]
fn a_run_uses_one_certificate_while_the_files_are_replaced() {
    let authority = Authority::new("Example CA");
    let (google, old, new) = (Google::new(&authority), authority.client(), authority.client());
    let world = Arc::new(world(&google, &authority, &old));
    let shared = world.clone();
    *google.event.lock().unwrap() = Some(Box::new(move || put(&shared, &new)));
    assert_eq!(run(&world, "").status, 0);
    let seen = google.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.certificate == old.der));
    // Its token is not used for the new certificate.
    assert_eq!(run(&world, "").status, 0);
    assert_eq!(google.seen().len(), 4);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let authority = Authority::new("Example CA");
    let google = Google::new(&authority);
    let world = world(&google, &authority, &Authority::new("Another CA").client());
    let refused = run(&world, "");
    assert_eq!(refused.status, 5, "{refused:?}");
    let message = refused.stderr.replace(&world.fill("{dir}"), "{dir}");
    assert!(message.contains("requires a valid client certificate"), "{message}");
    assert!(
        message.contains("check cert_path and key_path in {dir}/certificates.json"),
        "{message}"
    );
    assert!(google.seen().is_empty());
}

#[test]
fn the_way_to_present_a_certificate_is_named() {
    let authority = Authority::new("Example CA");
    let google = Google::new(&authority);
    let world = world(&google, &authority, &authority.client());
    for (options, fix) in [
        ("oidc --client-id=app --issuer=", "set --client-cert and --client-key"),
        (
            "oidc --client-id=app --client-secret=env:S --issuer=",
            "replace --client-secret with --client-cert and --client-key",
        ),
        ("url --url=", "set --url to a server that does not require a client certificate"),
    ] {
        let refused = world.run_with(
            &format!("{options}{}/ --ca-file={{dir}}/ca.pem", google.url),
            &[("S", "hunter2")],
        );
        assert_eq!(refused.status, 5, "{refused:?}");
        assert!(refused.stderr.contains("requires a valid client certificate"), "{refused:?}");
        assert!(refused.stderr.trim_end().ends_with(fix), "{refused:?}");
    }
}

#[test]
fn files_that_are_being_replaced_are_read_again() {
    let authority = Authority::new("Example CA");
    let (google, old, new) = (Google::new(&authority), authority.client(), authority.client());
    let world = world(&google, &authority, &old);
    replace(world.write("cert.new", &new.certificate), "cert.pem");
    thread::scope(|scope| {
        let running = scope.spawn(|| run(&world, ""));
        let deadline = Instant::now() + Duration::from_secs(10);
        let is_waiting = || {
            let log = fs::read_to_string(world.path("log")).unwrap_or_default();
            log.contains("the key does not belong to the certificate yet")
        };
        while !is_waiting() {
            assert!(Instant::now() < deadline, "the run does not wait for the key");
            thread::sleep(Duration::from_millis(20));
        }
        replace(world.write("key.new", &new.key), "key.pem");
        let run = running.join().unwrap();
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    });
    let seen = google.seen();
    assert!(seen.iter().all(|request| request.certificate == new.der));
    assert_eq!(seen[0].subject_token(), [new.der]);
}

#[test]
fn a_key_that_never_matches_fails_after_five_seconds() {
    let authority = Authority::new("Example CA");
    let (google, pair) = (Google::new(&authority), authority.client());
    let world = world(&google, &authority, &pair);
    world.write("key.pem", authority.client().key);
    let start = Instant::now();
    let run = run(&world, "");
    let waited = start.elapsed();
    assert_eq!(run.status, 3, "{run:?}");
    assert!(run.stderr.contains("does not belong to the certificate"), "{run:?}");
    assert!((5..8).contains(&waited.as_secs()), "{waited:?}");
    assert!(google.seen().is_empty());
}

#[cfg(unix)]
#[test]
fn check_warns_about_a_link_that_node_refuses() {
    let authority = Authority::new("Example CA");
    let google = Google::new(&authority);
    let world = world(&google, &authority, &authority.client());
    fs::rename(world.path("certificates.json"), world.path("real.json")).unwrap();
    std::os::unix::fs::symlink(world.path("real.json"), world.path("certificates.json")).unwrap();
    let report = world.run("check --offline --credentials={dir}/c.json").stdout;
    assert!(
        report.contains("certificates.json is a symbolic link, which Node refuses"),
        "{report}"
    );
}
