//! The secrets that a run has sent. A server can repeat a secret in the response to a later request, or under
//! another name.

use std::sync::{Arc, Mutex, PoisonError};

use crate::secret::Secret;

/// The maximum number of secrets to remember, which are the latest ones. A search for more takes
/// too long.
const MOST: usize = 24;

/// The secrets that were sent, the latest one last.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Vec<Secret>>>);

impl Sent {
    /// Adds the secrets of a request, and returns all that are remembered.
    pub(super) fn with(&self, secrets: Vec<Secret>) -> Vec<Secret> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|known| !secrets.contains(known));
        sent.extend(secrets);
        let surplus = sent.len().saturating_sub(MOST);
        sent.drain(..surplus);
        sent.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_secrets_are_remembered_once() {
        let sent = Sent::default();
        for number in 0..2 * MOST {
            sent.with(vec![Secret::new("same"), Secret::new(number.to_string())]);
        }
        let all = sent.clone().with(Vec::new());
        let last = [Secret::new("same"), Secret::new((2 * MOST - 1).to_string())];
        assert_eq!((all.len(), all.get(MOST - 2..)), (MOST, Some(&last[..])));
    }
}
