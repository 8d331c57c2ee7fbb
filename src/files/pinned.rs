//! A path whose directory is kept open. A user who can rename the directories above a file cannot
//! make a run examine the file in one directory and replace the file in another.

use std::fs::File;
use std::path::{Path, PathBuf};

/// The path of a file in an open directory.
pub(super) struct Pinned {
    pub(super) path: PathBuf,
    _directory: Option<File>,
}

impl Pinned {
    /// Opens the directory of a path. On systems other than Linux, or if the directory cannot be
    /// opened, the path itself is used.
    pub(super) fn new(path: &Path) -> Pinned {
        #[cfg(target_os = "linux")]
        if let Some(pinned) = of_open_directory(path) {
            return pinned;
        }
        Pinned { path: path.to_owned(), _directory: None }
    }
}

/// Opens the directory, and names the file through the open directory.
/// <https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html>
#[cfg(target_os = "linux")]
fn of_open_directory(path: &Path) -> Option<Pinned> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;

    if super::ownership::names_a_directory(path) {
        return None;
    }
    let mut options = File::options();
    options.read(true).custom_flags((OFlags::PATH | OFlags::DIRECTORY).bits() as i32);
    let directory = options.open(super::directory(path)).ok()?;
    let base = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    let pinned = base.join(path.file_name()?);
    base.is_dir().then_some(Pinned { path: pinned, _directory: Some(directory) })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_gets_the_name_of_another_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("one")).unwrap();
        std::fs::create_dir(at("two")).unwrap();
        crate::files::create_new(&at("two/f"), b"theirs").unwrap();
        let pinned = Pinned::new(&at("one/f"));
        std::fs::rename(at("one"), at("away")).unwrap();
        std::os::unix::fs::symlink(at("two"), at("one")).unwrap();
        crate::files::create_new(&pinned.path, b"ours").unwrap();
        assert!(at("away/f").is_file());
        for path in [at("none/f"), at("one/"), PathBuf::from("/")] {
            assert_eq!(Pinned::new(&path).path, path);
        }
    }
}
