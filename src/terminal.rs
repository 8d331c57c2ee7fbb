//! The terminal of the person who started the client.
//!
//! It is opened by its own name: what this process has as standard output and error belongs to the
//! client, which may keep it in a variable or a file. Nothing is read from it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// The name of the terminal of a process, whichever that is.
const NAME: &str = if cfg!(windows) { "CONOUT$" } else { "/dev/tty" };

/// A terminal to write to.
#[derive(Debug)]
pub struct Terminal(File);

impl Terminal {
    /// Opens the terminal of this process.
    ///
    /// # Errors
    /// Those of the operating system, above all where there is no terminal.
    pub fn open() -> io::Result<Terminal> {
        OpenOptions::new().write(true).open(NAME).map(Terminal)
    }

    /// Shows a text.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }
}
