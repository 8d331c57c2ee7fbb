//! Gets a subject token: from the output file if the token there is still valid, otherwise from the
//! source.
//!
//! This is the only implementation. It serves clients that run this program as an executable, and
//! the commands if a credential configuration names this program as its executable. The commands
//! honor every option of the configured command line, exactly as the started program would.

use std::time::Duration;

use super::Source;
use super::command_line::SourceLine;
use crate::cache::{self, CachedFile, Obtained};
use crate::context::Context;
use crate::contract::destination::Destination;
use crate::contract::document::Document;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::options::Format;

/// How to get one subject token: the source, the request and the destination of the token.
#[derive(Debug)]
pub struct Fetch {
    source: Box<dyn Source>,
    request: SubjectTokenRequest,
    destination: Destination,
    /// `--timeout`, or the default of the source.
    timeout: Duration,
    /// `--expiry-margin`, in seconds.
    expiry_margin: Option<u64>,
}

impl Fetch {
    /// The fetch that a command line describes. No file is opened or read.
    ///
    /// # Errors
    /// `USAGE` or `CONFIGURATION` if options exclude each other.
    pub fn new(line: &SourceLine, request: SubjectTokenRequest) -> Result<Fetch, Error> {
        let source = (line.info.build)(&line.values)?;
        let digest = request.digest(line.info.name, &line.values.identity(line.info.options()));
        let format = line.common.format.unwrap_or(Format::Json);
        let destination = Destination::new(format, &request, digest)?;
        let timeout = line.common.timeout.unwrap_or_else(|| source.timeout(&request));
        let expiry_margin = line.common.expiry_margin;
        Ok(Fetch { source, request, destination, timeout, expiry_margin })
    }

    /// The maximum duration of the run.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Where the token is written.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Gets the token and stores it at its destination.
    ///
    /// # Errors
    /// Those of the source, of [`cache::obtain`] and of [`Destination::store`].
    pub fn document(&self, cx: &Context) -> Result<Document, Error> {
        let (file, reuse) = (self.destination.file(), self.destination.is_document());
        let fetch = || {
            let token = self.source.subject_token(&self.request, cx)?;
            Document::new(token, self.request.token_type, self.expiry_margin, cx.clock.now())
        };
        match cache::obtain(file, reuse, cx, fetch)? {
            Obtained::Cached(document) => Ok(document),
            Obtained::New(document, _lock) => {
                self.destination.store(&document, cx)?;
                Ok(document)
            }
        }
    }

    /// Removes the cached token of this request and what the source stores in addition to it.
    ///
    /// # Errors
    /// Those of [`CachedFile::remove`] and of [`Source::forget`].
    pub fn forget(&self, cx: &Context) -> Result<(), Error> {
        self.destination.file().map_or(Ok(()), CachedFile::remove)?;
        self.source.forget(&self.request, cx)
    }
}
