//! `/copy FROM TO` in the container image, which has no other program: with it, an init container
//! copies `wif-token` to a workload.

use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let [from, to] = args.as_slice() else {
        eprintln!("usage: copy FROM TO");
        return ExitCode::from(2);
    };
    match fs::copy(from, to) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("copy: {} to {}: {error}", from.display(), to.display());
            ExitCode::FAILURE
        }
    }
}
