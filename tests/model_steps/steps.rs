//! The steps of the model of the cached file, for the model and for the test that compares them with the
//! program.

/// A function of the program, and the call in it that is the step.
pub(crate) const STEPS: &[&str] = &[
    "read read_trusted",
    "beside open_lock",
    "beside try_lock_exclusive",
    "beside remaining",
    "lock failure",
    "bytes note",
    "bytes open",
    "fetch_once fetch",
    "write set_len",
    "write write_all",
    "fetch_once remove_leftovers",
    "temporary make_in",
    "temporary write_all",
    "temporary sync_all",
    "rename persist",
];
