//! Runs of the program in environments that folders describe: see [`common::scenario`].
//!
//! `UPDATE=1 cargo test --test scenarios` rewrites their `output`.

mod common;

/// A test for each area, that is, each folder of `tests/scenarios`.
macro_rules! areas {
    ($($area:ident)*) => {
        const AREAS: &[&str] = &[$(stringify!($area)),*];
        $(#[test] fn $area() { common::scenario::run_area(stringify!($area)); })*
    };
}

areas! {
    adfs aws azure azure_pipelines check check_kubernetes ci commands contract credentials executables fetch github google
    helpers kubernetes
    oidc oidc_device relying_parties requests url vault x509
}

#[test]
fn every_area_is_run() {
    let folders = common::setup::entries("scenarios");
    let names: Vec<_> = folders.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, AREAS, "the folders of tests/scenarios, sorted");
}
