//! The executable of a configuration: clients are allowed to run it, all of them split its command
//! in the same way, it exists, and other users cannot replace it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::output_file;
use super::report::Report;
use crate::client::executable::{self, OPT_IN};
use crate::command::config::is_portable;
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::shell::quoted;
use crate::show;
use crate::source::command_line;
use crate::token::TokenType;

/// The timeouts that clients accept, in milliseconds.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 5_000..=120_000;
/// The timeouts that clients accept while a user signs in, in milliseconds.
const INTERACTIVE_TIMEOUTS: std::ops::RangeInclusive<u64> = 30_000..=1_800_000;

pub(super) fn check(config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let CredentialSource::Executable { command, timeout_ms, interactive_timeout_ms, output_file } =
        &config.source
    else {
        return;
    };
    let link = "executable";
    match cx.env.get(OPT_IN).is_some_and(|value| value == "1") {
        true => report.ok(link, "clients are allowed to run an executable"),
        false => report.broken(
            link,
            Kind::Configuration,
            "clients refuse to run an executable here",
            format!("set {OPT_IN}=1 in the environment of the client"),
        ),
    };
    split(command, report);
    program(command, cx, report);
    timeout(*timeout_ms, *interactive_timeout_ms, report);
    if let Some(args) = executable::this_program(command) {
        arguments(args, *timeout_ms, config, report);
    }
    if let Some(path) = output_file {
        output_file::check(path, report);
    }
}

fn split(command: &str, report: &mut Report) {
    let link = "command";
    let trouble = [
        (command.contains('\\'), "a backslash, which Python removes", "use / in paths"),
        (
            command.contains(['"', '\'']),
            "quotes, which Go, Java, gcloud and Rust do not interpret",
            ARGS,
        ),
        (
            command.contains("  "),
            "consecutive spaces, which Java reads as an empty argument",
            "use one space",
        ),
        (command.contains('\t'), "a tab", "use a space"),
        (
            command.split(' ').any(|word| !is_portable(word)),
            "shell metacharacters, which PHP and Ruby may interpret",
            ARGS,
        ),
    ];
    match trouble.into_iter().find(|(found, ..)| *found) {
        Some((_, what, fix)) => {
            report.warning(link, format!("the command contains {what}"), fix);
        }
        None => {
            report.ok(link, "all clients split the command in the same way");
        }
    }
}

const ARGS: &str = "move the arguments to a file and use --args-file=PATH";

const FIX_COMMAND: &str = "correct the path in executable.command";

fn program(command: &str, cx: &Context, report: &mut Report) {
    let link = "program";
    let words = executable::words(command);
    let Some(name) = words.first() else {
        report.broken(link, Kind::Configuration, "the command is empty", "set executable.command");
        return;
    };
    let path = Path::new(name);
    let shown = show::path(path);
    let Some(found) = find(path, cx) else {
        report.broken(link, Kind::Absent, format!("{shown} does not exist"), FIX_COMMAND);
        return;
    };
    let place = show::path(&found);
    if !files::is_executable(&found) {
        let fix = format!("run chmod +x {}", quoted(&place));
        report.broken(link, Kind::Configuration, format!("{shown} is not executable"), fix);
        return;
    }
    let mut places = vec![found.clone()];
    places.extend(found.parent().map(Path::to_owned));
    let words = words.iter().filter_map(|word| word.to_str()?.strip_prefix("--args-file="));
    places.extend(words.map(PathBuf::from));
    for place in &places {
        if let Some(who) = files::writable_by_others(place) {
            let place = show::path(place);
            let fix = format!("run chmod go-w {}", quoted(&place));
            let message = format!("{who} can write to {place} and so impersonate this workload");
            report.broken(link, Kind::Configuration, message, fix);
            return;
        }
    }
    if !path.is_absolute() {
        let message = format!("{shown} is not an absolute path, and clients may have another PATH");
        report.warning(link, message, format!("use {place} in executable.command"));
        return;
    }
    report.ok(link, place);
}

fn find(path: &Path, cx: &Context) -> Option<PathBuf> {
    if path.components().count() > 1 {
        return path.is_file().then(|| path.to_owned());
    }
    let directories = cx.env.get("PATH")?;
    std::env::split_paths(&directories)
        .map(|directory| directory.join(path))
        .find(|path| path.is_file())
}

fn timeout(timeout_ms: u64, interactive_ms: Option<u64>, report: &mut Report) {
    let link = "timeout";
    if !TIMEOUTS.contains(&timeout_ms) {
        report.broken(
            link,
            Kind::Configuration,
            format!("timeout_millis is {timeout_ms}"),
            "set timeout_millis to a value from 5000 to 120000",
        );
    } else if let Some(ms) = interactive_ms.filter(|ms| !INTERACTIVE_TIMEOUTS.contains(ms)) {
        report.broken(
            link,
            Kind::Configuration,
            format!("interactive_timeout_millis is {ms}"),
            "set interactive_timeout_millis to a value from 30000 to 1800000",
        );
    } else {
        report.ok(link, format!("{timeout_ms} ms"));
    }
}

/// The options in a command that runs this program.
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
        let what = format!("the source {name} returns a token of type {}", given.urn());
        let error = Error::new(Kind::Configuration, what)
            .fix(format!("set subject_token_type to {}", given.urn()));
        report.error(link, &error);
        return;
    }
    if timeout.as_millis() > u128::from(timeout_ms) {
        let seconds = timeout.as_secs();
        report.warning(
            link,
            format!("clients wait {timeout_ms} ms, but wif-token may run for {seconds} s"),
            format!(
                "raise timeout_millis, or add --timeout={} to the command",
                timeout_ms.div_euclid(1000).max(2) - 1
            ),
        );
        return;
    }
    report.ok(link, format!("the source {name}"));
}

/// The token type, with one name for both kinds of JWT.
fn kind(token_type: TokenType) -> TokenType {
    if token_type == TokenType::IdToken { TokenType::Jwt } else { token_type }
}
