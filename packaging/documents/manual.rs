//! The manual page, in the man(7) macros that both mandoc and groff support.

use std::fmt::Write as _;

use wif_token::command::COMMANDS;
use wif_token::contract::request;
use wif_token::error::KINDS;
use wif_token::helper::{HELPERS, OF_HELPERS};
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo, ValueKind};
use wif_token::source::SOURCES;

use super::manual_text::{DATE, EXAMPLES, FILES, HEAD, TAIL, VARIABLES};

/// The longest line of the source that mandoc accepts, in bytes.
const WIDTH: usize = 80;

pub(super) fn text() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text =
        format!(".TH WIF\\-TOKEN 1 {DATE} \"wif-token {version}\" \"User Commands\"\n{HEAD}");
    sources(&mut text);
    commands(&mut text);
    helpers(&mut text);
    environment(&mut text);
    text.push_str(".SH EXIT STATUS\n.TP\n.B 0\nSuccess.\n");
    for (_, code, status, meaning) in KINDS {
        let _ = writeln!(text, ".TP\n.B {status}\n{code}: {}.", escaped(meaning));
    }
    text.push_str(".SH FILES\n");
    for (name, meaning) in FILES {
        let _ = writeln!(text, ".TP\n.I {}\n{}", escaped(name), sentence(meaning));
    }
    text.push_str(".SH EXAMPLES\n");
    for (index, (task, lines)) in EXAMPLES.iter().enumerate() {
        let task = sentence(task);
        text.push_str(if index == 0 { "" } else { ".PP\n" });
        let _ = writeln!(text, "{}:", task.strip_suffix('.').unwrap_or(&task));
        example(&mut text, lines.iter().copied());
    }
    text + TAIL
}

fn sources(text: &mut String) {
    text.push_str(".SH SOURCES\n");
    for source in SOURCES {
        let _ = writeln!(text, ".SS {}\n{}", escaped(source.name), sentence(source.summary));
        after_hyphens(text, source.rest);
        options(text, source.options());
        text.push_str(".PP\nExample:\n");
        example(text, source.example.lines());
    }
    text.push_str(".SH OPTIONS OF EVERY SOURCE\n");
    options(text, OF_SOURCES);
}

/// Writes the arguments after `--`.
fn after_hyphens(text: &mut String, rest: Option<&str>) {
    if let Some(rest) = rest {
        let _ =
            writeln!(text, "The options are followed by\n.B \\-\\-\n.IR \"{}\" .", escaped(rest));
    }
}

fn commands(text: &mut String) {
    text.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let _ = writeln!(text, ".SS {}\n{}", escaped(&command.usage()), sentence(command.summary));
        after_hyphens(text, command.rest);
        options(text, command.options());
        text.push_str(".PP\nExample:\n");
        example(text, command.example.lines());
        if let Some(own) = command.own_source {
            let name = format!("{} {}", command.name, own.name);
            let _ = writeln!(text, ".SS {}\n{}", escaped(&name), sentence(own.summary));
            options(text, own.options());
            text.push_str(".PP\nExample:\n");
            example(text, own.example.lines());
        }
    }
}

fn helpers(text: &mut String) {
    text.push_str(".SH HELPERS\nEach gives the credentials of a configuration to another tool.\n");
    for helper in HELPERS {
        let name = helper.usage();
        let _ = writeln!(text, ".SS {}\n{}", escaped(&name), sentence(helper.summary));
        options(text, helper.options.iter().copied().flatten());
        text.push_str(".PP\nTo use it:\n");
        example(text, helper.stanza.lines());
    }
    text.push_str(".SH OPTIONS OF EVERY HELPER\n");
    options(text, OF_HELPERS.into_iter().flatten());
    text.push_str(".SH OPTIONS OF EVERY SOURCE, COMMAND AND HELPER\n");
    options(text, COMMON);
}

fn environment(text: &mut String) {
    text.push_str(".SH ENVIRONMENT\n");
    for (name, meaning) in request::VARIABLES {
        let _ = writeln!(text, ".TP\n.B GOOGLE_EXTERNAL_ACCOUNT_{name}\n{}", sentence(meaning));
    }
    for (names, meaning) in VARIABLES {
        let names = names.join(" \", \" ");
        let _ = writeln!(text, ".TP\n.BR {names}\n{}", sentence(meaning));
    }
}

/// Writes command lines that are printed unchanged.
fn example<'a>(text: &mut String, lines: impl Iterator<Item = &'a str>) {
    text.push_str(".PP\n.in +4n\n.nf\n");
    for line in lines {
        let _ = writeln!(text, "{}", escaped(line));
    }
    text.push_str(".fi\n.in\n");
}

fn options(text: &mut String, table: impl IntoIterator<Item = &'static OptionInfo>) {
    for option in table {
        let _ = write!(text, ".TP\n\\fB\\-\\-{}\\fR", escaped(option.name));
        if let Some(value) = option.placeholder() {
            // A long choice can be broken.
            let _ = write!(text, "=\\fI{}\\fR", escaped(&value).replace('|', "|\\:"));
        }
        let _ = write!(text, "\n{}\n", sentence(&option.help()));
        if let ValueKind::Seconds(least, most) = option.kind {
            let _ = writeln!(text, "From {least} to {most}.");
        }
        for (is_so, what) in [(option.required, "Required."), (option.repeated, "May be repeated.")]
        {
            if is_so {
                let _ = writeln!(text, "{what}");
            }
        }
    }
}

/// Writes a phrase as a sentence on separate lines. The sentence starts with a capital letter,
/// unless it starts with a name.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let prose = word.chars().all(|c| c.is_ascii_lowercase() || c == '\'' || c == ',');
    let text = escaped(text) + ".";
    match text.split_at_checked(1) {
        Some((first, rest)) if prose => wrapped(&(first.to_ascii_uppercase() + rest)),
        _ => wrapped(&text),
    }
}

fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        if length > 0 && length + 1 + word.len() <= WIDTH {
            lines.push(' ');
            length += 1;
        } else if length > 0 {
            lines.push('\n');
            length = 0;
        }
        // A long path can be broken.
        let word = if word.len() > 60 { word.replace('/', "/\\:") } else { word.to_owned() };
        // roff reads a line that starts with a dot as a macro, so the dot is escaped.
        lines.push_str(if length == 0 && word.starts_with('.') { "\\&" } else { "" });
        lines.push_str(&word);
        length += word.len();
    }
    lines
}

/// Escapes the characters that roff would interpret.
fn escaped(text: &str) -> String {
    let plain = [("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("…", "...")];
    plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
