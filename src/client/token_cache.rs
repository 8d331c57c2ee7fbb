//! The user's private cache of tokens: one file for each request, with its own lock.
//!
//! A tool that starts this program many times causes one exchange. The directory is
//! `$XDG_CACHE_HOME/wif-token`, `~/.cache/wif-token`, or `%LOCALAPPDATA%\wif-token`. A run works
//! without a cache if there is no such directory and none can be created.
//! <https://specifications.freedesktop.org/basedir-spec/latest/>

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::context::Context;
use crate::files;
use crate::show;
use crate::world::HOME;

/// How long a file is kept after its last change. No token lives longer than 12 hours.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The kind of a file with a refresh token, which may be the only one that still works.
pub const REFRESH_TOKEN: &str = "refresh-token";

/// The path in the cache for a file of this kind, such as `access-token`, and of this digest. `None`
/// if there is no directory for it.
pub fn path(kind: &str, digest: &str, cx: &Context) -> Option<PathBuf> {
    let directory = directory(cx)?;
    if !directory.is_dir()
        && let Err(error) = files::private_directory(&directory)
    {
        cx.log.line(format!("no cache in {}: {error}", show::path(&directory)));
        return None;
    }
    Some(directory.join(format!("{kind}-{digest}.json")))
}

fn directory(cx: &Context) -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = PathBuf::from(cx.env.get(name)?);
        value.is_absolute().then_some(value)
    };
    let parent = match cfg!(windows) {
        true => variable("LOCALAPPDATA"),
        false => variable("XDG_CACHE_HOME").or_else(|| Some(variable(HOME)?.join(".cache"))),
    };
    Some(parent?.join("wif-token"))
}

/// Removes the tokens that were not changed for a week. A run that adds a file does this, so that the
/// directory does not grow without a limit. Other files stay: the directory may be a link to another.
pub fn tidy(path: &Path, cx: &Context) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(cx.clock.now().max(0) as u64);
    let Some(entries) = path.parent().and_then(|directory| directory.read_dir().ok()) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_temporary);
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = changed.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > KEPT));
        if is_ours && is_old {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether this is a name that [`path`] makes, or its lock, for a token that is requested again.
fn is_temporary(name: &str) -> bool {
    let stem = name.strip_suffix(".lock").unwrap_or(name).strip_suffix(".json");
    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(kind, digest)| {
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest && kind != REFRESH_TOKEN
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_are_temporary() {
        let digest = "a1".repeat(32);
        for (name, is_removed) in [
            (format!("access-token-{digest}.json"), true),
            (format!("aws-credentials-{digest}.json.lock"), true),
            (format!("refresh-token-{digest}.json"), false),
            (format!("refresh-token-{digest}.json.lock"), false),
            (format!("access-token-{digest}"), false),
            ("credentials.json".to_owned(), false),
            ("access-token-a1.json".to_owned(), false),
            (".json".to_owned(), false),
        ] {
            assert_eq!(is_temporary(&name), is_removed, "{name}");
        }
    }
}
