//! The parsers of requests from other tools, for fuzzing.

use super::{bazel, cargo, git, kubernetes};

/// Reads a request from Bazel. Returns the reason if it is refused.
pub(crate) fn bazel_request(text: &str) -> Option<String> {
    bazel::uri(text).err().map(|error| error.to_string())
}

/// Reads a request from client-go. Returns the reason if it is refused.
pub(crate) fn exec_info(text: &str) -> Option<String> {
    kubernetes::version(Some(text)).err().map(|error| error.to_string())
}

/// Reads a request from git. Returns the reason if it is refused.
pub(crate) fn git_request(text: &str) -> Option<String> {
    git::server(text).err().map(|error| error.to_string())
}

/// Reads a request from cargo. Returns the reason if it is refused.
pub(crate) fn cargo_request(text: &str) -> Option<String> {
    cargo::index(text).err().map(|error| error.to_string())
}
