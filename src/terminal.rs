//! The terminal of the user who started the client, and its width.
//!
//! The terminal is opened by its name, because standard output and standard error belong to the
//! client, which may capture them. Nothing is read from the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};

use terminal_size::{Width, terminal_size_of};

/// The narrowest width to which text is wrapped, in columns.
pub const NARROWEST: usize = 40;

/// The width of the terminal on standard output, at least [`NARROWEST`]; `None` if standard output is
/// not a terminal or the width is unknown.
pub fn width() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| terminal_size_of(&stdout)).flatten();
    size.map(|(Width(width), _)| usize::from(width).max(NARROWEST))
}

/// The name by which every process can open its own terminal.
const NAME: &str = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };

/// A terminal to write to.
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// Opens the terminal of this process.
    ///
    /// # Errors
    /// The errors of the operating system, usually because there is no terminal.
    pub fn open() -> io::Result<Terminal> {
        OpenOptions::new().write(true).open(NAME).map(Terminal)
    }

    /// Shows a text.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }
}
