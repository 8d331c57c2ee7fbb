//! How a token reaches the caller: as a document or bare, on standard output or in the output file.

use super::output_file::OutputFile;
use super::request::Request;
use super::response::Document;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::options::Format;

/// The way that was asked for.
#[derive(Debug)]
pub enum Delivery<'a> {
    /// The document on standard output, kept in the output file where there is one.
    Print(Option<&'a OutputFile>),
    /// `_INTERACTIVE=1`: standard output is a terminal, the client reads the output file only.
    File(&'a OutputFile),
    /// `--format=text`: the bare token on standard output.
    PrintToken,
    /// `--format=text` with an output file: the bare token there.
    TokenFile(&'a OutputFile),
}

impl<'a> Delivery<'a> {
    /// Chooses the way.
    ///
    /// # Errors
    /// `USAGE` where an interactive client gave no output file.
    pub fn new(
        format: Format,
        request: &Request,
        output_file: Option<&'a OutputFile>,
    ) -> Result<Delivery<'a>, Error> {
        match (format == Format::Json, output_file) {
            (false, Some(file)) => Ok(Delivery::TokenFile(file)),
            (false, None) => Ok(Delivery::PrintToken),
            (true, Some(file)) if request.interactive => Ok(Delivery::File(file)),
            (true, None) if request.interactive => {
                Err(Error::new(Kind::Usage, "an interactive client reads the output file only")
                    .hint("add output_file to the configuration's executable, or --output-file"))
            }
            (true, file) => Ok(Delivery::Print(file)),
        }
    }

    /// What to print for a document that is in the output file already.
    pub fn kept(&self, document: &Document) -> String {
        match self {
            Delivery::File(_) => String::new(),
            _ => document.to_json() + "\n",
        }
    }

    /// Puts a new document where it belongs and gives what to print. A bare token has no line end:
    /// clients send the content of a file as it is.
    ///
    /// # Errors
    /// `CONFIGURATION` where it belongs into the output file alone and that cannot be written.
    pub fn deliver(&self, document: &Document, cx: &Context) -> Result<String, Error> {
        match self {
            Delivery::Print(file) => {
                if let Some(file) = file {
                    file.keep(document, cx);
                }
                Ok(document.to_json() + "\n")
            }
            Delivery::File(file) => file.deliver(document).map(|()| String::new()),
            Delivery::PrintToken => Ok(document.token.expose().to_owned()),
            Delivery::TokenFile(file) => {
                file.replace(document.token.expose()).map(|()| String::new())
            }
        }
    }
}
