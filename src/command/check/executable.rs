//! Checks the executable of a configuration: clients must be allowed to run it, all of them must
//! split its command in the same way, it must exist, and other users must not be able to replace
//! it.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::shell_syntax::Verdict;
use super::{command_options, command_words, output_document, output_file};
use crate::client::executable::{self, Allowed, OPT_IN};
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::{
    CredentialSource, INTERACTIVE_TIMEOUTS_MS, TIMEOUTS_MS,
};
use crate::context::Context;
use crate::error::Kind;
use crate::files;
use crate::program;
use crate::show;

/// Returns why the command must not be used to get a token; `None` if it may be used.
pub(super) fn check(
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) -> Option<&'static str> {
    let CredentialSource::Executable { command, timeout_ms, interactive_timeout_ms, output_file } =
        &config.source
    else {
        return None;
    };
    let allowed = opt_in(cx, report);
    let verdict = command_words::check(command, cx, report);
    if verdict == Verdict::Usable {
        program_file(command, cx, report);
    }
    timeout(*timeout_ms, *interactive_timeout_ms, report);
    if interactive_timeout_ms.is_some() && output_file.is_none() {
        let message = "interactive_timeout_millis is set, but output_file is not, and clients read \
                       the token of a signed-in user only from that file";
        report.warning("output file", message, "set executable.output_file to an absolute path");
    }
    let is_safe = verdict == Verdict::Wrong
        || command_options::check(command, allowed.as_ref(), config, cx, report);
    if let Some(path) = output_file {
        match &allowed {
            _ if !output_file::check(path, interactive_timeout_ms.is_some(), report) => {}
            Some(allowed) => output_document::check(path, allowed, config, cx, report),
            None => {
                report.ok("output file", path.display().to_string());
            }
        }
    }
    match (allowed, verdict) {
        (None, _) => Some("executables are not allowed"),
        (_, Verdict::NoProgram) => Some("the command does not name a program"),
        (_, Verdict::Wrong) => Some("the command must be corrected first"),
        (_, Verdict::Usable) => {
            (!is_safe).then_some("the command would overwrite a file that has another purpose")
        }
    }
}

/// Reports whether the environment allows clients to run an executable.
fn opt_in(cx: &Context, report: &mut Report) -> Option<Allowed> {
    let link = "executable";
    let allowed = Allowed::by(&cx.env).ok();
    if allowed.is_some() {
        report.ok(link, "clients are allowed to run an executable");
        return allowed;
    }
    let value = cx.env.get(OPT_IN).unwrap_or_default();
    let value = value.to_string_lossy();
    let why = match value.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c)) {
        "1" => "has spaces or quotation marks around 1",
        _ => "is not 1",
    };
    report.broken(
        link,
        Kind::Configuration,
        format!("clients refuse to run an executable, because {OPT_IN} {why}"),
        format!("set {OPT_IN}=1 in the environment of the client and of wif-token check"),
    );
    None
}

const FIX_COMMAND: &str = "correct the path in executable.command";

fn program_file(command: &str, cx: &Context, report: &mut Report) {
    let link = "program";
    let words = executable::words(command);
    let Some(name) = words.first() else {
        report.broken(link, Kind::Configuration, "the command is empty", "set executable.command");
        return;
    };
    let path = Path::new(name);
    let shown = show::path(path);
    if let Some(error) = program::obstacle(name, &cx.env) {
        report.error(link, &error);
        return;
    }
    let Some(found) = program::find(name, &cx.env) else {
        if let Some(host) = files::another_system(&name.to_string_lossy()) {
            let what = format!("{shown} is a {host} path, but this host does not run {host}");
            let fix = format!(
                "set executable.command to {}, or run check on the host of the client",
                command_words::on_this_host(command)
            );
            report.broken(link, Kind::Absent, what, fix);
            return;
        }
        report.broken(link, Kind::Absent, format!("{shown} does not exist"), FIX_COMMAND);
        return;
    };
    let place = show::path(&found);
    let mut places = vec![found.clone()];
    places.extend(found.parent().map(Path::to_owned));
    let words = words.iter().filter_map(|word| word.to_str()?.strip_prefix("--args-file="));
    places.extend(words.map(PathBuf::from));
    for place in &places {
        if let Some(who) = files::writable_by_others(place) {
            let fix = format!("run {}", files::no_writers_command(place));
            let place = show::path(place);
            let message = format!("{who} can write to {place} and so impersonate this workload");
            report.broken(link, Kind::Configuration, message, fix);
            return;
        }
    }
    let owned = places.iter().find_map(|place| Some((place, files::other_owner(place)?)));
    if let Some((place, owner)) = owned {
        let fix = format!("run {}", files::own_command(place));
        let message = format!(
            "{} belongs to {owner}, who can change it and so impersonate this workload",
            show::path(place)
        );
        report.warning(link, message, fix);
        return;
    }
    if !path.is_absolute() {
        let why = match path.components().count() {
            1 => "clients may have a different PATH",
            _ => "clients may run in a different directory",
        };
        let message = format!("{shown} is not an absolute path, and {why}");
        let place = files::absolute(&found).display().to_string();
        report.warning(link, message, format!("use {place} in executable.command"));
        return;
    }
    report.ok(link, place);
}

fn timeout(timeout_ms: u64, interactive_ms: Option<u64>, report: &mut Report) {
    let link = "timeout";
    let members = [
        ("timeout_millis", Some(timeout_ms), TIMEOUTS_MS),
        ("interactive_timeout_millis", interactive_ms, INTERACTIVE_TIMEOUTS_MS),
    ];
    for (name, value, accepted) in members {
        if let Some(ms) = value.filter(|ms| !accepted.contains(ms)) {
            let (least, most) = accepted.into_inner();
            let fix = format!("set {name} to a value from {least} to {most}");
            report.broken(link, Kind::Configuration, format!("{name} is {ms}"), fix);
            return;
        }
    }
    report.ok(link, format!("{timeout_ms} ms"));
}
