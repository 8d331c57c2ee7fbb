//! The help, made from the same tables as the parser.

use std::fmt::Write as _;

use crate::command::{COMMANDS, CommandInfo};
use crate::error::KINDS;
use crate::options::{COMMON, OF_SOURCES, OptionInfo};
use crate::source::{SOURCES, SourceInfo};

/// The widest line, in characters.
const WIDTH: usize = 96;

/// The help of the program.
pub(super) fn of_program() -> String {
    let mut text = String::from(
        "wif-token: the executable that fetches a subject token for Google Cloud workload identity\n\
         federation, and prints the document that gcloud, Terraform and the client libraries read.\n\n\
         usage: wif-token SOURCE [--option=value]...\n       wif-token COMMAND [--option=value]...\n       \
         wif-token help [SOURCE|COMMAND]\n\nsources of subject tokens:\n",
    );
    for source in SOURCES {
        row(&mut text, source.name, source.summary, 17);
    }
    text.push_str("\ncommands, for what follows the subject token:\n");
    for command in COMMANDS {
        row(&mut text, command.name, command.summary, 17);
    }
    text.push_str("\noptions of every source:\n");
    options(&mut text, OF_SOURCES);
    text.push_str("\noptions of every source and command:\n");
    options(&mut text, COMMON);
    text.push_str("\nexit statuses, with the code of the failure document:\n");
    for (_, code, status, meaning) in KINDS {
        row(&mut text, &format!("{status} {code}"), meaning, 18);
    }
    text
}

/// The help of a source.
pub(super) fn of_source(source: &SourceInfo) -> String {
    let mut text = usage(source.name, source.options());
    if let Some(rest) = source.rest {
        let _ = write!(text, " -- {rest}");
    }
    let _ = write!(text, "\n\n{}\n\n", source.summary);
    text.push_str("options:\n");
    options(&mut text, source.options());
    text.push_str("\noptions of every source:\n");
    options(&mut text, OF_SOURCES);
    options(&mut text, COMMON);
    text
}

/// The help of a command.
pub(super) fn of_command(command: &CommandInfo) -> String {
    let name = match command.of_source {
        true => format!("{} SOURCE", command.name),
        false => command.name.to_owned(),
    };
    let mut text = usage(&name, command.options());
    let _ = write!(text, "\n\n{}\n\n", command.summary);
    text.push_str("options:\n");
    options(&mut text, command.options());
    if command.of_source {
        text.push_str("and those of the source: wif-token help SOURCE\n");
    }
    text.push_str("\noptions of every command:\n");
    options(&mut text, COMMON);
    text
}

fn usage(name: &str, options: impl Iterator<Item = &'static OptionInfo>) -> String {
    let mut text = format!("usage: wif-token {name}");
    let (required, others): (Vec<_>, Vec<_>) = options.partition(|option| option.required);
    for option in required {
        let _ = write!(text, " {}", option.usage());
    }
    if !others.is_empty() {
        text.push_str(" [--option=value]...");
    }
    text
}

fn options(text: &mut String, options: impl IntoIterator<Item = &'static OptionInfo>) {
    for option in options {
        let mut help = option.help();
        if option.repeated {
            help.push_str("; may be repeated");
        }
        row(text, &option.usage(), &help, 30);
    }
}

/// A name and its meaning, wrapped into a column that begins at `column`.
fn row(text: &mut String, name: &str, meaning: &str, column: usize) {
    let mut line = format!("  {name:<column$}");
    if name.len() >= column {
        line = format!("  {name}\n  {:column$}", "");
    }
    let mut length = column + 2;
    for word in meaning.split(' ') {
        let blank = usize::from(length > column + 2);
        if blank == 1 && length + blank + word.chars().count() > WIDTH {
            let _ = write!(line, "\n  {:column$}{word}", "");
            length = column + 2 + word.chars().count();
        } else {
            let _ = write!(line, "{:blank$}{word}", "");
            length += blank + word.chars().count();
        }
    }
    let _ = writeln!(text, "{line}");
}
