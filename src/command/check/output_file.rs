//! Checks the location of the output file of a configuration: its directory must exist, this user
//! must be able to write to it, and other users must not be able to replace or plant a file in it.

use std::path::{Path, PathBuf};

use super::report::Report;
use crate::contract::existing::is_document_file;
use crate::error::Kind;
use crate::files;
use crate::files::ownership::{self, Existing, Refusal};
use crate::lock;
use crate::shell;
use crate::show;

/// Checks the location of the output file. Returns whether it has no problems, so that the content
/// can be checked. `is_required`: clients read the token only from this file, because a user signs
/// in.
pub(super) fn check(path: &Path, is_required: bool, report: &mut Report) -> bool {
    let before = report.findings.len();
    place(path, is_required, report);
    report.findings.len() == before
}

fn place(path: &Path, is_required: bool, report: &mut Report) {
    let link = "output file";
    let shown = show::path(path);
    if let Some((text, _)) = shell::expansion(&shown) {
        let message = format!("clients do not expand {text} in executable.output_file");
        let fix = "set executable.output_file to an absolute path without variables";
        return not_cached(&message, fix, is_required, report);
    }
    if !path.is_absolute() {
        let message = format!(
            "{shown} is not an absolute path, and clients may run in a different directory"
        );
        report.warning(link, message, "use an absolute path in executable.output_file");
        return;
    }
    let directory = path.parent().unwrap_or(path);
    let shown_directory = show::path(directory);
    if !directory.is_dir() {
        missing_directory(directory, is_required, report);
    } else if let Err((path, refusal)) = existing_files(path) {
        let fix = refusal.fix(&path, "executable.output_file");
        let message = format!("{} is not used: {refusal}", show::path(&path));
        match refusal {
            Refusal::OtherOwner | Refusal::WritableByOthers => report.warning(link, message, fix),
            _ => report.broken(link, Kind::Configuration, message, fix),
        };
    } else if let Some(who) = files::writable_by_others(directory) {
        report.broken(
            link,
            Kind::Configuration,
            format!("{who} can replace the files in {shown_directory}"),
            format!("run {}", files::owner_only_command(directory)),
        );
    } else if files::is_shared_directory(directory) {
        report.warning(
            link,
            format!("every user can create files in {shown_directory}"),
            "move the output file to a directory that only this user can access",
        );
    } else if !files::may_write(directory) {
        let message = format!("this user cannot write to {shown_directory}");
        let fix = "set executable.output_file to a path in a writable directory";
        not_cached(&message, fix, is_required, report);
    }
}

/// Reports a problem that prevents caching. Without the file, each run of a client gets a new
/// token, or no token if the file is required.
fn not_cached(what: &str, fix: &str, is_required: bool, report: &mut Report) {
    let link = "output file";
    match is_required {
        true => {
            let message = format!("{what}, so clients do not get the token of a signed-in user");
            report.broken(link, Kind::Configuration, message, fix)
        }
        false => report.warning(link, format!("{what}, so no token is cached"), fix),
    };
}

fn missing_directory(directory: &Path, is_required: bool, report: &mut Report) {
    let existing = directory.ancestors().find(|path| path.exists());
    let (what, fix) = match existing.filter(|path| !path.is_dir()) {
        Some(file) => (
            format!("{} is not a directory", show::path(file)),
            "set executable.output_file to a path in a writable directory".to_owned(),
        ),
        None => {
            let refusal = Refusal::NoDirectory(directory.to_owned());
            (refusal.to_string(), refusal.fix(directory, "executable.output_file"))
        }
    };
    not_cached(&what, &fix, is_required, report);
}

/// Checks that an existing file and the lock next to it are trusted. The content is checked later.
fn existing_files(path: &Path) -> Result<(), (PathBuf, Refusal)> {
    let is_ours = |existing: &Existing<'_>| is_document_file(existing, None);
    ownership::require_replaceable(path, is_ours)
        .or_else(|refusal| match refusal {
            Refusal::OtherContent => Ok(()),
            refusal => Err(refusal),
        })
        .and_then(|()| ownership::read_trusted(path))
        .map_err(|refusal| (path.to_owned(), refusal))?;
    let lock = lock::path_beside(path);
    ownership::read_trusted(&lock).map(drop).map_err(|refusal| (lock, refusal))
}
