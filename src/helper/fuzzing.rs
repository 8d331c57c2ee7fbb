//! The parsers of what other tools write, for fuzzing.

use super::{bazel, kubernetes};

/// Reads a request of Bazel. Returns the reason if it is refused.
pub(crate) fn bazel_request(text: &str) -> Option<String> {
    bazel::uri(text).err().map(|error| error.to_string())
}

/// Reads a request of client-go. Returns the reason if it is refused.
pub(crate) fn exec_info(text: &str) -> Option<String> {
    kubernetes::version(Some(text)).err().map(|error| error.to_string())
}
