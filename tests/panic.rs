//! A panic becomes an `INTERNAL` failure, without a signal or a backtrace. A panic in a metadata
//! server fails only one request.
//!
//! This file is its own test harness, because the process that panics must be the only one that
//! uses standard output.

use std::process::{Command, ExitCode};

use wif_token::contract::exit::{Exit, FailureForm};
use wif_token::options::{Format, Options};
use wif_token::world::Deadline;

/// The line of the panic, and a function that panics with a secret as its text.
const PANIC: (u32, fn()) = (line!(), || panic!("hunter2-in-a-panic"));

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panics(false),
        Some("panic-exit-zero") => panics(true),
        #[cfg(unix)]
        Some("panic-in-server") => server::panics(),
        Some("--list") => println!("panic: test"),
        _ => test(),
    }
    ExitCode::SUCCESS
}

fn panics(exit_zero: bool) {
    let form = FailureForm::new(Format::Json, exit_zero);
    Exit::new(form, Deadline::after(Options::TIMEOUT)).on_panic();
    PANIC.1();
}

fn test() {
    let run = |mode: &str| {
        let program = std::env::current_exe().expect("this program");
        Command::new(program).arg(mode).env("RUST_BACKTRACE", "1").output().expect("a run")
    };
    let line = PANIC.0;
    let message = format!(
        "wif-token has a bug at tests/panic.rs:{line}:41; report this bug: include this message, the command line without secrets, and the output of wif-token --version"
    );
    let document = format!(
        r#"{{"version":1,"success":false,"token_type":"urn:ietf:params:oauth:token-type:jwt","code":"INTERNAL","message":"{message}"}}"#
    );
    for (mode, status, stderr) in
        [("panic", 9, format!("{message}\n")), ("panic-exit-zero", 0, String::new())]
    {
        let output = run(mode);
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{document}\n"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
        assert_eq!(output.status.code(), Some(status));
    }
    #[cfg(unix)]
    {
        let output = run("panic-in-server");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let failures = format!("503 {message}\n").repeat(server::PANICS - 1);
        assert_eq!(stdout, format!("503 {message}\n200 hunter2-token\n{failures}INTERNAL\n"));
    }
    println!("test panic ... ok");
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

#[cfg(unix)]
mod server {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use wif_token::contract::exit::{Exit, FailureForm};
    use wif_token::google::access_token::AccessToken;
    use wif_token::lock;
    use wif_token::secret::Secret;
    use wif_token::server::{AllowedUsers, Identity, Listener, Server, Settings, Waker, Wanted};
    use wif_token::world::{Clock, Deadline, Env, Log, World};

    use super::PANIC;

    /// The number of panics after which the server ends.
    pub(super) const PANICS: usize = 16;

    /// Sends requests to a server whose fetches, except one, panic while they hold a lock, and
    /// prints the responses.
    pub(super) fn panics() {
        Exit::new(FailureForm::MESSAGE, Deadline::after(Duration::from_secs(60))).on_panic();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let fetch = move |wanted: &Wanted, _: bool| {
            let deadline = Deadline::after(Duration::from_secs(30));
            let log = Log::open(None, Clock);
            let world = World { env: Env::Process, clock: Clock, deadline, log };
            let lock = lock::beside(&path, Duration::ZERO, &world)?.expect("a lock");
            assert!(!lock.waited, "a thread that panicked holds the lock");
            if *wanted != Wanted::Identity("1".to_owned(), false) {
                PANIC.1();
            }
            let text = Secret::new("hunter2-token".to_owned());
            Ok(AccessToken { text, expiry: Clock.now() + 3600, issued: Clock.now(), member: None })
        };
        let identity = Identity {
            email: "default".to_owned(),
            project: None,
            project_number: None,
            universe: "googleapis.com".to_owned(),
            scopes: Vec::new(),
        };
        let settings = Settings {
            identity,
            fetch: Arc::new(fetch),
            secret: None,
            users: AllowedUsers::new(&[]).expect("users"),
            timeout: Duration::from_secs(30),
            log: Log::open(None, Clock),
        };
        let listener = Listener::anywhere().expect("a listener");
        let address = listener.address().expect("an address");
        let (ended, _end) = Waker::new().expect("a waker");
        let server = Server::new(settings, listener, ended).expect("a server");
        let server = thread::spawn(|| server.run());
        for audience in 0..=PANICS {
            let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
            let mut client = TcpStream::connect(address).expect("a connection");
            let headers = "Metadata-Flavor: Google\r\nConnection: close";
            write!(
                client,
                "GET {path}?audience={audience} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n\r\n"
            )
            .expect("a request");
            let mut response = String::new();
            client.read_to_string(&mut response).expect("a response");
            let (head, body) = response.split_once("\r\n\r\n").expect("a head");
            println!("{} {}", head.split(' ').nth(1).unwrap_or_default(), body.trim_end());
        }
        println!("{}", server.join().expect("no panic").expect_err("the end").kind().code());
    }
}
