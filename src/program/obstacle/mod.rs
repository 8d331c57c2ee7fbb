//! Why the operating system does not start a file that exists.
//!
//! The error code alone does not identify the reason: the same code is returned for a missing file
//! and for a missing interpreter. The first bytes of the file contain the reason.
//! <https://man7.org/linux/man-pages/man2/execve.2.html>,
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>

mod shebang;

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitStatus;

use self::shebang::without_interpreter;
use crate::error::{Error, Kind};
use crate::files;
use crate::shell::quoted;
use crate::show;
use crate::world::Env;

/// Why a file cannot be run, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) cause: String,
    pub(super) fix: String,
}

impl Obstacle {
    /// The error for the program `shown`.
    pub(super) fn explain(self, shown: &str) -> Error {
        Error::new(Kind::Configuration, format!("cannot run {shown}"))
            .cause(self.cause)
            .fix(self.fix)
    }
}

/// The error code for a file that the system cannot run: `ENOEXEC`, `ERROR_BAD_EXE_FORMAT`.
const NOT_A_PROGRAM: i32 = if cfg!(windows) { 193 } else { 8 };

/// `E2BIG`, `ENFILE` and `EMFILE` of Unix.
const TOO_LONG: i32 = 7;
const TOO_MANY_FILES_OF_ALL: i32 = 23;
const TOO_MANY_FILES: i32 = 24;

/// `ERROR_EXE_MACHINE_TYPE_MISMATCH`.
const OTHER_MACHINE: i32 = 216;

/// The number of bytes to read from the start of a file.
const HEAD: u64 = 256;

/// The processor architectures in the header of an ELF file, with the name that Rust uses.
const MACHINES: [(u16, &str); 8] = [
    (3, "x86"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (258, "loongarch64"),
];

/// The fix if the operating system refuses a process or a thread.
pub const MORE_PROCESSES: &str = if cfg!(windows) {
    "close other programs on this host"
} else {
    "raise the limit on processes (ulimit -u)"
};

/// The reason for `error` if it does not depend on the file of the program.
pub(super) fn of_system(error: &io::Error) -> Option<Obstacle> {
    let fix = match error.raw_os_error()? {
        TOO_MANY_FILES | TOO_MANY_FILES_OF_ALL => files::MORE_FILES,
        TOO_LONG => "shorten the arguments and the environment variables",
        _ if error.kind() == io::ErrorKind::WouldBlock => MORE_PROCESSES,
        _ => return None,
    };
    cfg!(unix).then(|| Obstacle { cause: error.to_string(), fix: fix.to_owned() })
}

/// The reason that the system did not start a file and returned `error`; `None` if the file does
/// not show the reason.
pub(super) fn of_file(path: &Path, error: &io::Error, env: &Env) -> Option<Obstacle> {
    let code = error.raw_os_error()?;
    let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
    if is_refused && !files::is_executable(path) {
        return Some(not_executable(path));
    }
    let is_format = matches!(code, NOT_A_PROGRAM | OTHER_MACHINE);
    let is_missing = error.kind() == io::ErrorKind::NotFound && files::exists(path);
    if !is_format && !is_missing && !is_refused {
        return None;
    }
    let head = head(path)?;
    match head.strip_prefix(b"#!") {
        Some(line) => shebang::obstacle(path, line, env),
        None if is_refused => None,
        None if is_missing => of_loader(&head),
        None => Some(of_format(&head)),
    }
}

/// The reason that a file will not start, as far as it is known before the start: its mode, or the
/// first line of a script. Whether the system runs a program for another processor is not known.
pub(super) fn before_start(path: &Path, env: &Env) -> Option<Obstacle> {
    if !files::is_executable(path) {
        return Some(not_executable(path));
    }
    let head = head(path).filter(|_| cfg!(unix))?;
    match head.strip_prefix(b"#!") {
        Some(line) => shebang::obstacle(path, line, env),
        None => (!head.contains(&0)).then(|| of_format(&head)),
    }
}

/// Why no file is found at the path of a program.
pub(super) fn of_path(name: &OsStr) -> Option<Obstacle> {
    let path = Path::new(name);
    if path.is_dir() {
        let fix = "add the name of the program to the path".to_owned();
        return Some(Obstacle { cause: "it is a directory".to_owned(), fix });
    }
    path.is_symlink().then(|| Obstacle {
        cause: "it is a link to a file that does not exist".to_owned(),
        fix: format!("install the program again, or correct the link {}", show::path(path)),
    })
}

fn not_executable(path: &Path) -> Obstacle {
    let shown = path.display().to_string();
    match files::is_on_noexec(path) {
        true => Obstacle {
            cause: "its file system is mounted with the option noexec".to_owned(),
            fix: "move the program to another file system, for example to /usr/local/bin"
                .to_owned(),
        },
        false => Obstacle {
            cause: "it is not executable".to_owned(),
            fix: format!("run chmod +x {}", quoted(&shown)),
        },
    }
}

/// The first bytes of a file.
fn head(path: &Path) -> Option<Vec<u8>> {
    let (mut bytes, file) = (Vec::new(), files::open_regular(path).ok()?);
    file.take(HEAD).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The reason that a text without a `#!` line does not start. The C library of many systems runs it
/// with a shell, but most clients do not.
pub(super) fn of_text(path: &Path) -> Option<Obstacle> {
    let head = head(path).filter(|_| cfg!(unix) && files::is_executable(path))?;
    match head.strip_prefix(b"#!") {
        Some(line) => shebang::without_name(line),
        None => (!head.contains(&0)).then(|| of_format(&head)),
    }
}

/// The exit statuses of shells and of `env` if they cannot run a file.
const CANNOT_RUN: [i32; 3] = [2, 126, 127];

/// The reason that a program ended with `status`, if the status is one of [`CANNOT_RUN`]. `env`
/// returns such a status for a script that it cannot run. A shell returns one for a file that the
/// system cannot run and that the C library passes to the shell.
pub(super) fn of_failed(path: &Path, status: ExitStatus, env: &Env) -> Option<Obstacle> {
    let head =
        head(path).filter(|_| status.code().is_some_and(|code| CANNOT_RUN.contains(&code)))?;
    match head.strip_prefix(b"#!") {
        Some(line) => shebang::obstacle(path, line, env),
        None => machine(&head)
            .and_then(of_machine)
            .or_else(|| of_other_system(&head))
            .or_else(|| of_archive(&head)),
    }
}

/// What an exit status of a shell usually means.
pub(super) fn of_status(code: i32) -> Option<&'static str> {
    match code {
        126 => Some("usually a program that it runs is not executable"),
        127 => Some("usually a program that it runs is not in PATH"),
        _ => None,
    }
}

/// The reason that a program without its dynamic loader does not start.
fn of_loader(head: &[u8]) -> Option<Obstacle> {
    if let Some(obstacle) = machine(head).and_then(of_machine) {
        return Some(obstacle);
    }
    head.starts_with(b"\x7fELF").then(|| Obstacle {
        cause: "its dynamic loader does not exist, usually because it was built for another C \
                library (glibc or musl)"
            .to_owned(),
        fix: "install a build for this distribution, or a statically linked one".to_owned(),
    })
}

/// The reason that a program for another operating system does not start.
fn of_other_system(head: &[u8]) -> Option<Obstacle> {
    let system = match head {
        [b'M', b'Z', ..] if !cfg!(windows) => "Windows",
        [0x7f, b'E', b'L', b'F', ..] if !cfg!(target_os = "linux") => "Linux",
        [0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..]
            if !cfg!(target_os = "macos") =>
        {
            "macOS"
        }
        _ => return None,
    };
    Some(of_wrong_build(format!("it is a program for {system}")))
}

/// The reason that an archive does not start.
fn of_archive(head: &[u8]) -> Option<Obstacle> {
    let archives: [&[u8]; 4] = [b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ"];
    archives.iter().any(|start| head.starts_with(start)).then(|| Obstacle {
        cause: "it is an archive or a compressed file".to_owned(),
        fix: "unpack the file, and run the program in it".to_owned(),
    })
}

fn of_wrong_build(cause: String) -> Obstacle {
    Obstacle { cause, fix: format!("install a build for {}", this_system()) }
}

/// The reason that a file which is neither a script with a `#!` line nor a program for this system
/// does not start.
fn of_format(head: &[u8]) -> Obstacle {
    let of_other = || {
        let of_program = machine(head).and_then(of_machine).or_else(|| of_other_system(head));
        of_program.or_else(|| of_archive(head))
    };
    match head {
        [] => Obstacle {
            cause: "it is empty".to_owned(),
            fix: "restore the file, or check its path".to_owned(),
        },
        [0xef, 0xbb, 0xbf, ..] => Obstacle {
            cause: "it begins with a byte order mark".to_owned(),
            fix: "save the file as UTF-8 without a byte order mark".to_owned(),
        },
        _ if head.trim_ascii_start().starts_with(b"<") => Obstacle {
            cause: "it is HTML or XML, usually an error page in place of the download".to_owned(),
            fix: "download the program again".to_owned(),
        },
        _ if !head.contains(&0) => without_interpreter("it has no #! line"),
        _ => of_other().unwrap_or_else(|| {
            of_wrong_build("it is damaged or not a program for this system".to_owned())
        }),
    }
}

fn this_system() -> String {
    format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The reason that a program for this processor architecture does not start, if this host has
/// another one.
fn of_machine(machine: u16) -> Option<Obstacle> {
    let (_, name) = MACHINES.iter().find(|(number, _)| *number == machine)?;
    (*name != std::env::consts::ARCH)
        .then(|| of_wrong_build(format!("it is built for the processor architecture {name}")))
}

/// The processor architecture in the header of an ELF file.
fn machine(head: &[u8]) -> Option<u16> {
    let [low, high] = head.get(18..20)?.try_into().ok()?;
    head.starts_with(b"\x7fELF").then(|| match head.get(5) {
        Some(2) => u16::from_be_bytes([low, high]),
        _ => u16::from_le_bytes([low, high]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of an ELF file for a processor architecture.
    fn elf(number: u16, is_big_endian: bool) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..4].copy_from_slice(b"\x7fELF");
        head[5] = 1 + u8::from(is_big_endian);
        let number = if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
        head[18..20].copy_from_slice(&number);
        head
    }

    #[test]
    fn the_architecture_of_a_program_is_named() {
        for (head, named) in [
            (elf(22, true), "s390x"),
            (elf(243, false), "riscv64"),
            (b"MZ\x90\0\x03".to_vec(), if cfg!(windows) { "damaged" } else { "Windows" }),
            (
                b"\xcf\xfa\xed\xfe\0".to_vec(),
                if cfg!(target_os = "macos") { "damaged" } else { "macOS" },
            ),
            (b"\0\x01".to_vec(), "not a program for this system"),
            (b"".to_vec(), "empty"),
            (b"\xef\xbb\xbf#!/bin/sh\n".to_vec(), "byte order mark"),
            (b"echo x\n".to_vec(), "no #! line"),
            (b"<!DOCTYPE html>".to_vec(), "HTML"),
            (b"\x1f\x8b\x08\0".to_vec(), "archive"),
        ] {
            let obstacle = of_format(&head);
            assert!(obstacle.cause.contains(named), "{obstacle:?}");
        }
        let own = MACHINES.iter().find(|(_, name)| *name == std::env::consts::ARCH);
        assert_eq!(own.and_then(|(number, _)| of_machine(*number)), None);
    }

    #[test]
    fn a_missing_loader_is_reported_for_the_architecture_of_this_host() {
        let own = MACHINES.iter().find(|(_, name)| *name == std::env::consts::ARCH);
        let loader = own.and_then(|(number, _)| of_loader(&elf(*number, false)));
        assert!(loader.is_none_or(|obstacle| obstacle.cause.contains("dynamic loader")));
        assert_eq!(of_loader(b"text"), None);
    }
}
