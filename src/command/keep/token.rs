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
use crate::options::Options as Common;
use crate::source::command_line::SourceLine;
use crate::source::fetch::Fetch;
use crate::world::{Deadline, Env};

/// A token, and the file for it.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// The subject token of a source.
    Subject(Box<SourceLine>, Box<Fetch>),
    /// An ID token of the service account.
    Id(Box<ToFile<'a>>, Duration),
}

impl Token<'_> {
    /// The token that a command line selects. Nothing is opened or sent yet.
    ///
    /// # Errors
    /// `USAGE` or `CONFIGURATION` if options are missing or cannot be used together.
    pub(super) fn new<'a>(
        invocation: &'a Invocation,
        path: PathBuf,
        env: &Env,
    ) -> Result<Token<'a>, Error> {
        let values = &invocation.values;
        let common = Common::new(values);
        match invocation.source {
            Some(source) if source.name == id_token::SOURCE.name => {
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
                let fetch = fetch(&line, env, 0)?;
                Ok(Token::Subject(Box::new(line), Box::new(fetch)))
            }
            None => {
                Err(Error::new(Kind::Usage, "keep requires a source")
                    .fix("run wif-token keep SOURCE"))
            }
        }
    }

    /// The file.
    pub(super) fn destination(&self) -> &Destination {
        match self {
            Token::Subject(_, fetch) => fetch.destination(),
            Token::Id(token, _) => &token.destination,
        }
    }

    /// How long an attempt may take.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Token::Subject(_, fetch) => fetch.timeout(),
            Token::Id(_, timeout) => *timeout,
        }
    }

    /// Gets a token and writes it to the file. One that is cached is used if it is usable for more than
    /// `min_life` seconds, or if there is none yet that is to be renewed (0).
    ///
    /// # Errors
    /// Those of the source or of the credentials, and those of [`Destination::document`].
    pub(super) fn renew(
        &self,
        min_life: i64,
        deadline: Deadline,
        cx: &Context,
    ) -> Result<Document, Error> {
        match self {
            Token::Subject(line, _) => {
                let fetch = fetch(line, &cx.env, min_life)?;
                fetch.document(&cx.narrowed(|world, _| {
                    world.env = fetch.env().clone();
                    world.deadline = deadline;
                }))
            }
            Token::Id(token, _) => {
                token.document(min_life == 0, &cx.narrowed(|world, _| world.deadline = deadline))
            }
        }
    }
}

/// The fetch for a source. No user and no client waits for it.
fn fetch(line: &SourceLine, env: &Env, min_life: i64) -> Result<Fetch, Error> {
    let mut request = SubjectTokenRequest::new(&line.common, env)?;
    request.interactive = false;
    Fetch::new(line, request, env.clone())?.into_file(min_life)
}
