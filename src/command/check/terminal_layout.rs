//! The report on a terminal: each check is shown as soon as it has run, in color and wrapped to the
//! width of the terminal. The last line says how many checks passed, and what to fix first.
//!
//! `NO_COLOR` turns the color off. <https://no-color.org>

use std::io::IsTerminal as _;

use super::status::{COLUMN, Status};
use crate::terminal;
use crate::world::Env;

/// The smallest width, in columns, at which the message is next to the name of the check and not
/// below it.
const NARROW: usize = 60;
/// The column at which the message begins on a narrower terminal.
const NARROW_COLUMN: usize = 4;
/// The width that is assumed if that of the terminal is unknown.
const USUAL: usize = 80;

/// How a report looks on a terminal.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    width: usize,
    has_color: bool,
}

impl Layout {
    /// The layout for standard output; `None` if standard output is not a terminal.
    pub(super) fn of_stdout(env: &Env) -> Option<Layout> {
        if !std::io::stdout().is_terminal() {
            return None;
        }
        let is_set = |name| env.get(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env.get("TERM").is_some_and(|term| term == "dumb");
        // Older consoles of Windows print the escape sequences as text.
        let knows_color = if cfg!(windows) { is_set("WT_SESSION") } else { !is_dumb };
        let width = terminal::width().unwrap_or(USUAL);
        Some(Layout { width, has_color: knows_color && !is_set("NO_COLOR") })
    }

    /// Formats one finding, with the fix on a separate line.
    pub(super) fn link(
        &self,
        (status, link): (Status, &str),
        message: &str,
        fix: Option<&str>,
        details: &[String],
    ) -> String {
        let column = self.column();
        let mut text = self.colored(status, &format!("{:<8}", status.word()));
        text += &match column {
            NARROW_COLUMN => format!(" {link}\n{:column$}", ""),
            _ => format!(" {link:<15} "),
        };
        text += &self.wrapped(message);
        if let Some(fix) = fix {
            // A command to paste is not wrapped.
            let (words, command) = match fix.find("gcloud ").filter(|at| *at > 0) {
                Some(at) => fix.split_at(at),
                None => (fix, ""),
            };
            text +=
                &format!("{:column$}{}", "", self.wrapped(&format!("Fix: {}", words.trim_end())));
            if !command.is_empty() {
                text += &format!("{:column$}{command}\n", "");
            }
        }
        for detail in details {
            text += &format!("{:column$}{}", "", self.wrapped(detail));
        }
        text
    }

    /// Colors text by status.
    pub(super) fn colored(&self, status: Status, text: &str) -> String {
        let code = match status {
            Status::Ok => "32",      // green
            Status::Warning => "33", // yellow
            Status::Error => "31",   // red
            Status::Skipped => "2",  // dim
        };
        if self.has_color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Where messages begin, in columns.
    fn column(&self) -> usize {
        if self.width < NARROW { NARROW_COLUMN } else { COLUMN }
    }

    /// Wraps a message, and adds a line break at the end.
    fn wrapped(&self, text: &str) -> String {
        self.lines(text, self.column()) + "\n"
    }

    /// Wraps a text to the width of the terminal, between words. `column` is where the text begins.
    pub(super) fn lines(&self, text: &str, column: usize) -> String {
        let room = self.width - column;
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(word),
                Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.join(&format!("\n{:column$}", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words_and_commands_are_not() {
        let layout = Layout { width: 60, has_color: false };
        let message = "the pool provider does not allow the audience of this token";
        let fix = "add it: gcloud iam x y --a=b --c=d --e=f --g=h --i=j";
        let text =
            layout.link((Status::Error, "audience"), message, Some(fix), &["a step".to_owned()]);
        assert_eq!(
            text,
            "error    audience        the pool provider does not allow\n\
             \x20                        the audience of this token\n\
             \x20                        Fix: add it:\n\
             \x20                        gcloud iam x y --a=b --c=d --e=f --g=h --i=j\n\
             \x20                        a step\n"
        );
    }

    #[test]
    fn on_a_narrow_terminal_the_message_is_below_the_name() {
        let layout = Layout { width: 40, has_color: false };
        let text = layout.link(
            (Status::Warning, "secret file"),
            "other users can access a file, which contains a secret",
            Some("run chmod 600 PATH"),
            &[],
        );
        assert_eq!(
            text,
            "warning  secret file\n    \
             other users can access a file, which\n    \
             contains a secret\n    \
             Fix: run chmod 600 PATH\n"
        );
    }

    #[test]
    fn color_shows_the_status() {
        let layout = Layout { width: 80, has_color: true };
        assert_eq!(
            layout.link((Status::Skipped, "clock"), "offline", None, &[]),
            "\x1b[2mskipped \x1b[0m clock           offline\n"
        );
    }
}
