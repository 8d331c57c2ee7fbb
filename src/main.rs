//! Passes arguments and environment to the library and returns its exit status.

use std::process::ExitCode;

use wif_token::world::Env;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    ExitCode::from(wif_token::run(&name, args.collect(), Env::Process))
}
