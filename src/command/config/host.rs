//! Paths on the hosts that use a configuration: this host, or hosts with the operating system in
//! `--for-os`.
//!
//! Clients run a command without a shell, and may run in any directory. Therefore a
//! path must be absolute, and nothing in it is expanded.

use std::path::Path;

use crate::error::{Error, Kind};
use crate::{files, shell};

choices! {
    /// The operating systems of the hosts that use a configuration.
    pub(super) enum HostSystem {
        /// Linux.
        Linux = "linux",
        /// macOS.
        MacOs = "macos",
        /// Windows.
        Windows = "windows",
    }
}

/// Makes a path absolute for the hosts that use the configuration, which have the operating system
/// `os`; `None` stands for this host. A path on Windows is written with slashes, because clients
/// that interpret quotes remove backslashes.
///
/// # Errors
/// `USAGE` if the path is not absolute on such a host, or not UTF-8.
pub(super) fn path(path: &Path, option: &str, os: Option<HostSystem>) -> Result<String, Error> {
    let usage = |what: &str| Error::new(Kind::Usage, format!("{option} {what}"));
    let text = path.to_str().ok_or_else(|| {
        usage("is not UTF-8 text").fix(format!("set {option} to a path in UTF-8"))
    })?;
    if let Some((expanded, _)) = shell::expansion(text) {
        return Err(usage(&format!("contains {expanded}"))
            .cause("no shell expands it when a client runs the command")
            .fix("write the absolute path"));
    }
    let is_windows = cfg!(windows) && os.is_none() || os == Some(HostSystem::Windows);
    let with_slashes = |text: &str| match is_windows {
        true => text.replace('\\', "/"),
        false => text.to_owned(),
    };
    match os {
        None if !is_windows && is_windows_path(text) => {
            Err(usage("is a Windows path").fix("add --for-os=windows"))
        }
        None => Ok(with_slashes(&files::absolute(path).display().to_string())),
        Some(HostSystem::Windows) if is_windows_path(text) => Ok(with_slashes(text)),
        Some(HostSystem::Linux | HostSystem::MacOs) if text.starts_with('/') => Ok(text.to_owned()),
        Some(os) => {
            let example =
                if is_windows { "C:/ProgramData/my-app/file" } else { "/etc/my-app/file" };
            let name = match os {
                HostSystem::Linux => "Linux",
                HostSystem::MacOs => "macOS",
                HostSystem::Windows => "Windows",
            };
            Err(usage(&format!("is not an absolute path on {name}"))
                .fix(format!("use a value such as {option}={example}")))
        }
    }
}

/// Whether a path is absolute on Windows, with a drive or a server.
fn is_windows_path(text: &str) -> bool {
    let text = text.replace('\\', "/");
    let drive = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    (drive && text.get(1..).is_some_and(|rest| rest.starts_with(":/"))) || text.starts_with("//")
}
