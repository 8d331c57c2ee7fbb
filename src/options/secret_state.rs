//! The state of the secrets and files that options name: it differs if one of them was changed.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::values::Value;
use super::{OptionInfo, SecretRef, Values};
use crate::world::World;

/// The secrets and files that options name.
#[derive(Debug)]
pub struct SecretState(Vec<Value>);

impl SecretState {
    /// Those that the values of these options name.
    pub fn of(values: &Values, options: impl Iterator<Item = &'static OptionInfo>) -> SecretState {
        let names = |value: &&Value| matches!(value, Value::Secret(_) | Value::Path(_));
        let given = options.flat_map(|option| values.all(option.name).filter(names).cloned());
        SecretState(given.collect())
    }

    /// Their state now, a part for each: the content of a variable, or what the file system knows of
    /// a file. No file is read.
    pub fn parts(&self, world: &World) -> Vec<Vec<u8>> {
        let part = |value: &Value| match value {
            Value::Secret(SecretRef::Env(name)) => {
                world.env.get(name).unwrap_or_default().into_encoded_bytes()
            }
            Value::Secret(SecretRef::File(path)) | Value::Path(path) => state(path),
            _ => Vec::new(),
        };
        self.0.iter().map(part).collect()
    }
}

/// The size of a file, and when it was last modified.
fn state(path: &Path) -> Vec<u8> {
    let Ok(metadata) = path.metadata() else { return Vec::new() };
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    [metadata.len().to_be_bytes().to_vec(), modified.to_be_bytes().to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Clock, Deadline, Env, Log};

    static SECRET: OptionInfo = OptionInfo::of::<Option<SecretRef>>("--secret", &[""]);

    fn world(variables: &[(&str, &str)]) -> World {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let deadline = Deadline::after(std::time::Duration::from_secs(1));
        World { env: Env::Map(variables), clock: Clock, deadline, log: Log::open(None, Clock) }
    }

    fn state_of(value: &str, world: &World) -> Vec<Vec<u8>> {
        let mut values = Values::default();
        values.add(&SECRET, value.into()).unwrap();
        SecretState::of(&values, [&SECRET].into_iter()).parts(world)
    }

    #[test]
    fn a_changed_variable_changes_the_state() {
        let [a, b] = ["a", "b"].map(|value| state_of("env:S", &world(&[("S", value)])));
        assert_ne!(a, b);
    }

    #[test]
    fn a_changed_file_changes_the_state() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let option = format!("file:{}", file.path().display());
        let before = state_of(&option, &world(&[]));
        assert_eq!(before, state_of(&option, &world(&[])));
        crate::files::replace(file.path(), b"changed", |_| true).unwrap();
        assert_ne!(before, state_of(&option, &world(&[])));
    }
}
