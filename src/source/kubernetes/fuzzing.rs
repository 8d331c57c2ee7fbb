//! The parsers of a kubeconfig and of the output of a plugin, for fuzzing.

use std::path::Path;

use serde_json::Value;

use super::entry::Entry;
use super::exec;
use super::kubeconfig::Kubeconfig;
use crate::secret::Secret;

/// The parts of a context, with the members of each that contain base64-encoded PEM.
const PARTS: [(&str, &[&str]); 2] =
    [("cluster", &["certificate-authority"]), ("user", &["client-certificate", "client-key"])];

/// Reads a kubeconfig, and the cluster and the user of its current context. Returns the reason if
/// the kubeconfig is refused.
pub(crate) fn kubeconfig(text: &str) -> Option<String> {
    let config = match Kubeconfig::of_text(text) {
        Ok(config) => config,
        Err(why) => return Some(why),
    };
    let context = config.context(None).ok()?;
    for (kind, members) in PARTS {
        let Ok(Some(name)) = context.text(kind) else { continue };
        let Ok(part) = config.entry(kind, name) else { continue };
        for member in members {
            // A member without `-data` contains a path, which would be opened.
            if part.get(member).is_none() {
                let _ = part.pem(member);
            }
        }
    }
    None
}

/// Reads the output of an exec plugin. Returns the message if the output is refused.
pub(crate) fn exec_credential(text: &str) -> Option<String> {
    let nothing = Value::Null;
    let plugin = Entry::new(Path::new("/kubeconfig"), "the plugin".to_owned(), Some(&nothing));
    let read = exec::read(&Secret::new(text), "client.authentication.k8s.io/v1", &plugin);
    read.err().map(|error| error.to_string())
}
