//! Where the token goes: a document or only the token, to standard output or to the output file.

use super::document::Document;
use super::existing;
use super::request::SubjectTokenRequest;
use crate::cache::{self, CachedFile, Fetching, Obtained};
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Format;
use crate::world::World;

/// Where the caller expects the token.
#[derive(Debug)]
pub enum Destination {
    /// The document on standard output, cached in the output file if there is one.
    Stdout(Option<CachedFile>),
    /// `_INTERACTIVE=1`: the client does not read standard output, but only the output file.
    OutputFile(CachedFile),
    /// `--format=text`: only the token on standard output.
    BareStdout,
    /// `--format=text` with an output file: only the token, in that file.
    BareFile(CachedFile),
}

impl Destination {
    /// Selects the destination for a request. `digest` identifies the request.
    ///
    /// # Errors
    /// `USAGE` if an interactive client names no output file.
    pub fn new(
        format: Format,
        request: &SubjectTokenRequest,
        digest: String,
    ) -> Result<Destination, Error> {
        let is_ours = match format {
            Format::Json => existing::is_document_file,
            _ => existing::is_token_file,
        };
        let file = request.output_file.as_ref().filter(|file| !files::is_stdout(&file.path));
        let file = file.map(|file| CachedFile::new(file.path.clone(), file.place, digest, is_ours));
        match (format == Format::Json, file) {
            (false, Some(file)) => Ok(Destination::BareFile(file)),
            (false, None) => Ok(Destination::BareStdout),
            (true, Some(file)) if request.interactive => Ok(Destination::OutputFile(file)),
            (true, None) if request.interactive => Err(Error::new(
                Kind::Usage,
                "an interactive client reads the token only from an output file",
            )
            .fix("set executable.output_file in the configuration, or add --output-file=PATH")),
            (true, file) => Ok(Destination::Stdout(file)),
        }
    }

    /// The file in which the token can be cached.
    pub fn file(&self) -> Option<&CachedFile> {
        match self {
            Destination::Stdout(file) => file.as_ref(),
            Destination::OutputFile(file) | Destination::BareFile(file) => Some(file),
            Destination::BareStdout => None,
        }
    }

    /// Whether a document is written. A file with only a token does not identify its request, so the
    /// token in it is never reused, and no client can read it as a document.
    pub fn is_document(&self) -> bool {
        matches!(self, Destination::Stdout(_) | Destination::OutputFile(_))
    }

    /// Converts the destination to one that writes the same file and prints nothing.
    ///
    /// # Errors
    /// `USAGE` if there is no file.
    pub fn into_file(self) -> Result<Destination, Error> {
        match self {
            Destination::Stdout(Some(file)) | Destination::OutputFile(file) => {
                Ok(Destination::OutputFile(file))
            }
            Destination::BareFile(file) => Ok(Destination::BareFile(file)),
            Destination::Stdout(None) | Destination::BareStdout => {
                Err(Error::new(Kind::Usage, "--output-file is not the path of a file")
                    .cause("it is standard output")
                    .fix("set --output-file to the path of a file"))
            }
        }
    }

    /// Returns the document in the file if it is still usable and `reuse` is set. Otherwise gets a
    /// new document and stores it.
    ///
    /// # Errors
    /// The errors of [`cache::obtain`] and of [`Destination::store`].
    pub fn document(
        &self,
        reuse: bool,
        world: &World,
        fetching: &Fetching<Document>,
    ) -> Result<Document, Error> {
        let reuse = reuse && self.is_document();
        match cache::obtain(self.file(), reuse, world, fetching)? {
            Obtained::Cached(document) => {
                if let Some(file) = self.file() {
                    files::note(file.path());
                }
                Ok(document)
            }
            Obtained::New(document, _lock) => {
                self.store(&document, world)?;
                Ok(document)
            }
        }
    }

    /// Writes a new document to the file, if there is one.
    ///
    /// # Errors
    /// `CONFIGURATION` if the caller reads only the file and it cannot be written.
    pub fn store(&self, document: &Document, world: &World) -> Result<(), Error> {
        match self {
            Destination::Stdout(Some(file)) if file.try_write(document, world) => {
                files::note_stored(file.path(), files::state(file.path()));
            }
            Destination::OutputFile(file) => file.write(document).map_err(Error::unwritten)?,
            Destination::BareFile(file) => {
                file.replace(document.token.expose()).map_err(Error::unwritten)?;
            }
            Destination::Stdout(_) | Destination::BareStdout => {}
        }
        Ok(())
    }

    /// The text for standard output. The token has no line break, because clients send the content
    /// of a file unchanged.
    pub fn stdout(&self, document: &Document) -> String {
        match self {
            Destination::Stdout(_) => document.to_json() + "\n",
            Destination::BareStdout => document.token.expose().to_owned(),
            Destination::OutputFile(_) | Destination::BareFile(_) => String::new(),
        }
    }
}
