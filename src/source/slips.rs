//! What a user may have meant by a word that is not allowed where it is.
//!
//! The message repeats the word only if it looks like a name, because the word may be a misplaced
//! secret.

use super::SOURCES;
use crate::error::{Error, Kind};
use crate::options::{OptionInfo, is_name, nearest};
use crate::program::is_named_like_this;
use crate::shell;

/// Words for which there is a command line, but neither a source nor a command.
const COMMAND_LINES: [(&[&str], &str); 4] = [
    (
        &["spiffe", "spire"],
        "run wif-token command --field=0.svids.0.svid -- spire-agent api fetch jwt -audience \
         AUDIENCE -output json",
    ),
    (
        &["login", "signin", "sign-in", "auth", "logout"],
        "run wif-token oidc --flow=device to sign in a user, or gcloud auth login --cred-file=FILE \
         to sign in to gcloud",
    ),
    (
        &["certificate", "cert", "x509", "mtls"],
        "run wif-token config certificate, because clients send the certificate without running wif-token",
    ),
    (&["stdin", "pipe"], "write the token to a file, and use wif-token file --path=PATH"),
];

/// The error for a command line without a source.
pub fn no_source() -> Error {
    Error::new(Kind::Usage, "the command line has no source")
        .fix(format!("start the command line with one of: {}", names()))
}

fn names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(", ")
}

/// The error for a command line whose first word is neither a source nor one of `others`, which are
/// names, each with other words for it.
pub fn unknown(word: &str, others: &[(&'static str, &'static [&'static str])]) -> Error {
    let kinds = if others.is_empty() { "source" } else { "source or command" };
    let lower = word.to_ascii_lowercase();
    let known = || SOURCES.iter().map(|info| (info.name, info.also)).chain(others.iter().copied());
    let meant = known().find(|(name, also)| *name == lower || also.contains(&lower.as_str()));
    let line = COMMAND_LINES.iter().find(|(words, _)| words.contains(&lower.as_str()));
    let what = match is_name(word) || meant.is_some() || line.is_some() {
        true => format!("{word:?} is not a {kinds}"),
        false => format!("the first word is not a {kinds}"),
    };
    let near = meant.map(|(name, _)| name);
    let near = near.or_else(|| nearest(&lower, known().map(|(name, _)| name)));
    Error::new(Kind::Usage, what).fix(match (line, near) {
        (Some((_, line)), _) => (*line).to_owned(),
        (None, _) if is_named_like_this(&lower) => {
            "remove the program name, and begin the arguments with the source or command".to_owned()
        }
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) if has_dash(word) => HYPHENS.to_owned(),
        (None, None) if lower.starts_with("https://") || lower.starts_with("http://") => {
            "did you mean url --url=URL?".to_owned()
        }
        (None, None) if lower.ends_with(".json") && !others.is_empty() => {
            "did you mean check --credentials=FILE?".to_owned()
        }
        (None, None) if lower.contains('/') => "did you mean file --path=PATH?".to_owned(),
        (None, None) if others.is_empty() => {
            format!("start the command line with one of: {}", names())
        }
        (None, None) => "run wif-token help to list the sources, commands and helpers".to_owned(),
    })
}

const HYPHENS: &str = "begin each option with two hyphens (--), not with a dash";

/// Whether a word begins with a dash that a word processor wrote for two hyphens.
fn has_dash(word: &str) -> bool {
    shell::without_typography(word).is_some_and(|(plain, _)| plain.starts_with("--"))
}

/// The error for a positional word after the source or command `name`. `rest` is the placeholder
/// for the arguments after `--`, if they are allowed. `options` are the options that can be set.
pub fn unexpected(
    word: &str,
    name: &str,
    rest: Option<&str>,
    options: &[&'static OptionInfo],
) -> Error {
    let find = |name: &str| options.iter().find(|option| option.name == name);
    let given = word.split_once('=').and_then(|(name, _)| find(name));
    let is_file = word.to_ascii_lowercase().ends_with(".json");
    let likely = options.iter().find(|option| option.required).or_else(|| find("credentials"));
    let error = Error::new(Kind::Usage, "unexpected argument after the source or command");
    error.fix(match (given, rest, likely) {
        _ if has_dash(word) => HYPHENS.to_owned(),
        (Some(option), ..) => format!("did you mean {}?", option.usage()),
        (_, Some(rest), ..) => format!("write -- before the program: wif-token {name} -- {rest}"),
        (.., Some(option)) if is_file && option.name == "credentials" => {
            format!("name the credential configuration with {}", option.usage())
        }
        (.., Some(option)) => {
            format!("pass each value with its option, such as {}", option.usage())
        }
        _ => {
            "write options as --name=value, and put values with spaces in an --args-file".to_owned()
        }
    })
}
