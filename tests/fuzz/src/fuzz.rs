//! Runs the fuzz target that the variable `ENTRY` names with libFuzzer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static ENTRY: LazyLock<String> = LazyLock::new(|| std::env::var("ENTRY").unwrap_or_default());

fuzz_target!(|input: &[u8]| {
    assert!(
        wif_token::fuzzing::run(&ENTRY, input),
        "ENTRY does not name a fuzz target: {:?}",
        *ENTRY
    );
});
