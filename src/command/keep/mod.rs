//! `keep`: renews a token in a file until a signal stops it, for programs that read the file again at
//! each use.
//!
//! While the token in the file is valid, no failure ends the run: `keep` tries again after growing
//! random pauses and leaves the file unchanged. Without a valid token, it tries again only if the
//! server is unreachable, or if a file that it has written before cannot be written; every other
//! failure ends the run with its status, so that a user or a service manager can act.

mod due;
mod notify;
mod token;

use std::convert::Infallible;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use self::due::Due;
use self::notify::Notify;
use self::token::Token;
use super::serve::FOREVER;
use super::{After, CommandInfo, Invocation, id_token};
use crate::cache::Cached as _;
use crate::context::Context;
use crate::contract::document::Document;
use crate::contract::exit::{Exit, FailureForm, Output};
use crate::contract::found::Found;
use crate::error::{Error, Kind, one_line};
use crate::options::TextOrJson;
use crate::time::rfc3339;
use crate::world::{Clock, Deadline};
use crate::{files, program, show};

options! {
    /// Options of `keep`.
    #[allow(dead_code)] // --format is read as a Format
    struct Options {
        /// keep the token in this file up to date
        output_file: PathBuf = "--output-file=PATH",
        /// write only the token (default), or the document for clients that run executables
        format: Option<TextOrJson> = "--format",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "keep",
    also: &["renew", "refresh", "watch"],
    summary: "write the token to a file and renew it until stopped by a signal",
    options: &[Options::TABLE],
    after: After::Source,
    own_source: Some(&id_token::SOURCE),
    rest: None,
    example: "wif-token keep url --url=https://tokens.example.com/subject \\\n  --output-file=/run/my-app/subject-token",
    run,
};

/// The interval at which the file and the clock are checked.
const LOOK: Duration = Duration::from_secs(2);

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    invocation.exit.set_form(FailureForm::MESSAGE);
    cx.require_authorities()?;
    let token = Token::new(invocation, Options::read(&invocation.values)?.output_file, cx)?;
    let notify = Notify::new(&cx.env);
    let (exit, log, supervisor) = (invocation.exit.clone(), cx.log.clone(), notify.clone());
    program::on_stop(move || {
        log.line("stopped");
        supervisor.send("STOPPING=1");
        exit.end();
    })
    .map_err(|error| {
        Error::new(Kind::Configuration, "cannot install signal handlers")
            .cause(error)
            .fix(files::MORE_FILES)
    })?;
    let exit = &invocation.exit;
    let mut keeper =
        Keeper { token, held: None, failures: 0, status: Status::new(notify), exit, cx };
    match keeper.run() {
        Ok(never) => match never {},
        Err(error) => {
            keeper.status.notify.send(&format!("STATUS={}", one_line(&error.to_string())));
            Err(error)
        }
    }
}

/// A run of `keep`.
struct Keeper<'a> {
    token: Token<'a>,
    held: Option<Held>,
    /// How many attempts have failed since the last new token.
    failures: u32,
    status: Status,
    exit: &'a Exit,
    cx: &'a Context,
}

/// The token in the file.
struct Held {
    document: Document,
    /// When it expires, measured from its arrival: the clock may be set back.
    until: Deadline,
    /// The state of the file.
    state: String,
    /// Why the token is not in the file, if it could not be written again.
    unwritten: Option<String>,
}

impl Held {
    /// How long the token is valid; zero if it has expired.
    fn valid(&self) -> Duration {
        seconds(self.document.valid_until() - Clock.now()).min(self.until.until_end())
    }
}

impl Keeper<'_> {
    fn run(&mut self) -> Result<Infallible, Error> {
        loop {
            let mut due = self.within_timeout(Self::attempt)?;
            loop {
                match due.wait() {
                    Duration::ZERO => break,
                    wait => thread::sleep(wait.min(LOOK)),
                }
                self.status.send();
                due = self.within_timeout(|keeper, _| keeper.look()).unwrap_or(due);
            }
        }
    }

    /// Fetches a token, and returns when the next attempt is due.
    ///
    /// # Errors
    /// Failures that end the run.
    fn attempt(&mut self, deadline: Deadline) -> Result<Due, Error> {
        files::forget_seen();
        match self.token.get(self.held.is_none(), deadline, self.cx) {
            Ok(document) => Ok(match self.hold(document) {
                true => self.renewed(),
                false => self.again("the source returned the same token"),
            }),
            Err(error) if self.is_survived(&error) => Ok(self.again(&error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn is_survived(&self, error: &Error) -> bool {
        let is_outage =
            error.kind() == Kind::Unreachable || (error.is_unwritten() && self.held.is_some());
        is_outage || !self.valid().is_zero()
    }

    /// Calls `act`, and ends the process if this takes longer than `--timeout`, for example because
    /// the file system of the file does not respond.
    fn within_timeout<T>(&mut self, act: impl FnOnce(&mut Self, Deadline) -> T) -> T {
        let deadline = Deadline::after(self.token.timeout());
        self.exit.at_deadline(deadline);
        let result = act(self, deadline);
        self.exit.at_deadline(Deadline::after(FOREVER));
        result
    }

    /// How long the token in the file is valid.
    fn valid(&self) -> Duration {
        self.held.as_ref().map_or(Duration::ZERO, Held::valid)
    }

    /// Remembers what the file contains, and returns whether the token has changed. A known token keeps its
    /// earlier expiry.
    fn hold(&mut self, document: Document) -> bool {
        let until = Deadline::after(seconds(document.valid_until() - Clock.now()));
        let is_same = |held: &&Held| held.document.token.expose() == document.token.expose();
        let old = self.held.as_ref().filter(is_same).map(|held| held.until);
        let until = old.map_or(until, |old| old.min(until));
        let state = self.state();
        self.held = Some(Held { document, until, state, unwritten: None });
        old.is_none()
    }

    fn state(&self) -> String {
        self.token.destination().file().map_or_else(String::new, |file| files::state(file.path()))
    }

    /// The file, for messages.
    fn shown(&self) -> String {
        self.token.destination().file().map_or_else(String::new, |file| show::path(file.path()))
    }

    fn renewed(&mut self) -> Due {
        self.failures = 0;
        let Some(held) = &self.held else { return Due::renewal(Duration::ZERO) };
        let due = Due::renewal(seconds(held.document.expiration_time - Clock.now()));
        let (until, next) = (rfc3339(held.document.valid_until()), rfc3339(due.at_ms / 1000));
        self.event(&format!(
            "the token in {} expires at {until}, and is renewed at {next}",
            self.shown()
        ));
        due
    }

    fn again(&mut self, why: &str) -> Due {
        self.failures = self.failures.saturating_add(1);
        let due = Due::retry(self.failures, self.valid());
        self.event(&format!("no new token, next attempt at {}: {why}", rfc3339(due.at_ms / 1000)));
        due
    }

    /// Checks the file, and writes the token again if it was removed or damaged. If another run has
    /// written a new token, returns when to renew that token.
    fn look(&mut self) -> Option<Due> {
        let _waiting = self.token.destination().file().map(|file| files::Waiting::new(file.path()));
        let (state, shown) = (self.state(), self.shown());
        let is_looked_at = |held: &&mut Held| held.state != state || held.unwritten.is_some();
        let held = self.held.as_mut().filter(is_looked_at)?;
        held.state = state;
        let unwritten = held.unwritten.take();
        let destination = self.token.destination();
        match destination.find(&held.document, self.cx) {
            Found::Own => {}
            Found::Other(document) => {
                self.hold(document);
                self.event(&format!("another run has renewed {shown}"));
                return Some(self.renewed());
            }
            Found::Foreign => self.event(&format!(
                "{shown} contains a token from another run; give each run its own --output-file"
            )),
            Found::Nothing if held.valid().is_zero() => {}
            Found::Nothing => self.write_again(unwritten.as_deref()),
        }
        None
    }

    /// Writes the token to the file again. If this fails, each further check of the file tries
    /// again. A failure with the message `last` is not reported again.
    fn write_again(&mut self, last: Option<&str>) {
        let (shown, destination) = (self.shown(), self.token.destination());
        let Some(held) = &mut self.held else { return };
        let written = destination.store(&held.document, self.cx);
        held.unwritten = written.err().map(|error| error.to_string());
        let event = match &held.unwritten {
            None => format!("{shown} was removed or damaged, and has been written again"),
            Some(why) => format!("{shown} was removed or damaged: {why}"),
        };
        let is_known = last.is_some() && last == held.unwritten.as_deref();
        let state = self.state();
        self.held.iter_mut().for_each(|held| held.state.clone_from(&state));
        if !is_known {
            self.event(&event);
        }
    }

    /// Reports an event to the log and to the service manager.
    fn event(&mut self, text: &str) {
        self.cx.log.line(text);
        let ready = if self.held.is_some() { "READY=1\n" } else { "" };
        self.status.unsent = Some(format!("{ready}STATUS={}", one_line(text)));
        self.status.send();
    }
}

/// What the service manager is told.
struct Status {
    notify: Notify,
    /// The message that could not be sent without waiting.
    unsent: Option<String>,
}

impl Status {
    fn new(notify: Notify) -> Status {
        Status { notify, unsent: None }
    }

    fn send(&mut self) {
        self.unsent = self.unsent.take().filter(|text| !self.notify.send(text));
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(0).unsigned_abs())
}
