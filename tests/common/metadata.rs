//! A running `serve`, a stand-in for Google whose behaviour can change, and a client that sends bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::google::{FEDERATED, IMPERSONATED, configure, method};
use super::server::{Server, json, response};
use super::{World, holds_no_secret, jwt};

pub const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// The variable that allows a configuration to run a program.
pub const ALLOW: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// How Google responds.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// The lifetime of an access token, in seconds.
    pub life: i64,
    /// The status with which an exchange fails.
    pub failure: Option<&'static str>,
    /// How long an exchange takes.
    pub delay: Duration,
}

pub struct Google {
    pub server: Server,
    pub behaviour: Arc<Mutex<Behaviour>>,
}

impl Google {
    pub fn new() -> Google {
        let first = Behaviour { life: 3599, failure: None, delay: Duration::ZERO };
        let behaviour = Arc::new(Mutex::new(first));
        let current = behaviour.clone();
        let server = Server::new(move |request| {
            let behaviour = current.lock().unwrap().clone();
            thread::sleep(behaviour.delay);
            if let Some(status) = behaviour.failure {
                let body = r#"{"error":"invalid_grant","error_description":"no"}"#;
                return response(status, "application/json", body);
            }
            let life = behaviour.life;
            let body = match method(request) {
                "token" => format!(r#"{{"access_token":"{FEDERATED}","expires_in":{life}}}"#),
                "generateAccessToken" => format!(
                    r#"{{"accessToken":"{IMPERSONATED}","expireTime":"2999-01-01T00:00:00Z"}}"#
                ),
                "generateIdToken" => format!(r#"{{"token":"{}"}}"#, jwt(3600)),
                _ => return response("404 Not Found", "text/plain", ""),
            };
            json(&body)
        });
        Google { server, behaviour }
    }

    pub fn set(&self, change: impl Fn(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// Creates a folder with a configuration for this server, with or without a service account.
    pub fn world(&self, has_account: bool) -> World {
        let world = World::new();
        world.write("t", jwt(3600));
        configure(&world, &self.server, |config| {
            if !has_account {
                config.as_object_mut().unwrap().remove("service_account_impersonation_url");
            }
        });
        world
    }

    /// The number of times that this method was called.
    pub fn calls(&self, name: &str) -> usize {
        self.server.requests().iter().filter(|request| method(request) == name).count()
    }
}

/// Changes the configuration, so that this shell script, which runs in the folder, prints the subject
/// token.
pub fn runs_program(world: &World, script: &str) {
    world.write("program", world.fill(&format!("cd {{dir}}\n{script}\n")));
    let mut config: serde_json::Value = serde_json::from_str(&world.read("c.json")).unwrap();
    let line = format!("{} command -- /bin/sh {{dir}}/program", env!("CARGO_BIN_EXE_wif-token"));
    config["credential_source"] =
        serde_json::json!({"executable": {"command": world.fill(&line), "timeout_millis": 5000}});
    world.write("c.json", config.to_string());
}

/// A running `serve` on a free port or, with `--listen=unix:`, at a path.
pub struct Serving<'a> {
    pub child: Child,
    pub address: String,
    world: &'a World,
}

impl<'a> Serving<'a> {
    pub fn start(world: &'a World, options: &str) -> Serving<'a> {
        Serving::start_with(world, options, |_| {})
    }

    pub fn start_with(
        world: &'a World,
        options: &str,
        change: impl Fn(&mut Command),
    ) -> Serving<'a> {
        let listen = if options.contains("--listen") { "" } else { "--listen=127.0.0.1:0" };
        let line =
            format!("serve {listen} --credentials={{dir}}/c.json --log-file={{dir}}/log {options}");
        let mut command = world.command(&line, &[("TOKEN", "hunter2-bearer-of-url")]);
        change(&mut command);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut serving = Serving { child, address: String::new(), world };
        serving.address = serving.ready();
        serving
    }

    fn ready(&mut self) -> String {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            let log = std::fs::read_to_string(self.world.path("log")).unwrap_or_default();
            if let Some((_, rest)) = log.split_once("the metadata server is ready") {
                let line = rest.split_inclusive('\n').next().unwrap_or_default();
                if line.ends_with('\n') {
                    return line.trim().trim_start_matches("at ").to_owned();
                }
            }
            assert_eq!(self.child.try_wait().unwrap(), None, "serve has ended: {log}");
            thread::sleep(Duration::from_millis(5));
        }
        panic!("serve is not ready");
    }

    pub fn get(&self, path: &str) -> Response {
        self.ask("GET", path, "Metadata-Flavor: Google\r\n", "")
    }

    /// Sends a request with `Host`, these headers and this body.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let host = format!("Host: {}\r\n", self.address);
        self.send(&format!("{method} {path} HTTP/1.1\r\n{host}{headers}\r\n{body}"))
    }

    pub fn send(&self, text: &str) -> Response {
        let mut client = Client::connect(&self.address);
        client.send(text);
        client.response(text.starts_with("HEAD")).expect("a response")
    }

    /// Stops the server as a service manager does.
    pub fn end(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for the server to exit. The server must print nothing, and its log must contain no
    /// secret.
    pub fn wait(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
        let log = self.world.read("log");
        holds_no_secret(&log);
        assert!(!log.contains("hunter2"), "{log}");
        status
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The CPU time that the server has used, in clock ticks.
    #[cfg(target_os = "linux")]
    pub fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The number of times that the threads of the server have stopped to wait.
    #[cfg(target_os = "linux")]
    pub fn switches(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_task = |path: std::path::PathBuf| {
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"));
            line.unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        tasks.map(|task| of_task(task.unwrap().path())).sum()
    }

    /// The resident memory of the server, in KiB.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

trait Stream: Read + Write + Send {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

/// A connection.
pub struct Client(BufReader<Box<dyn Stream>>);

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!((self.status, self.header("Content-Type")), (200, Some("application/json")));
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Client {
    /// Connects to a `HOST:PORT`, or to the path of a socket.
    pub fn connect(address: &str) -> Client {
        let limit = Some(Duration::from_secs(20));
        if address.starts_with('/') {
            let stream = UnixStream::connect(address).unwrap();
            stream.set_read_timeout(limit).unwrap();
            return Client(BufReader::new(Box::new(stream)));
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(limit).unwrap();
        Client(BufReader::new(Box::new(stream)))
    }

    pub fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The next response; `None` if the server closes the connection instead.
    pub fn response(&mut self, is_head: bool) -> Option<Response> {
        let mut line = String::new();
        if matches!(self.0.read_line(&mut line), Ok(0) | Err(_)) {
            return None;
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => break,
            }
        }
        let mut response = Response { status, headers, body: String::new() };
        if status == 100 {
            return Some(response);
        }
        let length = response.header("Content-Length").unwrap().parse().unwrap();
        let mut body = vec![0; if is_head { 0 } else { length }];
        self.0.read_exact(&mut body).unwrap();
        response.body = String::from_utf8(body).unwrap();
        Some(response)
    }

    /// Whether the server closes the connection within `limit`.
    pub fn is_closed_after(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        let is_closed = matches!(self.0.read(&mut [0]), Ok(0));
        is_closed && start.elapsed() < limit
    }
}
