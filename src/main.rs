//! Passes arguments and environment to the library and returns its exit status.

use std::process::ExitCode;

use wif_token::stdio;
use wif_token::world::Env;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let status = wif_token::run(&name, args.collect(), Env::Process);
    stdio::exit_at_once_if_moved(status);
    ExitCode::from(status)
}
