//! The source `aws`, a folder of `tests/aws` per scenario.
//!
//! | file | holds |
//! |---|---|
//! | `env` | variables, one a line; `AWS_REGION=eu-west-1` and a disabled EC2 are there by themselves |
//! | `args` | options, one a line, beside `--mode=caller-identity`; `no-audience` leaves that out |
//! | `home/` | the home |
//! | `http` | requests in their order, blocks apart by an empty line: `> ` the request line, then `> name: value` of a header (`~` for a part of it) and `>> ` the body; `< ` the status (or `hang`) and headers; the rest is the answer |
//! | `after/` | parts that a file of the home has to hold afterwards, one a line |
//! | `expect` | `found KEY [SESSION TOKEN]`, `jwt`, or a code and a message |

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::server::{Request, Server};
use common::{AUDIENCE, World, jwt, now};

/// What every secret in the scenarios begins with.
const SECRET: &str = "hunter2";

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.collect();
    folders.sort();
    assert!(folders.len() > 100, "{}", folders.len());
    let failed = Arc::new(Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for part in folders.chunks(folders.len().div_ceil(8)) {
            let failed = failed.clone();
            scope.spawn(move || {
                for folder in part {
                    if let Err(why) = scenario(folder) {
                        let name = folder.file_name().unwrap().display();
                        failed.lock().unwrap().push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.lock().unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

fn scenario(folder: &Path) -> Result<(), String> {
    let world = World::new();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let token = jwt(3600);
    let exchanges = exchanges(&read("http").replace("{jwt}", &token));
    let expected_requests = exchanges.len();
    let (server, mismatches) = serve(exchanges);
    let home = world.path("").display().to_string();
    let home = home.trim_end_matches('/');
    let fill = |text: &str| text.replace("{server}", &server.url).replace("{home}", home);
    copy(&folder.join("home"), &world.path(""), &fill);

    let env = fill(&read("env"));
    let mut variables = vec![("AWS_REGION", "eu-west-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    variables.extend(env.lines().filter_map(|line| line.split_once('=')));
    let mut args = vec!["aws".to_owned()];
    let given = fill(&read("args"));
    args.extend(given.lines().filter(|arg| *arg != "no-audience").map(str::to_owned));
    if !given.contains("no-audience") {
        args.push(format!("--audience={AUDIENCE}"));
    }
    if !given.contains("--mode") {
        args.push("--mode=caller-identity".to_owned());
    }
    args.push(format!("--log-file={home}/log"));
    let mut command = world.command("", &variables);
    let run = common::Run::new(command.args(args).output().unwrap());

    let log = fs::read_to_string(world.path("log")).unwrap_or_default();
    let leaks = |text: &str| text.contains(SECRET).then(|| format!("a secret in {text}"));
    if let Some(leak) = leaks(&log).or(leaks(&run.stderr)) {
        return Err(leak);
    }
    if let Some(mismatch) = mismatches.lock().unwrap().first() {
        return Err(mismatch.clone());
    }
    if server.count() != expected_requests {
        return Err(format!("{} requests of {expected_requests}: {run:?}", server.count()));
    }
    for (path, parts) in files_below(&folder.join("after")) {
        let found = fs::read_to_string(world.path(&path)).unwrap_or_default();
        if let Some(part) = parts.lines().find(|part| !found.contains(part)) {
            return Err(format!("{path} holds no {part}"));
        }
    }
    check(&fill(&read("expect")), &run, &token)
}

fn check(expect: &str, run: &common::Run, token: &str) -> Result<(), String> {
    let (first, message) = expect.trim_end().split_once('\n').unwrap_or((expect.trim_end(), ""));
    let outcome = match run.status {
        0 if run.token() == token => "jwt".to_owned(),
        0 => found(&run.token()),
        _ => {
            let skew = now() - 1_605_974_400;
            let message = message.replace("{skew}", &skew.to_string());
            let later = message.replace(&skew.to_string(), &(skew - 1).to_string());
            if run.stderr != message.clone() + "\n" && run.stderr != later + "\n" {
                return Err(format!("expected {message}\n  got {}", run.stderr));
            }
            let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            document["code"].as_str().unwrap().to_owned()
        }
    };
    match outcome == first {
        true => Ok(()),
        false => Err(format!("expected {first}, got {outcome}: {}", run.stderr)),
    }
}

/// The key and session token in a signed request.
fn found(token: &str) -> String {
    let text = percent_encoding::percent_decode_str(token).decode_utf8().unwrap().into_owned();
    let request: serde_json::Value = serde_json::from_str(&text).unwrap();
    let header = |name: &str| {
        let headers = request["headers"].as_array().unwrap().iter();
        let mut values = headers.filter(|h| h["key"] == name).map(|h| h["value"].as_str().unwrap());
        values.next().map(str::to_owned)
    };
    let authorization = header("Authorization").unwrap();
    let key = authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap();
    match header("x-amz-security-token") {
        Some(session) => format!("found {key} {session}"),
        None => format!("found {key}"),
    }
}

/// One request and its answer.
struct Exchange {
    line: String,
    headers: Vec<String>,
    body: Option<String>,
    answer: Option<Vec<u8>>,
}

fn exchanges(text: &str) -> Vec<Exchange> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(exchange).collect()
}

fn exchange(block: &str) -> Exchange {
    let (mut asked, mut answered, mut body, mut content) = (vec![], vec![], None, vec![]);
    for line in block.lines() {
        match line.split_once(' ') {
            Some((">>", text)) => body = Some(text.to_owned()),
            Some((">", text)) => asked.push(text.to_owned()),
            Some(("<", text)) => answered.push(text.to_owned()),
            _ => content.push(line),
        }
    }
    let content = content.join("\n");
    let answer = (answered[0] != "hang").then(|| {
        let headers: String = answered[1..].iter().map(|header| format!("{header}\r\n")).collect();
        let (status, length) = (&answered[0], content.len());
        format!(
            "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{content}"
        )
        .into_bytes()
    });
    Exchange { line: asked.remove(0), headers: asked, body, answer }
}

fn serve(exchanges: Vec<Exchange>) -> (Server, Arc<Mutex<Vec<String>>>) {
    let mismatches = Arc::new(Mutex::new(Vec::new()));
    let (left, seen) = (Mutex::new(exchanges.into_iter()), mismatches.clone());
    let server = Server::new(move |request| {
        let Some(exchange) = left.lock().unwrap().next() else {
            seen.lock().unwrap().push(format!("one request too many: {}", request.line));
            return Vec::new();
        };
        if let Err(why) = matches(&exchange, request) {
            seen.lock().unwrap().push(why);
        }
        exchange.answer.unwrap_or_else(|| {
            thread::sleep(Duration::from_secs(5));
            Vec::new()
        })
    });
    (server, mismatches)
}

fn matches(exchange: &Exchange, request: &Request) -> Result<(), String> {
    let line = format!("{} HTTP/1.1", exchange.line);
    if request.line != line {
        return Err(format!("expected {line}, got {}", request.line));
    }
    for header in &exchange.headers {
        let (name, part, fits): (_, _, fn(&str, &str) -> bool) = match header.split_once("~ ") {
            Some((name, part)) => (name, part, |found, part| found.contains(part)),
            None => {
                let (name, value) = header.split_once(": ").unwrap();
                (name, value, |found, value| found == value)
            }
        };
        if !request.header(name).is_some_and(|found| fits(found, part)) {
            return Err(format!("the header {name} is {:?}", request.header(name)));
        }
    }
    match &exchange.body {
        Some(body) if *body != request.body => Err(format!("the body is {}", request.body)),
        _ => Ok(()),
    }
}

/// The files below a folder by their path in it, with their content.
fn files_below(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => {
                let below = files_below(&entry.path());
                files
                    .extend(below.into_iter().map(|(path, text)| (format!("{name}/{path}"), text)));
            }
            false => files.push((name, fs::read_to_string(entry.path()).unwrap())),
        }
    }
    files
}

fn copy(from: &Path, to: &Path, fill: &dyn Fn(&str) -> String) {
    for (path, text) in files_below(from) {
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, fill(&text)).unwrap();
    }
}
