//! What `--version` says about the build.

mod common;

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
