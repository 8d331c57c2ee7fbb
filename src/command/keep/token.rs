//! The token that `keep` renews.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Invocation;
use super::super::id_token::{self, ToFile};
use crate::context::Context;
use crate::contract::destination::Destination;
use crate::contract::document::Document;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{Format, Options as Common};
use crate::source::command_line::SourceLine;
use crate::source::fetch::Fetch;
use crate::world::Deadline;

/// A token, and the file for it.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// The subject token of a source.
    Subject(Box<Fetch>),
    /// An ID token of the service account.
    Id(Box<ToFile<'a>>, Duration),
}

impl Token<'_> {
    /// Selects the token from a command line. Nothing is sent yet.
    ///
    /// # Errors
    /// `USAGE` or `CONFIGURATION` if options are missing or cannot be used together, and those of
    /// [`Fetch::inside`].
    pub(super) fn new<'a>(
        invocation: &'a Invocation,
        path: PathBuf,
        cx: &Context,
    ) -> Result<Token<'a>, Error> {
        let values = &invocation.values;
        let common = Common::new(values);
        match invocation.source {
            Some(source) if source.name == id_token::SOURCE.name => {
                if invocation.format != Format::Text {
                    return Err(Error::new(Kind::Usage, "--format=json requires a subject token")
                        .cause("clients do not exchange an ID token of a service account")
                        .fix("remove --format"));
                }
                Ok(Token::Id(Box::new(ToFile::new(values, path)?), common.timeout()))
            }
            Some(_) if common.exit_zero => {
                Err(Error::new(Kind::Usage, "--exit-zero and keep cannot be used together")
                    .cause("no client reads the output of keep")
                    .fix("remove --exit-zero"))
            }
            Some(source) => {
                let mut line = SourceLine::new(source, values.clone())?;
                line.common.format = Some(invocation.format);
                let mut request = SubjectTokenRequest::new(&line.common, &cx.env)?;
                // No user and no client waits for the token.
                request.interactive = false;
                let fetch = Fetch::new(&line, request, cx.env.clone())?;
                let cx = cx.narrowed(|world, _| world.env = fetch.env().clone());
                let fetch = fetch.inside(&cx)?.into_file()?;
                Ok(Token::Subject(Box::new(fetch)))
            }
            None => {
                Err(Error::new(Kind::Usage, "keep requires a source")
                    .fix("run wif-token keep SOURCE"))
            }
        }
    }

    /// The file for the token.
    pub(super) fn destination(&self) -> &Destination {
        match self {
            Token::Subject(fetch) => fetch.destination(),
            Token::Id(token, _) => &token.destination,
        }
    }

    /// How long an attempt may take.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Token::Subject(fetch) => fetch.timeout(),
            Token::Id(_, timeout) => *timeout,
        }
    }

    /// Gets a token and writes it to the file. A cached token is used only if `reuse` is set.
    ///
    /// # Errors
    /// The errors of the source or of the credentials, and of [`Destination::document`].
    pub(super) fn get(
        &self,
        reuse: bool,
        deadline: Deadline,
        cx: &Context,
    ) -> Result<Document, Error> {
        let cx = cx.narrowed(|world, _| {
            world.deadline = deadline;
            if let Token::Subject(fetch) = self {
                world.env = fetch.env().clone();
            }
        });
        match self {
            Token::Subject(fetch) if reuse => fetch.document(&cx),
            Token::Subject(fetch) => fetch.new_token(&cx),
            Token::Id(token, _) => token.document(reuse, &cx),
        }
    }
}
