//! Command lines and what they print, in `tests/transcripts`: see [`common::transcript`].
//!
//! `UPDATE=1 cargo test --test transcripts` rewrites the outputs.

mod common;

use std::thread;

#[test]
fn transcripts() {
    let mut paths = common::setup::entries("transcripts");
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let failed: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = paths.iter().map(|path| scope.spawn(|| check(path))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

fn check(path: &std::path::Path) -> Result<(), String> {
    let name = path.file_name().unwrap().display();
    common::transcript::check(path).map_err(|why| format!("{name}: {why}"))
}
