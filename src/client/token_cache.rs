//! The user's private cache of tokens: one file for each request, with its own lock.
//!
//! A tool that starts this program many times causes only one token exchange. A run works without a
//! cache if the [private directory](private) cannot be used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::private;
use crate::context::Context;

/// How long a file is kept after its last change. No token lives longer than 12 hours.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The kind of a refresh token, whose file is never removed: the token may be the only valid one.
pub const REFRESH_TOKEN: &str = "refresh-token";

/// The path of the file in the cache with this kind, such as `access-token`, and this digest;
/// `None` if the directory cannot be used.
pub fn path(kind: &str, digest: &str, cx: &Context) -> Option<PathBuf> {
    private::path(&format!("{kind}-{digest}.json"), cx)
}

/// The name of this host and, on Linux, its last start: hosts can have the same name.
#[cfg(unix)]
pub fn host(_cx: &Context) -> String {
    use crate::files;

    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let start = files::open_regular(Path::new("/proc/sys/kernel/random/boot_id"))
        .and_then(|file| files::read_limited(file, 64));
    let start = start.ok().flatten().unwrap_or_default();
    name + &String::from_utf8_lossy(&start)
}

/// The name of this host.
#[cfg(windows)]
pub fn host(cx: &Context) -> String {
    cx.env.get("COMPUTERNAME").unwrap_or_default().to_string_lossy().into_owned()
}

/// Removes tokens, locks and temporary files that have not changed for a week. A run that adds a
/// file does this, so that the directory does not grow without a limit. Other files are not
/// removed, because the directory may be a link to one with other content.
pub fn tidy(path: &Path, cx: &Context) {
    let now = cx.clock.time();
    let Some(entries) = path.parent().and_then(|directory| directory.read_dir().ok()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(is_of_a_token);
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = changed.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > KEPT));
        if is_ours && is_old {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether a file was created for a token that is requested again when it is missing:
/// `KIND-DIGEST.json`, its lock, or a temporary file of either.
fn is_of_a_token(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    let stem = name.split_once(".json").and_then(|(stem, _)| stem.rsplit_once('-'));
    stem.is_some_and(|(kind, digest)| {
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest && kind != REFRESH_TOKEN
    })
}
