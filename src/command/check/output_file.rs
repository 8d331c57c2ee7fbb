//! The place of the output file of a configuration: its directory exists, this user can write to
//! it, and other users cannot replace or plant a file in it.

use std::path::Path;

use super::report::Report;
use crate::error::Kind;
use crate::files;
use crate::shell::quoted;

/// Returns whether the content of the file can be judged.
pub(super) fn check(path: &Path, report: &mut Report) -> bool {
    let before = report.findings.len();
    place(path, report);
    report.findings.len() == before
}

fn place(path: &Path, report: &mut Report) {
    let link = "output file";
    let shown = path.display();
    if !path.is_absolute() {
        let message =
            format!("{shown} is not an absolute path, and clients run in other directories");
        report.warning(link, message, "use an absolute path in executable.output_file");
        return;
    }
    let directory = path.parent().unwrap_or(path);
    let shown_directory = directory.display().to_string();
    if let Some(why) = not_a_file(path) {
        let message = format!("{shown} {why}, so no token is cached");
        let fix = "set executable.output_file to the path of a file";
        report.broken(link, Kind::Configuration, message, fix);
    } else if !directory.is_dir() {
        let message = format!("the directory {shown_directory} does not exist");
        report.broken(
            link,
            Kind::Configuration,
            message,
            format!("run mkdir -m 700 -p {}", quoted(&shown_directory)),
        );
    } else if let Some(who) = files::writable_by_others(directory) {
        report.broken(
            link,
            Kind::Configuration,
            format!("{who} can replace the files in {shown_directory}"),
            format!("run chmod 700 {}", quoted(&shown_directory)),
        );
    } else if files::is_shared_directory(directory) {
        report.warning(
            link,
            format!("every user can create files in {shown_directory}"),
            "move the output file to a directory that only this user can access",
        );
    } else if !files::may_write(directory) {
        let message = format!("this user cannot write to {shown_directory}, so no token is cached");
        let fix = "set executable.output_file to a path in a writable directory";
        report.broken(link, Kind::Configuration, message, fix);
    }
}

/// Why a path can never be an output file.
fn not_a_file(path: &Path) -> Option<&'static str> {
    let ends_with_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match path.metadata() {
        Ok(file) if file.is_dir() => Some("is a directory"),
        Ok(file) if !file.is_file() => Some("is not a regular file"),
        _ => ends_with_slash.then_some("names a directory"),
    }
}
