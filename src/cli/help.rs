//! The help, rendered from the same tables as the parser.

use std::fmt::Write as _;

use crate::command::{COMMANDS, CommandInfo};
use crate::error::KINDS;
use crate::helper::{HELPERS, HelperInfo};
use crate::options::{COMMON, OF_SOURCES, OptionInfo};
use crate::source::{SOURCES, SourceInfo};

/// The longest line, in characters.
const WIDTH: usize = 80;

/// The column at which the descriptions of sources, commands and exit statuses begin.
const NAME_COLUMN: usize = 19;

/// The column at which the descriptions of options begin.
const OPTION_COLUMN: usize = 28;

/// The usage for a user who starts the program without arguments on a terminal.
pub const SHORT_USAGE: &str = "\
start with:  wif-token config SOURCE --pool-provider=NAME --out=credentials.json
then run:    wif-token check --credentials=credentials.json
for help:    wif-token help
";

const INTRODUCTION: &str = "\
wif-token fetches a subject token for Google Cloud workload identity federation
and prints the document that gcloud, Terraform and the client libraries read.

usage: wif-token SOURCE [--option=value]...
       wif-token COMMAND [--option=value]...
       wif-token helper HELPER [WORD]... [--option=value]...
       wif-token help [SOURCE|COMMAND|helper HELPER]
";

/// The help of the program.
pub(super) fn of_program() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\nsources of subject tokens:\n");
    for source in SOURCES {
        row(&mut text, source.name, source.summary, NAME_COLUMN);
    }
    text.push_str("\ncommands that use a subject token:\n");
    for command in COMMANDS {
        row(&mut text, command.name, command.summary, NAME_COLUMN);
    }
    helpers(&mut text);
    text.push_str("\noptions of every source:\n");
    options(&mut text, OF_SOURCES);
    text.push_str("\noptions of every source, command and helper:\n");
    options(&mut text, COMMON);
    text.push_str("\nexit statuses, with the code in the failure document:\n");
    for (_, code, status, meaning) in KINDS {
        row(&mut text, &format!("{status} {code}"), meaning, NAME_COLUMN);
    }
    text
}

/// The help of a source.
pub(super) fn of_source(source: &SourceInfo) -> String {
    let mut text = usage(source.name, source.options(), source.rest);
    summary(&mut text, source.summary);
    if source.options().next().is_some() {
        text.push_str("options:\n");
        options(&mut text, source.options());
        text.push('\n');
    }
    text.push_str("options of every source:\n");
    options(&mut text, OF_SOURCES);
    options(&mut text, COMMON);
    example(&mut text, source.example, &format!("docs/sources/{}.md", source.name));
    text
}

/// The help of a command.
pub(super) fn of_command(command: &CommandInfo) -> String {
    let name = match command.of_source {
        true => format!("{} SOURCE", command.name),
        false => command.name.to_owned(),
    };
    let mut text = usage(&name, command.options(), command.rest);
    summary(&mut text, command.summary);
    text.push_str("options:\n");
    options(&mut text, command.options());
    if command.of_source {
        text.push_str("plus the options of the source, such as --audience and --output-file:\n");
        text.push_str("run wif-token help SOURCE\n");
    }
    text.push_str("\noptions of every command:\n");
    options(&mut text, COMMON);
    example(&mut text, command.example, &format!("docs/commands/{}.md", command.name));
    text
}

fn helpers(text: &mut String) {
    text.push_str("\nhelpers that give other tools credentials:\n");
    for helper in HELPERS {
        row(text, helper.name, helper.summary, NAME_COLUMN);
    }
}

/// The help of the word `helper`.
pub(super) fn of_helpers() -> String {
    let mut text = "usage: wif-token helper HELPER [WORD]... [--option=value]...\n".to_owned();
    helpers(&mut text);
    text.push_str(
        "\nfor what to write into the settings of a tool: wif-token help helper HELPER\n",
    );
    text
}

/// The help of a helper.
pub(super) fn of_helper(helper: &HelperInfo) -> String {
    let name = format!("{} {}", helper.full_name(), helper.words);
    let mut text = usage(name.trim_end(), helper.options(), None);
    summary(&mut text, helper.summary);
    text.push_str("to use it:\n");
    for line in helper.stanza.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("\noptions:\n");
    options(&mut text, helper.options());
    text.push_str("\noptions of every command:\n");
    options(&mut text, COMMON);
    let _ = writeln!(text, "\ndocumentation: docs/helpers/{}.md", helper.name);
    text
}

fn usage(
    name: &str,
    options: impl Iterator<Item = &'static OptionInfo>,
    rest: Option<&str>,
) -> String {
    let (required, others): (Vec<_>, Vec<_>) = options.partition(|option| option.required);
    let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
    words.extend(required.iter().map(|option| option.usage()));
    if !others.is_empty() {
        words.push("[--option=value]...".to_owned());
    }
    words.extend(rest.map(|rest| format!("-- {rest}")));
    let mut text = String::new();
    columns(&mut text, "usage: wif-token ", &words.join(" "), "usage: wif-token ".len());
    text
}

fn summary(text: &mut String, summary: &str) {
    text.push('\n');
    columns(text, "", summary, 0);
    text.push('\n');
}

fn options(text: &mut String, options: impl IntoIterator<Item = &'static OptionInfo>) {
    for option in options {
        let mut help = option.help();
        if option.repeated {
            help.push_str("; may be repeated");
        }
        row(text, &option.usage(), &help, OPTION_COLUMN);
    }
}

fn example(text: &mut String, command_line: &str, page: &str) {
    text.push_str("\nexample:\n");
    for line in command_line.lines() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\ndocumentation: {page}");
}

/// A name and its description, which begins at `column`. A long name is on a line of its own.
fn row(text: &mut String, name: &str, description: &str, column: usize) {
    if name.len() + 4 <= column {
        columns(text, &format!("  {name}"), description, column);
        return;
    }
    for (index, line) in wrapped(name, WIDTH - 6).iter().enumerate() {
        let indent = if index == 0 { 2 } else { 6 };
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
    columns(text, "", description, column);
}

/// `left`, and `right` wrapped into a column that begins at `column`.
fn columns(text: &mut String, left: &str, right: &str, column: usize) {
    let mut left = left;
    for line in wrapped(right, WIDTH - column) {
        let _ = writeln!(text, "{left:column$}{line}");
        left = "";
    }
}

/// The lines of a text, each at most `width` characters. A word that is too long for a line is
/// broken after a slash or a vertical bar.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let parts: Vec<&str> = match word.chars().count() > width {
            true => word.split_inclusive(['/', '|']).collect(),
            false => vec![word],
        };
        for (index, part) in parts.into_iter().enumerate() {
            let line = lines.last().map_or("", String::as_str);
            let space = if index > 0 || line.is_empty() { "" } else { " " };
            let longer = format!("{line}{space}{part}");
            match line.is_empty() || longer.chars().count() <= width {
                true => lines.pop().map_or((), |_| lines.push(longer)),
                false => lines.push(part.to_owned()),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_spaces_and_inside_long_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a projects/1/pools/p", 10), ["a", "projects/", "1/pools/p"]);
        assert_eq!(wrapped("--x=first|second|third", 12), ["--x=first|", "second|third"]);
    }
}
