//! The executable of a configuration: allowed, split alike by all clients, there, and nobody else's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::report::Report;
use crate::client::executable::{self, OPT_IN};
use crate::command::config::is_portable;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::shell::quoted;
use crate::source::command_line;
use crate::token::TokenType;

/// Milliseconds that a client takes as its time-out.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 5_000..=120_000;
/// The same while a person signs in.
const INTERACTIVE_TIMEOUTS: std::ops::RangeInclusive<u64> = 30_000..=1_800_000;

pub(super) fn check(config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let CredentialSource::Executable { command, timeout_ms, interactive_timeout_ms, output_file } =
        &config.source
    else {
        return;
    };
    let link = "executable";
    match cx.env.get(OPT_IN).is_some_and(|value| value == "1") {
        true => report.ok(link, "clients may run one"),
        false => report.wrong(
            link,
            Kind::Configuration,
            "no client runs an executable here",
            format!("set {OPT_IN}=1 in the environment of the client"),
        ),
    };
    split(command, report);
    program(command, cx, report);
    time_out(*timeout_ms, *interactive_timeout_ms, report);
    if let Some(args) = executable::this_program(command) {
        arguments(args, *timeout_ms, config, report);
    }
    if let Some(path) = output_file {
        folder_of(path, report);
    }
}

fn split(command: &str, report: &mut Report) {
    let link = "command";
    let trouble = [
        (command.contains('\\'), "a backslash, which Python eats", "write / in paths"),
        (
            command.contains(['"', '\'']),
            "quotes, which Go, Java, gcloud and Rust do not know",
            ARGS,
        ),
        (command.contains("  "), "two blanks, which Java takes for an empty word", "write one"),
        (command.contains('\t'), "a tab", "write a blank"),
        (
            command.split(' ').any(|word| !is_portable(word)),
            "signs that a shell reads, which PHP and Ruby may run",
            ARGS,
        ),
    ];
    match trouble.into_iter().find(|(found, ..)| *found) {
        Some((_, what, fix)) => {
            report.warning(link, format!("the command line holds {what}"), fix);
        }
        None => {
            report.ok(link, "every client splits it alike");
        }
    }
}

const ARGS: &str = "move the arguments into a file: --args-file=PATH";

fn program(command: &str, cx: &Context, report: &mut Report) {
    let link = "program";
    let words = executable::words(command);
    let Some(name) = words.first() else {
        report.wrong(link, Kind::Configuration, "the command is empty", "name a program in it");
        return;
    };
    let path = Path::new(name);
    let shown = path.display();
    let Some(found) = find(path, cx) else {
        report.wrong(link, Kind::Absent, format!("there is no {shown}"), "correct the command");
        return;
    };
    let place = found.display().to_string();
    if !files::is_executable(&found) {
        let fix = format!("run chmod +x {}", quoted(&place));
        report.wrong(link, Kind::Configuration, format!("{shown} is not executable"), fix);
        return;
    }
    let places = [Some(found.as_path()), found.parent()].into_iter().flatten();
    for place in places {
        if let Some(who) = files::writable_by_others(place) {
            let place = place.display().to_string();
            let fix = format!("run chmod go-w {}: who writes it is this workload", quoted(&place));
            report.wrong(link, Kind::Configuration, format!("{who} may write {place}"), fix);
            return;
        }
    }
    if !path.is_absolute() {
        let message = format!("{shown} is no absolute path: clients have a PATH of their own");
        report.warning(link, message, format!("write {place}"));
        return;
    }
    report.ok(link, place);
}

fn find(path: &Path, cx: &Context) -> Option<PathBuf> {
    if path.components().count() > 1 {
        return path.is_file().then(|| path.to_owned());
    }
    let folders = cx.env.get("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(path)).find(|path| path.is_file())
}

fn time_out(timeout_ms: u64, interactive_ms: Option<u64>, report: &mut Report) {
    let link = "timeout";
    if !TIMEOUTS.contains(&timeout_ms) {
        report.wrong(
            link,
            Kind::Configuration,
            format!("timeout_millis is {timeout_ms}"),
            "it has to be 5000 to 120000",
        );
    } else if let Some(ms) = interactive_ms.filter(|ms| !INTERACTIVE_TIMEOUTS.contains(ms)) {
        report.wrong(
            link,
            Kind::Configuration,
            format!("interactive_timeout_millis is {ms}"),
            "it has to be 30000 to 1800000",
        );
    } else {
        report.ok(link, format!("{timeout_ms} ms"));
    }
}

/// The options of this very program.
fn arguments(args: Vec<OsString>, timeout_ms: u64, config: &CredentialConfig, report: &mut Report) {
    let link = "options";
    let built = command_line::parse(args).and_then(|line| {
        Ok((line.common.timeout(), line.info.name, (line.info.build)(&line.values)?))
    });
    let (timeout, name, source) = match built {
        Ok(built) => built,
        Err(error) => {
            report.error(link, &error);
            return;
        }
    };
    if let Some(given) = source.trust().token_type
        && kind(given) != kind(config.token_type)
    {
        let what = format!("{name} gives {}", given.urn());
        let error = Error::new(Kind::Configuration, what)
            .fix("make subject_token_type and the command match");
        report.error(link, &error);
        return;
    }
    if timeout.as_millis() > u128::from(timeout_ms) {
        let seconds = timeout.as_secs();
        report.warning(
            link,
            format!("clients give up after {timeout_ms} ms, wif-token after {seconds} s"),
            format!(
                "raise timeout_millis, or add --timeout={}",
                timeout_ms.div_euclid(1000).max(2) - 1
            ),
        );
        return;
    }
    report.ok(link, format!("the source {name}"));
}

/// JWTs are alike, whatever they are called.
fn kind(token_type: TokenType) -> TokenType {
    if token_type == TokenType::IdToken { TokenType::Jwt } else { token_type }
}

fn folder_of(path: &Path, report: &mut Report) {
    let link = "output file";
    let shown = path.display();
    if !path.is_absolute() {
        let message = format!("{shown} is no absolute path: clients run in folders of their own");
        report.warning(link, message, "write the whole path");
        return;
    }
    let folder = path.parent().unwrap_or(path);
    let in_folder = folder.display().to_string();
    if !folder.is_dir() {
        let message = format!("the folder {in_folder} does not exist");
        report.wrong(
            link,
            Kind::Configuration,
            message,
            format!("run mkdir -m 700 -p {}", quoted(&in_folder)),
        );
    } else if let Some(who) = files::writable_by_others(folder) {
        report.wrong(
            link,
            Kind::Configuration,
            format!("{who} may replace what is in {in_folder}"),
            format!("run chmod 700 {}: tokens are for its user alone", quoted(&in_folder)),
        );
    } else if files::is_shared_folder(folder) {
        report.warning(
            link,
            format!("everyone may make files in {in_folder}"),
            "keep the output file in a folder of its user alone",
        );
    } else if !files::may_write(folder) {
        let message = format!("this user may not write in {in_folder}: nothing is kept");
        report.wrong(link, Kind::Configuration, message, "choose another output_file");
    } else {
        report.ok(link, shown.to_string());
    }
}
