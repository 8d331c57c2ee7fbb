//! The help, rendered from the tables that the parser uses.
//!
//! The help is wrapped to the width of the terminal, from 40 to 80 columns. Command lines to paste
//! are not wrapped.

use std::fmt::Write as _;

use crate::command::{COMMANDS, CommandInfo};
use crate::error::KINDS;
use crate::helper::{HELPERS, HelperInfo};
use crate::options::{COMMON, OF_SOURCES, OptionInfo};
use crate::source::{SOURCES, SourceInfo};
use crate::terminal;

/// The maximum length of a line, in characters.
pub(super) const WIDTH: usize = 80;

/// The column at which the descriptions of sources, commands and exit statuses begin.
const NAME_COLUMN: usize = 19;

/// The column at which the descriptions of options begin.
const OPTION_COLUMN: usize = 28;

/// The column at which all descriptions begin on a narrow terminal, below the names.
const NARROW_COLUMN: usize = 6;

/// The width of the help on standard output.
pub(super) fn width() -> usize {
    terminal::width().map_or(WIDTH, |width| width.min(WIDTH))
}

/// The usage for a user who starts the program without arguments on a terminal.
pub fn short_usage() -> String {
    let mut page = Page::new(width());
    let config = "wif-token config SOURCE --pool-provider=NAME --out=credentials.json";
    page.columns("start with:", config, 13);
    page.columns("then run:", "wif-token check --credentials=credentials.json", 13);
    page.columns("for help:", "wif-token help", 13);
    page.text
}

/// The help of the program.
pub(super) fn of_program(width: usize) -> String {
    let mut page = Page::new(width);
    page.paragraph(
        "wif-token fetches a subject token for Google Cloud workload identity federation and \
         prints the document that gcloud, Terraform and the client libraries read.",
    );
    page.usage("usage: ", "wif-token SOURCE [--option=value]...");
    page.usage("", "wif-token COMMAND [--option=value]...");
    page.usage("", "wif-token helper HELPER [WORD]... [--option=value]...");
    page.usage("", "wif-token help [SOURCE|COMMAND|helper HELPER]");
    page.heading("\nsources of subject tokens:");
    for source in SOURCES {
        page.row(source.name, source.summary, NAME_COLUMN);
    }
    page.heading("\ncommands:");
    for command in COMMANDS {
        page.row(command.name, command.summary, NAME_COLUMN);
    }
    page.helpers();
    page.heading("\noptions of every source:");
    page.options(OF_SOURCES);
    page.heading("\noptions of every source, command and helper:");
    page.options(COMMON);
    page.heading("\nexit statuses, with the code in the failure document:");
    for (_, code, status, meaning) in KINDS {
        page.row(&format!("{status} {code}"), meaning, NAME_COLUMN);
    }
    page.text
}

/// The help of a source.
pub(super) fn of_source(source: &SourceInfo, width: usize) -> String {
    let mut page = Page::new(width);
    page.usage_of(source.name, source.options(), source.rest);
    page.text.push('\n');
    page.paragraph(source.summary);
    if source.options().next().is_some() {
        page.heading("options:");
        page.options(source.options());
        page.text.push('\n');
    }
    page.heading("options of every source:");
    page.options(OF_SOURCES);
    page.options(COMMON);
    page.example(source.example, &format!("docs/sources/{}.md", source.name));
    page.text
}

/// The help of a command.
pub(super) fn of_command(command: &CommandInfo, width: usize) -> String {
    let mut page = Page::new(width);
    page.usage_of(&command.usage(), command.options(), command.rest);
    page.text.push('\n');
    page.heading(command.summary);
    if command.options().next().is_some() {
        page.heading("\noptions:");
        page.options(command.options());
    }
    if command.takes_source() {
        page.heading("plus the options of the source, such as --audience:");
        page.heading("run wif-token help SOURCE");
    }
    if let Some(own) = command.own_source {
        page.heading("\nin place of a source:");
        page.row(own.name, own.summary, NAME_COLUMN);
        page.heading(&format!("run wif-token help {} {}", command.name, own.name));
    }
    page.heading("\noptions of every command:");
    page.options(COMMON);
    page.example(command.example, &format!("docs/commands/{}.md", command.name));
    page.text
}

/// The help of a command with the word that only it accepts in place of a source.
pub(super) fn of_own_source(command: &CommandInfo, own: &SourceInfo, width: usize) -> String {
    let mut page = Page::new(width);
    let options = own.options().chain(command.options());
    page.usage_of(&format!("{} {}", command.name, own.name), options, own.rest);
    page.text.push('\n');
    page.paragraph(own.summary);
    page.heading("options:");
    page.options(own.options());
    page.heading(&format!("\noptions of {}:", command.name));
    page.options(command.options());
    page.heading("\noptions of every command:");
    page.options(COMMON);
    let documentation = match own.name {
        "certificate" => "docs/x509.md".to_owned(),
        _ => format!("docs/commands/{}.md", command.name),
    };
    page.example(own.example, &documentation);
    page.text
}

/// The help of the word `helper`.
pub(super) fn of_helpers(width: usize) -> String {
    let mut page = Page::new(width);
    page.usage("usage: ", "wif-token helper HELPER [WORD]... [--option=value]...");
    page.helpers();
    page.heading("\nfor what to write into the settings of a tool: wif-token help helper HELPER");
    page.text
}

/// The help of a helper.
pub(super) fn of_helper(helper: &HelperInfo, width: usize) -> String {
    let mut page = Page::new(width);
    page.usage_of(&helper.usage(), helper.options(), None);
    page.text.push('\n');
    page.paragraph(helper.summary);
    page.heading("to use it:");
    for line in helper.stanza.lines() {
        let _ = writeln!(page.text, "  {line}");
    }
    page.heading("\noptions:");
    page.options(helper.options());
    page.heading("\noptions of every command:");
    page.options(COMMON);
    page.heading(&format!("\ndocumentation: docs/helpers/{}.md", helper.name));
    page.text
}

/// A text whose lines have at most `width` characters, except for longer words.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn new(width: usize) -> Page {
        Page { text: String::new(), width }
    }

    fn helpers(&mut self) {
        self.heading("\nhelpers that give other tools credentials:");
        for helper in HELPERS {
            self.row(helper.name, helper.summary, NAME_COLUMN);
        }
    }

    fn usage_of(
        &mut self,
        name: &str,
        options: impl Iterator<Item = &'static OptionInfo>,
        rest: Option<&str>,
    ) {
        let (required, others): (Vec<_>, Vec<_>) = options.partition(|option| option.required);
        let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
        words.extend(required.iter().map(|option| option.usage()));
        if !others.is_empty() {
            words.push("[--option=value]...".to_owned());
        }
        words.extend(rest.map(|rest| format!("-- {rest}")));
        self.usage("usage: ", &format!("wif-token {}", words.join(" ")));
    }

    /// Adds a command line, whose further lines are aligned with its arguments.
    fn usage(&mut self, label: &str, command_line: &str) {
        let (program, arguments) = command_line.split_once(' ').unwrap_or((command_line, ""));
        let left = format!("{label:7}{program} ");
        self.columns(&left, arguments, left.len());
    }

    fn paragraph(&mut self, text: &str) {
        self.heading(text);
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.columns("", text, 0);
    }

    fn options(&mut self, options: impl IntoIterator<Item = &'static OptionInfo>) {
        for option in options {
            let mut help = option.help();
            if option.repeated {
                help.push_str("; may be repeated");
            }
            self.row(&option.usage(), &help, OPTION_COLUMN);
        }
    }

    fn example(&mut self, command_line: &str, page: &str) {
        self.heading("\nexample:");
        for line in command_line.lines() {
            let _ = writeln!(self.text, "  {line}");
        }
        self.heading(&format!("\ndocumentation: {page}"));
    }

    /// Adds a name and its description, which begins at `column`. A long name is on a separate
    /// line, and on a narrow terminal every name is.
    fn row(&mut self, name: &str, description: &str, column: usize) {
        let column = if self.width < 60 { NARROW_COLUMN } else { column };
        if name.len() + 4 <= column {
            self.columns(&format!("  {name}"), description, column);
            return;
        }
        for (index, line) in wrapped(name, self.width - 6).iter().enumerate() {
            let indent = if index == 0 { 2 } else { 6 };
            let _ = writeln!(self.text, "{:indent$}{line}", "");
        }
        self.columns("", description, column);
    }

    /// Adds `left`, and next to it `right`, wrapped into a column that begins at `column`.
    fn columns(&mut self, left: &str, right: &str, column: usize) {
        let mut left = left;
        for line in wrapped(right, self.width - column) {
            let _ = writeln!(self.text, "{left:column$}{line}");
            left = "";
        }
    }
}

/// Wraps a text into lines of at most `width` characters. A word that is too long for a line is
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
