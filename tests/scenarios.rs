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

/// A debug assertion says the same, but the programs of the tests in `tests/real` have none.
#[test]
fn every_warning_and_error_of_check_has_a_fix() {
    let mut lines = 0;
    let mut folders =
        ["scenarios", "transcripts", "real/check"].map(common::setup::entries).concat();
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        for line in String::from_utf8_lossy(&text).lines().map(str::trim_start) {
            if line.starts_with("warning  ") || line.starts_with("error    ") {
                assert!(line.contains("; "), "{}: {line}", path.display());
                lines += 1;
            }
        }
    }
    assert!(lines > 200, "{lines}");
}
