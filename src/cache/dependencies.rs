//! The files that a cached token or failure depends on, such as the credential file, a profile or a
//! token. If one of them has changed, a new request may have a different result.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::files;

/// The paths of files that were read, with their states at that time.
pub(super) struct Dependencies(BTreeMap<String, String>);

impl Dependencies {
    /// The files that this thread has read so far.
    pub(super) fn seen() -> Dependencies {
        let text = |(path, state): (std::path::PathBuf, String)| {
            (path.to_string_lossy().into_owned(), state)
        };
        Dependencies(files::seen().into_iter().map(text).collect())
    }

    /// Reads the files from a JSON object.
    pub(super) fn read(value: &Value) -> Option<Dependencies> {
        let state =
            |(path, state): (&String, &Value)| Some((path.clone(), state.as_str()?.to_owned()));
        Some(Dependencies(value.as_object()?.iter().map(state).collect::<Option<_>>()?))
    }

    /// Returns the JSON object that [`Dependencies::read`] reads.
    pub(super) fn to_json(&self) -> Value {
        self.0.iter().map(|(path, state)| (path.clone(), Value::from(state.as_str()))).collect()
    }

    /// Notes that this thread uses a result that depends on these files.
    pub(super) fn note(&self) {
        self.0.iter().for_each(|(path, state)| files::note_in_state(path, state));
    }

    /// Whether no file has changed.
    pub(super) fn are_unchanged(&self) -> bool {
        self.0.iter().all(|(path, state)| files::state(path.as_ref()) == *state)
    }
}
