//! Gives the program the target and the commit that it is built from, for `--version`, and the documents that
//! it prints.
//!
//! The commit is that of `WIF_TOKEN_COMMIT`, which packaging/reproducible sets, or that of the crate's
//! package. git is not asked, so that a commit does not cause another build.

use std::path::Path;
use std::{env, fs};

/// What cargo writes into a package about the commit:
/// <https://doc.rust-lang.org/cargo/commands/cargo-package.html#cargo_vcs_infojson-format>
const OF_THE_PACKAGE: &str = ".cargo_vcs_info.json";

/// What `cargo run --example documents` writes, in the order of `src/command/documents.rs`, which has the
/// smallest result.
const DOCUMENTS: [&str; 5] = [
    "packaging/completions/wif-token.bash",
    "packaging/completions/wif-token.ps1",
    "packaging/completions/_wif-token",
    "packaging/manual/wif-token.1",
    "packaging/completions/wif-token.fish",
];

/// The slowest level, which gives the smallest result.
const SMALLEST: u8 = 10;

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    println!("cargo::rustc-env=WIF_TOKEN_TARGET={target}");
    println!("cargo::rerun-if-env-changed=WIF_TOKEN_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let commit = env::var("WIF_TOKEN_COMMIT").ok().or_else(commit_of_the_package);
    println!("cargo::rustc-env=WIF_TOKEN_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let documents = DOCUMENTS.map(document).join("\0");
    let packed = miniz_oxide::deflate::compress_to_vec(documents.as_bytes(), SMALLEST);
    fs::write(Path::new(&folder).join("documents"), packed).expect("OUT_DIR can be written to");
}

/// The text of a file, with line feeds even if git checked it out with CRLF.
fn document(path: &str) -> String {
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.replace("\r\n", "\n")
}

fn commit_of_the_package() -> Option<String> {
    let text = fs::read_to_string(OF_THE_PACKAGE).ok()?;
    let (_, after) = text.split_once("\"sha1\"")?;
    let commit = after.split('"').nth(1)?;
    Some(commit.to_owned())
}
