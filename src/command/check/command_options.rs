//! Checks the options in a command that runs this program: they must be valid, and none of them may
//! change what clients rely on.
//!
//! If executables are not allowed, the words of the command are still checked, but its arguments file
//! is not read.

use std::ffi::OsString;
use std::path::Path;

use super::report::Report;
use crate::client::executable::{Allowed, Target, words};
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CredentialSource;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files::{self, ownership::Refusal};
use crate::options::{COMMON, Format, OF_SOURCES, OptionInfo};
use crate::program;
use crate::shell;
use crate::source::command_line::{self, SourceLine};
use crate::token::{Audience, TokenType};
use crate::world;

const LINK: &str = "options";

/// Returns false if the command would overwrite a file that has another purpose.
pub(super) fn check(
    command: &str,
    allowed: Option<&Allowed>,
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) -> bool {
    let (args, is_this) = match Target::of(command, &cx.env) {
        Target::ThisProgram(args) => (args, true),
        Target::Other => match named_like_this(command) {
            Some(args) => (args, false),
            None => return true,
        },
    };
    if allowed.is_none() && has_arguments_file(&args) {
        report.skipped(LINK, "the --args-file is not read unless executables are allowed");
        return true;
    }
    let relative = relative_arguments_file(&args);
    match command_line::parse(args) {
        Ok(line) => return options(&line, relative, config, report),
        // Another version may have other options. If they are wrong, its own message says so later.
        Err(_) if !is_this && exists(command, cx) => {
            report.skipped(LINK, "the command runs a different version of wif-token");
        }
        Err(error) => {
            report.error(LINK, &error);
        }
    }
    true
}

/// The arguments in a command, if its program has the name of this one.
fn named_like_this(command: &str) -> Option<Vec<OsString>> {
    let mut words = words(command).into_iter();
    let program = words.next()?;
    program::is_named_like_this(program.to_str()?).then(|| words.collect())
}

fn exists(command: &str, cx: &Context) -> bool {
    words(command).first().is_some_and(|name| program::find(name, &cx.env).is_some())
}

fn has_arguments_file(args: &[OsString]) -> bool {
    let options = args.iter().take_while(|word| *word != "--");
    options
        .filter_map(|word| word.to_str())
        .any(|word| word.split_once('=').map_or(word, |(name, _)| name) == "--args-file")
}

/// The name of `--args-file`, which the parser replaces with the content of the file, if its path
/// is relative.
fn relative_arguments_file(args: &[OsString]) -> Option<&'static str> {
    let options = args.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
    let mut paths = options.filter_map(|word| word.strip_prefix("--args-file="));
    paths.any(|path| is_relative(Path::new(path))).then_some("args-file")
}

/// Reports what the options do to clients. The first problem of each kind is reported. Returns
/// false if the command would overwrite a file that has another purpose.
fn options(
    line: &SourceLine,
    relative: Option<&'static str>,
    config: &CredentialConfig,
    report: &mut Report,
) -> bool {
    let source = match (line.info.build)(&line.values) {
        Ok(source) => source,
        Err(error) => {
            report.error(LINK, &error);
            return true;
        }
    };
    let before = report.findings.len();
    if let Some(error) = token_type(line, source.trust().token_type, config) {
        report.error(LINK, &error);
    }
    contract(line, config, report);
    let conflict = conflict(line, config);
    if let Some(error) = &conflict {
        report.error(LINK, error);
    } else if let Some(path) = &line.common.log_file {
        log_file(path, report);
    }
    if let Some(option) = relative.or_else(|| relative_path(line)) {
        let what = format!(
            "--{option} is not an absolute path, and clients may run in a different directory"
        );
        report.warning(LINK, what, format!("use an absolute path for --{option}"));
    }
    timeout(line, config, report);
    if report.findings.len() == before {
        report.ok(LINK, format!("the options of the source {:?} are valid", line.info.name));
    }
    conflict.is_none()
}

/// Checks the token type, which must be the one that the client sends to the token service.
fn token_type(
    line: &SourceLine,
    of_source: Option<TokenType>,
    config: &CredentialConfig,
) -> Option<Error> {
    let differs = |given: TokenType| kind(given) != kind(config.token_type);
    if let Some(given) = of_source.filter(|given| differs(*given)) {
        let what = format!("the source {} returns a token of type {}", line.info.name, given.urn());
        return Some(
            Error::new(Kind::Configuration, what)
                .fix(format!("set subject_token_type to {}", given.urn())),
        );
    }
    let option = line.common.token_type.as_deref()?;
    match TokenType::parse(option) {
        None => Some(
            Error::new(Kind::Configuration, "--token-type is not a known token type")
                .fix("remove --token-type from executable.command"),
        ),
        Some(given) => differs(given).then(|| {
            let what = format!(
                "--token-type is {}, but clients exchange the token as {}",
                given.urn(),
                config.token_type.urn()
            );
            Error::new(Kind::Configuration, what).fix(
                "remove --token-type from executable.command, or set subject_token_type to the \
                 type of the token",
            )
        }),
    }
}

/// Checks the options that change what a client reads.
fn contract(line: &SourceLine, config: &CredentialConfig, report: &mut Report) {
    let common = &line.common;
    if common.format.is_some_and(|format| format != Format::Json) {
        report.broken(
            LINK,
            Kind::Configuration,
            "--format=text prints only the token, without the document that clients require",
            "remove --format=text from executable.command",
        );
    }
    if common.exit_zero {
        report.warning(
            LINK,
            "--exit-zero makes failures exit with status 0: Go and Java then show the message, but the \
             exit status does not show the cause",
            "remove --exit-zero from executable.command unless you need the message in Go or Java",
        );
    }
    let audience = Audience::new(config.audience.as_str());
    if common.audience.as_deref().is_some_and(|given| !audience.is(given)) {
        let what = "--audience differs from the audience of the configuration";
        let fix = format!(
            "remove --audience from executable.command, or set --audience=https:{}",
            audience.without_scheme()
        );
        report.warning(LINK, what, fix).settled_by_exchange = true;
    }
    if let Some(path) = &common.output_file {
        output_file(path, config, report);
    }
}

/// Checks `--output-file`, which clients do not know.
fn output_file(given: &Path, config: &CredentialConfig, report: &mut Report) {
    let CredentialSource::Executable { output_file, interactive_timeout_ms, .. } = &config.source
    else {
        return;
    };
    let what = match output_file {
        Some(path) if is_same(given, path) => return,
        Some(_) => {
            "--output-file differs from executable.output_file, so clients never find a cached \
             token"
        }
        None if interactive_timeout_ms.is_some() => {
            "--output-file is set, but executable.output_file is not, and clients read the token \
             of a user only from executable.output_file"
        }
        None => return,
    };
    let fix = "remove --output-file from executable.command, and set executable.output_file";
    match interactive_timeout_ms {
        Some(_) => report.broken(LINK, Kind::Configuration, what, fix),
        None => report.warning(LINK, what, fix),
    };
}

/// Finds a file that this program would write, but that has another purpose.
fn conflict(line: &SourceLine, config: &CredentialConfig) -> Option<Error> {
    let used = files_in_use(line, config);
    let is_output = |name: &str| [OUTPUT_FILE, "--output-file"].contains(&name);
    let written = used.iter().filter(|(name, _)| WRITTEN.contains(&name.as_str()));
    let (option, name) = written.into_iter().find_map(|(option, path)| {
        let other = used.iter().find(|(name, other)| {
            let intended = name == option || is_output(name) && is_output(option);
            !intended && is_same(Path::new(path), Path::new(other))
        });
        other.map(|(name, _)| (option, name))
    })?;
    let what = format!("{option} and {name} name the same file");
    let fix = format!("set {option} to a file that nothing else uses");
    Some(Error::new(Kind::Configuration, what).fix(fix))
}

/// The name of the first option with a relative path, which names another file in another
/// directory.
fn relative_path(line: &SourceLine) -> Option<&'static str> {
    let mut options = line.info.options().chain(OF_SOURCES).chain(COMMON);
    let has_relative = |option: &&OptionInfo| {
        let require_fixed = |path: &Path| match is_relative(path) {
            true => Err(Error::new(Kind::Usage, "the path is relative")),
            false => Ok(String::new()),
        };
        line.values.as_arguments(option, require_fixed).is_err()
    };
    options.find(has_relative).map(|option| option.name)
}

/// Whether a path is relative. A path that only a shell expands has a separate message.
fn is_relative(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_other = files::another_system(&text).is_some() || shell::expansion(&text).is_some();
    !(path.is_absolute() || is_other || files::is_stdout(path))
}

/// The options whose files this program writes.
const WRITTEN: [&str; 3] = ["--output-file", "--log-file", "--refresh-token-file"];
const OUTPUT_FILE: &str = "executable.output_file";

/// The files that the options and the configuration name, with the setting that names them.
fn files_in_use(line: &SourceLine, config: &CredentialConfig) -> Vec<(String, String)> {
    let mut used = Vec::new();
    for option in line.info.options().chain(OF_SOURCES).chain(COMMON) {
        let note = |path: &Path| {
            let path = files::absolute(path).display().to_string();
            used.push((format!("--{}", option.name), path));
            Ok(String::new())
        };
        let _ = line.values.as_arguments(option, note);
    }
    let configuration = ("the credential configuration", Some(&config.path));
    let output_file = match &config.source {
        CredentialSource::Executable { output_file, .. } => output_file.as_ref(),
        _ => None,
    };
    for (name, path) in [configuration, (OUTPUT_FILE, output_file)] {
        used.extend(path.map(|path| (name.to_owned(), path.display().to_string())));
    }
    used
}

/// Checks the log file. A log file that cannot be opened does not make a run fail, so only this
/// check reports it.
fn log_file(path: &Path, report: &mut Report) {
    let shown = path.display();
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let is_new = path.symlink_metadata().is_err();
    let (why, fix) = match (world::log::require_usable(path), directory) {
        (Err(refusal), _) => (refusal.to_string(), refusal.fix(path, "--log-file")),
        (Ok(()), Some(directory)) if is_new && !directory.is_dir() => {
            let refusal = Refusal::NoDirectory(directory.to_owned());
            (refusal.to_string(), refusal.fix(path, "--log-file"))
        }
        (Ok(()), Some(directory)) if is_new && !files::may_write(directory) => (
            "this user cannot create files in its directory".to_owned(),
            "set --log-file to a path in a directory where this user can create files".to_owned(),
        ),
        (Ok(()), _) if !is_new && !files::may_write(path) => {
            ("this user cannot write to it".to_owned(), "check --log-file".to_owned())
        }
        _ => return,
    };
    report.warning(LINK, format!("no log is written to {shown}: {why}"), fix);
}

/// Whether two paths name the same file, which need not exist.
fn is_same(one: &Path, other: &Path) -> bool {
    files::absolute(one) == files::absolute(other) || files::is_same(one, other)
}

fn timeout(line: &SourceLine, config: &CredentialConfig, report: &mut Report) {
    let CredentialSource::Executable { timeout_ms, .. } = config.source else { return };
    let timeout = line.common.timeout();
    // A wrong timeout_millis is the cause and has its own fix.
    if timeout.as_millis() <= u128::from(timeout_ms) || report.has_error("timeout") {
        return;
    }
    let seconds = timeout.as_secs();
    report.warning(
        LINK,
        format!("clients wait {timeout_ms} ms, but wif-token may run for {seconds} s"),
        format!(
            "increase timeout_millis, or set --timeout={} in executable.command",
            timeout_ms.div_euclid(1000).max(2) - 1
        ),
    );
}

/// The token type, with one name for both kinds of JWT.
fn kind(token_type: TokenType) -> TokenType {
    if token_type == TokenType::IdToken { TokenType::Jwt } else { token_type }
}
