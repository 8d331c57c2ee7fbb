//! The credential provider of cargo: access tokens for Cargo registries in Artifact Registry.
//!
//! Cargo starts the provider with the single argument `--cargo-plugin`. The provider first prints
//! the protocol versions that it supports. Each request is one line with a JSON object, and so is
//! each response, until standard input ends. The remaining arguments in `credential-provider =
//! ["wif-token", …]` are in the request. Cargo shows the message of a response only if the exit
//! status is 0, and also shows standard error, so every failure is reported in a response.
//! <https://doc.rust-lang.org/cargo/reference/credential-provider-protocol.html>

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use super::{AllowHost, Call, HelperInfo, Scope, ask_again_at, input};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::google::access_token::MIN_LIFE;
use crate::http::Url;
use crate::options::reader::{self, Grammar, Line};
use crate::options::{self, COMMON, OptionInfo};
use crate::world::{Clock, Deadline, Log};

/// The hosts of Artifact Registry.
const HOSTS: &[&str] = &["*.pkg.dev"];

/// The greeting: the protocol versions that the provider supports.
const HELLO: &str = "{\"v\":[1]}\n";

/// How long cargo may wait before its next request.
const IDLE: Duration = Duration::from_secs(24 * 3600);

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "cargo",
    also: &[],
    summary: "use Cargo registries in Artifact Registry",
    words: "--cargo-plugin",
    options: &[Options::TABLE, Scope::TABLE, AllowHost::TABLE],
    program: "cargo-credential-",
    stanza: "\
add to ~/.cargo/config.toml:
  [registries.my-repo]
  index = \"sparse+https://europe-cargo.pkg.dev/my-project/my-repo/\"
  credential-provider = [\"wif-token\", \"helper\", \"cargo\"]
Add options to the same list.",
    failure: FailureForm {
        // A mistake in the command line is found before the greeting has been printed.
        output: |error, _| format!("{HELLO}{}", answer(Err(failure(error)))),
        ..ANSWERED
    },
    run,
};

/// The form of a failure after the greeting.
const ANSWERED: FailureForm = FailureForm {
    output: |error, _| answer(Err(failure(error))),
    message: false,
    status: Some(0),
    ..FailureForm::MESSAGE
};

options! {
    /// Options of `cargo`.
    struct Options {
        /// use the credential provider protocol; cargo adds this option
        cargo_plugin: bool = "--cargo-plugin",
    }
}

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    if !Options::read(&call.values)?.cargo_plugin || !call.words.is_empty() {
        call.exit.set_form(FailureForm::MESSAGE);
        return Err(call.wrong_words(&INFO));
    }
    call.exit.set_form(ANSWERED);
    call.exit.show(HELLO)?;
    let timeout = options::Options::new(&call.values).timeout();
    let mut input = input::stdin();
    // The first request must arrive before the deadline of the run.
    while let Some(line) = input::line(&mut input, || {
        call.exit.at_deadline(Deadline::after(timeout));
    })? {
        call.exit.show(&answer(get(&line, call, cx)))?;
        call.exit.at_deadline(Deadline::after(IDLE));
    }
    Ok(String::new().into())
}

/// Formats a response as one line of the protocol.
fn answer(result: Result<Value, Value>) -> String {
    let (name, content) = result.map_or_else(|error| ("Err", error), |value| ("Ok", value));
    format!("{}\n", json!({ name: content }))
}

fn failure(error: &Error) -> Value {
    json!({ "kind": "other", "message": error.to_string(), "caused-by": [] })
}

/// Answers a request.
fn get(line: &str, call: &Call, cx: &Context) -> Result<Value, Value> {
    let result = Request::parse(line).and_then(|request| {
        let (call, cx) = request.own(call, cx)?;
        let hosts = call.hosts(HOSTS)?;
        // Cargo asks the next provider if the URL is not supported, and otherwise stops.
        if !hosts.permit(request.index().as_ref(), &cx.log) {
            return Ok(Err(json!({ "kind": "url-not-supported" })));
        }
        if request.kind != "get" {
            return Ok(Err(json!({ "kind": "operation-not-supported" })));
        }
        let token = call.access_token(MIN_LIFE, &cx)?;
        Ok(Ok(json!({
            "kind": "get",
            "token": format!("Bearer {}", token.text.expose()),
            "cache": "expires",
            "expiration": ask_again_at(&token, &cx),
            "operation_independent": true,
        })))
    });
    result.unwrap_or_else(|error| Err(failure(&error)))
}

/// A request from cargo.
struct Request {
    kind: String,
    index_url: String,
    args: Vec<OsString>,
}

impl Request {
    fn parse(line: &str) -> Result<Request, Error> {
        let request: Value =
            serde_json::from_str(line).map_err(|_| wrong("the request is not JSON"))?;
        if request.get("v") != Some(&json!(1)) {
            return Err(wrong("the protocol version of the request is not 1"));
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let registry = request.get("registry");
        let index_url = text(registry.and_then(|registry| registry.get("index-url")));
        let args = match request.get("args") {
            None => Some(Vec::new()),
            Some(args) => args.as_array().and_then(|args| {
                args.iter().map(|arg| text(Some(arg)).map(OsString::from)).collect()
            }),
        };
        Ok(Request {
            kind: text(request.get("kind")).ok_or_else(|| wrong("the request has no kind"))?,
            index_url: index_url.ok_or_else(|| wrong("the request has no registry.index-url"))?,
            args: args.ok_or_else(|| wrong("args in the request is not a list of strings"))?,
        })
    }

    /// The URL of the index; `None` if it is not a sparse index that is reached through https.
    fn index(&self) -> Option<Url> {
        let url = Url::parse(self.index_url.strip_prefix("sparse+")?).ok()?;
        url.is_https().then_some(url)
    }

    /// Adds the options of this request to the call and the context.
    fn own(&self, call: &Call, cx: &Context) -> Result<(Call, Context), Error> {
        let name = ["helper", INFO.name].map(OsString::from);
        let args = self.args.strip_prefix(&name).unwrap_or(&self.args).to_vec();
        let line = reader::read_after(call.values.clone(), args, Words);
        let Line { values, mistake: None, .. } = line else {
            return Err(line.mistake.unwrap_or_else(|| INFO.unexpected_word()));
        };
        values.refuse_rest(&INFO.full_name(), false)?;
        let options = options::Options::new(&values);
        let deadline = Deadline::after(options.timeout());
        call.exit.at_deadline(deadline);
        let cx = cx.narrowed(|world, settings| {
            world.deadline = deadline;
            world.log = Log::open(options.log_file.as_deref(), Clock);
            *settings = options.http;
        });
        Ok((Call { words: Vec::new(), values, exit: call.exit.clone() }, cx))
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, what)
        .fix("configure cargo to run wif-token as its credential provider, or update wif-token")
}

/// The grammar of the arguments in a request, which may only be options.
struct Words;

impl Grammar for Words {
    fn positional(&mut self, _: &str) -> Result<(), Error> {
        Err(INFO.unexpected_word())
    }

    fn help(&mut self) -> Result<(), Error> {
        self.positional("")
    }

    fn version(&mut self) -> Result<(), Error> {
        self.positional("")
    }

    fn tables(&self) -> Vec<&'static [OptionInfo]> {
        [COMMON].into_iter().chain(INFO.tables()).collect()
    }

    fn names(&self) -> Vec<String> {
        vec![INFO.full_name()]
    }
}

/// The index of a request, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(super) fn index(text: &str) -> Result<Option<Url>, Error> {
    Request::parse(text).map(|request| request.index())
}
