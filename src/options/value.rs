//! The value of one option.

use std::path::PathBuf;

use super::{KeyRef, SecretRef};
use crate::http::Url;

/// The value of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A flag, a text or a choice.
    Text(String),
    /// A number of seconds.
    Seconds(u64),
    /// A path.
    Path(PathBuf),
    /// A private key that is not in a file.
    Key(KeyRef),
    /// A URL.
    Url(Url),
    /// A reference to a secret.
    Secret(SecretRef),
    /// A key or header name with its value.
    Pair(String, String),
}
