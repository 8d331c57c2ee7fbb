//! Finds a program by its name, as a process that starts it would.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::files;
use crate::world::Env;

/// Where programs are searched if `PATH` is not set.
const DEFAULT_PATH: &str = if cfg!(windows) { "" } else { "/bin:/usr/bin" };

/// The file of a program: a path as it is (a relative one in the working directory), and a bare name
/// in the directories of `PATH`. A file that cannot be executed is found only if no other one is.
pub fn find(name: &OsStr, env: &Env) -> Option<PathBuf> {
    let path = Path::new(name);
    if is_path(name) {
        return with_extension(path).find(|path| path.is_file());
    }
    let directories = env.get("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let found: Vec<PathBuf> = std::env::split_paths(&directories)
        .map(|directory| match directory.as_os_str().is_empty() {
            true => Path::new(".").join(path),
            false => directory.join(path),
        })
        .flat_map(|path| with_extension(&path).collect::<Vec<_>>())
        .filter(|path| path.is_file())
        .collect();
    let executable = found.iter().position(|path| files::is_executable(path)).unwrap_or(0);
    found.into_iter().nth(executable)
}

/// Whether a file is the program of this process, under this or another name.
pub fn is_this_program(path: &Path) -> bool {
    std::env::current_exe().is_ok_and(|own| path == own || files::is_same(path, &own))
}

/// Whether a name is not searched in `PATH`.
fn is_path(name: &OsStr) -> bool {
    let separators: &[u8] = if cfg!(windows) { b"/\\:" } else { b"/" };
    name.as_encoded_bytes().iter().any(|byte| separators.contains(byte))
}

/// The files that a path may name: on Windows, first the path with the extension `.exe`, which a
/// name may omit.
fn with_extension(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let short = cfg!(windows) && path.extension().is_none();
    let exe = short.then(|| path.with_extension("exe"));
    exe.into_iter().chain([path.to_owned()])
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_searched_in_path_and_a_path_is_not() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let place = |folder: &str, mode| {
            let path = dir.path().join(folder).join("tool");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            files::replace(&path, b"#!/bin/sh\n", |_| true).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (plain, tool) = (place("plain", 0o600), place("bin", 0o700));
        let path = |folders: &[&Path]| {
            let value = std::env::join_paths(folders).unwrap();
            Env::Map([("PATH".to_owned(), value)].into())
        };
        let folder = |path: &Path| path.parent().unwrap().to_owned();
        let both = path(&[&folder(&plain), &folder(&tool)]);
        assert_eq!(find(OsStr::new("tool"), &both), Some(tool.clone()));
        assert_eq!(find(OsStr::new("tool"), &path(&[&folder(&plain)])), Some(plain));
        assert_eq!(find(OsStr::new("./tool"), &both), None);
        assert_eq!(find(tool.as_os_str(), &path(&[])), Some(tool));
        assert_eq!(find(OsStr::new("tool"), &Env::Map([].into())), None);
    }

    #[test]
    fn this_program_is_recognised_by_its_file_and_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let (link, other) = (dir.path().join("helper"), dir.path().join(own.file_name().unwrap()));
        std::os::unix::fs::symlink(&own, &link).unwrap();
        files::replace(&other, b"another program", |_| true).unwrap();
        assert!(is_this_program(&own) && is_this_program(&link));
        assert!(!is_this_program(&other) && !is_this_program(dir.path()));
    }
}
