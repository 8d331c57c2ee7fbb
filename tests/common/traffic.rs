//! The loopback server of a scenario: the requests that the program must send, and the responses.
//!
//! `http` lists requests in order; each must be sent exactly once. `answers` lists requests in any
//! order; each must be sent at least once. The area's `defaults/answers` is optional: its requests may
//! be sent or not, and the scenario's `answers` override it. A request that is not the next one in
//! `http` is looked up in `answers`.
//!
//! Both files consist of blocks separated by an empty line:
//!
//! | line | contains |
//! |---|---|
//! | `> GET /path` | the request line; a trailing `*` matches any suffix; `> *4 GET /path` stands for four blocks |
//! | `> name: value` | a header; `> name~ part`: its value contains this; `> !name`: it is absent |
//! | `>> body` | the whole body; `>>~ part`: the body contains this |
//! | `< 200` | the status, or `hang` (no response for 5 s), or `raw` (the other lines are sent without a status or headers) |
//! | `< name: value` | a header of the response; `Content-Length` is added if it is not given |
//! | any other line | the body of the response |

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::placeholders::Placeholders;
use super::server::{Request, Server};

pub struct Traffic {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    in_order: VecDeque<Exchange>,
    in_any_order: Vec<Exchange>,
    mismatches: Vec<String>,
}

/// One request and its response. `needed` is true while the request must still be sent.
#[derive(Clone)]
struct Exchange {
    line: String,
    headers: Vec<String>,
    body: Vec<(bool, String)>,
    answer: Option<Vec<u8>>,
    needed: bool,
}

impl Traffic {
    pub fn new() -> Traffic {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = Server::new(move |request| {
            let answer = shared.lock().unwrap().answer(request);
            answer.unwrap_or_else(|| {
                thread::sleep(Duration::from_secs(5));
                Vec::new()
            })
        });
        Traffic { server, state }
    }

    /// Expects the requests in the texts of `http`, of `answers`, and of the area's `answers`.
    pub fn expect(&self, [http, answers, defaults]: [&str; 3], placeholders: &Placeholders) {
        let mut state = self.state();
        state.in_order.extend(exchanges(http, true, placeholders));
        state.in_any_order.extend(exchanges(answers, true, placeholders));
        state.in_any_order.extend(exchanges(defaults, false, placeholders));
    }

    /// The first request that was unexpected, different or missing.
    pub fn mismatch(&self) -> Option<String> {
        let state = self.state();
        let mut left = state.in_order.iter().chain(&state.in_any_order).filter(|one| one.needed);
        let missing = left.next().map(|one| format!("no request {}", one.line));
        state.mismatches.first().cloned().or(missing)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        let next = self.in_order.front().is_some_and(|next| next.has_line(request));
        let any = self.in_any_order.iter_mut().find(|one| one.matches(request).is_ok());
        match any {
            Some(exchange) if !next => {
                exchange.needed = false;
                exchange.answer.clone()
            }
            _ => self.next_answer(request),
        }
    }

    fn next_answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        let Some(exchange) = self.in_order.pop_front() else {
            self.mismatches.push(format!("an unexpected request: {request:#?}"));
            return Some(Vec::new());
        };
        self.mismatches.extend(exchange.matches(request).err());
        exchange.answer
    }
}

impl Exchange {
    fn has_line(&self, request: &Request) -> bool {
        let line = request.line.trim_end_matches(" HTTP/1.1");
        match self.line.strip_suffix('*') {
            Some(start) => line.starts_with(start),
            None => line == self.line,
        }
    }

    fn matches(&self, request: &Request) -> Result<(), String> {
        if !self.has_line(request) {
            return Err(format!("expected {}, got {}", self.line, request.line));
        }
        if let Some(header) = self.headers.iter().find(|header| !has_header(request, header)) {
            return Err(format!("the header {header} is missing in {request:#?}"));
        }
        let fits = |(whole, text): &(bool, String)| match whole {
            true => request.body == *text,
            false => request.body.contains(text),
        };
        match self.body.iter().all(fits) {
            true => Ok(()),
            false => Err(format!("the body of {} is {}", request.line, request.body)),
        }
    }
}

fn has_header(request: &Request, header: &str) -> bool {
    if let Some(name) = header.strip_prefix('!') {
        return request.header(name).is_none();
    }
    if let Some((name, part)) = header.split_once("~ ") {
        return request.header(name).is_some_and(|found| found.contains(part));
    }
    let (name, value) = header.split_once(':').unwrap();
    request.header(name) == Some(value.trim())
}

fn exchanges(text: &str, needed: bool, placeholders: &Placeholders) -> Vec<Exchange> {
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks.flat_map(|block| exchange(block, needed, placeholders)).collect()
}

fn exchange(block: &str, needed: bool, placeholders: &Placeholders) -> Vec<Exchange> {
    let (mut asked, mut answered, mut body, mut content) = (vec![], vec![], vec![], vec![]);
    for line in block.lines() {
        match line.split_once(' ') {
            Some((">>", text)) => body.push((true, placeholders.fill(text))),
            Some((">>~", text)) => body.push((false, placeholders.fill(text))),
            Some((">", text)) => asked.push(placeholders.fill(text)),
            Some(("<", text)) => answered.push(placeholders.fill(text)),
            _ => content.push(line),
        }
    }
    let answer = response(&answered, placeholders.bytes(&content.join("\n")));
    let line = asked.remove(0);
    let (times, line) = match line.strip_prefix('*').and_then(|line| line.split_once(' ')) {
        Some((times, line)) => (times.parse().unwrap(), line.to_owned()),
        None => (1, line),
    };
    vec![Exchange { line, headers: asked, body, answer, needed }; times]
}

fn response(answered: &[String], content: Vec<u8>) -> Option<Vec<u8>> {
    let (status, headers) = answered.split_first().expect("a block has a status, such as < 200");
    let mut head = format!("HTTP/1.1 {status} x\r\n");
    match status.as_str() {
        "hang" => return None,
        "raw" => return Some(content),
        _ => headers.iter().for_each(|header| head += &format!("{header}\r\n")),
    }
    if !head.to_ascii_lowercase().contains("\r\ncontent-length:") {
        head += &format!("Content-Length: {}\r\n", content.len());
    }
    head += "Connection: close\r\n\r\n";
    Some([head.into_bytes(), content].concat())
}
