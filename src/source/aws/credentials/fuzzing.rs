//! The parsers of files and outputs with AWS credentials, for fuzzing.

use super::sso::token_cache::CachedToken;
use super::{command_line, process};
use crate::source::aws::profile_file::Files;

/// Reads both profile files from the same text.
pub(crate) fn profile_files(text: &str) {
    let mut files = Files::default();
    if files.add_config(text).is_err() || files.add_credentials(text).is_err() {
        return;
    }
    for name in files.profile_names() {
        if let Some(profile) = files.profile(name) {
            files.service_endpoint(profile, "sts").ok();
            profile.get("sso_session").and_then(|session| files.sso_session(session));
        }
    }
}

/// Reads the output of a `credential_process`, and splits the text as its command line. Together,
/// the words must not be longer than the text.
pub(crate) fn credential_process(text: &str) -> Option<String> {
    for windows in [true, false] {
        let words = command_line::split(text, windows).unwrap_or_default();
        assert!(words.iter().map(String::len).sum::<usize>() <= text.len());
    }
    process::read(text, "credential_process").err().map(|error| error.to_string())
}

/// Reads the cached token of a session.
pub(crate) fn sso_cache(text: &str) {
    if let Some(token) = CachedToken::parse(text) {
        token.needs_refresh(1_800_000_000);
    }
}
