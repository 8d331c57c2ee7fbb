//! Finds the file of a program by its name, by the rules that apply when the program is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::files;
use crate::world::Env;

/// The directories in which programs are searched for if `PATH` is not set.
const DEFAULT_PATH: &str = if cfg!(windows) { "" } else { "/bin:/usr/bin" };

/// The extensions of the files that Windows runs, and of the batch files that the standard library
/// runs with `cmd.exe`.
const RUNNABLE: [&str; 4] = [".com", ".exe", ".bat", ".cmd"];

/// Finds the file of a program. A relative path is relative to the working directory; a bare name
/// is looked up in the directories of `PATH`. A file that is not executable is returned only if no
/// executable file is found.
pub fn find(name: &OsStr, env: &Env) -> Option<PathBuf> {
    search(name, env, with_extension)
}

/// Finds the file of a command as the Windows command prompt does, with the extensions in
/// `PATHEXT`, but not in the working directory. Only the extensions of programs and batch files are
/// tried, because Windows opens other files with another program.
pub fn find_with_pathext(name: &OsStr, env: &Env) -> Option<PathBuf> {
    let pathext = env.get("PATHEXT").unwrap_or_else(|| RUNNABLE.join(";").into());
    let pathext = pathext.to_string_lossy().to_ascii_lowercase();
    let is_runnable = |extension: &&str| RUNNABLE.contains(extension);
    let extensions: Vec<&str> = pathext.split(';').filter(is_runnable).collect();
    search(name, env, |path| {
        let name = path.as_os_str().to_ascii_lowercase();
        let has_one = |ending: &&str| name.as_encoded_bytes().ends_with(ending.as_bytes());
        let endings = if RUNNABLE.iter().any(has_one) { &[][..] } else { &extensions };
        let with = |ending: &&str| [path.as_os_str(), ending.as_ref()].into_iter().collect();
        let paths: Vec<OsString> = endings.iter().map(with).collect();
        paths.into_iter().map(PathBuf::from).chain([path.to_owned()]).collect::<Vec<_>>()
    })
}

/// Finds a file among the candidates for `name` as a path, or for `name` in each directory of
/// `PATH`.
fn search<I: IntoIterator<Item = PathBuf>>(
    name: &OsStr,
    env: &Env,
    candidates: impl Fn(&Path) -> I,
) -> Option<PathBuf> {
    let path = Path::new(name);
    if is_path(name) {
        return candidates(path).into_iter().find(|path| path.is_file());
    }
    let directories = env.get("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let found: Vec<PathBuf> = std::env::split_paths(&directories)
        .map(|directory| match directory.as_os_str().is_empty() {
            true => Path::new(".").join(path),
            false => directory.join(path),
        })
        .flat_map(|path| candidates(&path))
        .filter(|path| path.is_file())
        .collect();
    let executable = found.iter().position(|path| files::is_executable(path)).unwrap_or(0);
    found.into_iter().nth(executable)
}

/// Whether a file is the program of this process, under this or another name.
pub fn is_this_program(path: &Path) -> bool {
    std::env::current_exe().is_ok_and(|own| path == own || files::is_same(path, &own))
}

/// Whether a path ends with the name of this program. The separators may be those of another system.
pub fn is_named_like_this(path: &str) -> bool {
    matches!(path.rsplit(['/', '\\']).next(), Some("wif-token" | "wif-token.exe"))
}

/// Whether a name is not looked up in `PATH`.
pub(super) fn is_path(name: &OsStr) -> bool {
    let separators: &[u8] = if cfg!(windows) { b"/\\:" } else { b"/" };
    name.as_encoded_bytes().iter().any(|byte| separators.contains(byte))
}

/// The files that a path may name: on Windows, first the path with the extension `.exe`, which a
/// name may omit.
fn with_extension(path: &Path) -> Vec<PathBuf> {
    let short = cfg!(windows) && path.extension().is_none();
    let exe = short.then(|| path.with_extension("exe"));
    exe.into_iter().chain([path.to_owned()]).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_up_in_path_and_a_path_is_not() {
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
    fn a_command_of_windows_is_found_by_the_extensions_of_pathext() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.exe", "a.cmd", "b.cmd", "b", "c.js", "c.2.exe", "d", "e.BAT"] {
            files::replace(&dir.path().join(name), b"", |_| true).unwrap();
        }
        let found = |name: &str, pathext: &str| {
            let path = ("PATH".to_owned(), dir.path().into());
            let pathext = ("PATHEXT".to_owned(), pathext.into());
            let found = find_with_pathext(name.as_ref(), &Env::Map([path, pathext].into()))?;
            Some(found.file_name()?.to_str()?.to_owned())
        };
        for (name, expected) in [
            ("a", Some("a.exe")),
            ("a.cmd", Some("a.cmd")),
            ("b", Some("b.cmd")),
            ("c", None),
            ("c.2", Some("c.2.exe")),
            ("c.js", Some("c.js")),
            ("d", Some("d")),
            ("e.BAT", Some("e.BAT")),
            ("e.bat.exe", None),
        ] {
            let usual = ".COM;.EXE;.BAT;.CMD;.VBS;.JS";
            assert_eq!(found(name, usual).as_deref(), expected, "{name}");
        }
        assert_eq!(found("a", ".CMD;.EXE").as_deref(), Some("a.cmd"));
        assert_eq!(found("a", "").as_deref(), None);
    }

    #[test]
    fn this_program_is_recognized_by_its_file_and_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let (link, other) = (dir.path().join("helper"), dir.path().join(own.file_name().unwrap()));
        std::os::unix::fs::symlink(&own, &link).unwrap();
        files::replace(&other, b"another program", |_| true).unwrap();
        assert!(is_this_program(&own) && is_this_program(&link));
        assert!(!is_this_program(&other) && !is_this_program(dir.path()));
    }
}
