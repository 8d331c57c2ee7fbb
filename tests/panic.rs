//! A panic becomes an `INTERNAL` failure: never a signal, never a backtrace.
//!
//! This file is its own harness: the process that panics has to have standard output to itself.

use std::process::{Command, ExitCode};

use wif_token::contract::exit::{Exit, FailureForm};
use wif_token::options::{Format, Options};
use wif_token::world::Deadline;

/// Where it panics, and the panic, whose words are a secret.
const PANIC: (u32, fn()) = (line!(), || panic!("hunter2-in-a-panic"));

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panics(false),
        Some("panic-exit-zero") => panics(true),
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
        "wif-token has a bug at tests/panic.rs:{line}:41; report this message with the command line and the version"
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
    println!("test panic ... ok");
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
