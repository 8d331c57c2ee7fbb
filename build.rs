//! Tells the program the target and the commit that it is built from, for `--version`.
//!
//! The commit is that of `WIF_TOKEN_COMMIT`, which packaging/reproducible sets, or that of the crate's
//! package. git is not asked, so that a commit does not cause another build.

use std::{env, fs};

/// What cargo writes into a package about the commit:
/// <https://doc.rust-lang.org/cargo/commands/cargo-package.html#cargo_vcs_infojson-format>
const OF_THE_PACKAGE: &str = ".cargo_vcs_info.json";

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    println!("cargo::rustc-env=WIF_TOKEN_TARGET={target}");
    println!("cargo::rerun-if-env-changed=WIF_TOKEN_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let commit = env::var("WIF_TOKEN_COMMIT").ok().or_else(commit_of_the_package);
    println!("cargo::rustc-env=WIF_TOKEN_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

fn commit_of_the_package() -> Option<String> {
    let text = fs::read_to_string(OF_THE_PACKAGE).ok()?;
    let (_, after) = text.split_once("\"sha1\"")?;
    let commit = after.split('"').nth(1)?;
    Some(commit.to_owned())
}
