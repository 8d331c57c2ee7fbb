//! Passes arguments and environment to the library and returns its exit status.

use std::process::ExitCode;

use wif_token::world::Env;

fn main() -> ExitCode {
    ExitCode::from(wif_token::run(std::env::args_os().skip(1).collect(), Env::Process))
}
