//! What the program prints for an installation without a package: its build, the manual, the completions.

mod common;

use std::fs;
use std::path::Path;

use common::World;

#[test]
fn the_version_names_the_build() {
    let world = World::new();
    let run = world.run("--version");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, world.run("-V").stdout);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [version, commit, target, features] = lines[..] else { panic!("{lines:?}") };
    assert_eq!(version, concat!("wif-token ", env!("CARGO_PKG_VERSION")));
    assert_eq!(commit, concat!("commit: ", env!("WIF_TOKEN_COMMIT")));
    assert_eq!(target, concat!("target: ", env!("WIF_TOKEN_TARGET")));
    let second = if cfg!(windows) { "Windows certificate store" } else { "PKCS#11" };
    let dynamic = format!("features: Kerberos, {second}");
    let is_static = cfg!(all(unix, target_feature = "crt-static"));
    assert_eq!(features, if is_static { "features: static" } else { dynamic.as_str() });
}

#[test]
fn the_program_prints_what_packages_install() {
    let world = World::new();
    let documents = [
        ("man", "manual/wif-token.1"),
        ("man docker-credential-wif-token", "manual/wif-token.1"),
        ("completions bash", "completions/wif-token.bash"),
        ("completions zsh", "completions/_wif-token"),
        ("completions fish", "completions/wif-token.fish"),
        ("completions powershell", "completions/wif-token.ps1"),
    ];
    for (line, name) in documents {
        let run = world.run(line);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
        let installed = fs::read_to_string(path).unwrap().replace("\r\n", "\n");
        assert!(run.stdout == installed, "{line} differs from {name}");
    }
}
