//! Passes arguments and environment to the library and ends with its exit status.

use wif_token::stdio;
use wif_token::world::Env;

fn main() {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let status = wif_token::run(&name, args.collect(), Env::Process);
    stdio::exit_at_once_if_moved(status);
    // An exit code of Windows has 32 bits, and `ExitCode` has 8.
    std::process::exit(status)
}
