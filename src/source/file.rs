//! A subject token in a file: a Kubernetes projected token, or one that another program keeps fresh.
//!
//! The file is read again whenever the output file does not answer, since such files are rotated.

use std::path::PathBuf;

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Values;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `file`.
    struct Options {
        /// the file that holds the token
        path: PathBuf = "--path=PATH",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "file",
    summary: "a file, as text or as a member of JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    example: "wif-token file --path=/run/secrets/token",
    build,
};

/// A file, or a member of the JSON in it.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// The option, or the member of a configuration, that names it.
    pub(crate) option: &'static str,
    pub(crate) field: Option<Field>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { path } = Options::read(values)?;
    Ok(Box::new(File { path, option: "--path", field: Field::read(values)? }))
}

impl Source for File {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the file {}", self.path.display());
        let text = files::read_text(&self.path, self.option, Kind::Absent)?;
        if text.expose().trim().is_empty() {
            return Err(Error::new(Kind::Configuration, format!("{what} is empty"))
                .fix(format!("let its writer replace it whole, or check {}", self.option)));
        }
        let text = field::select(&text, self.field.as_ref(), &what)?;
        let renew = "renew the file: whatever writes it has stopped".to_owned();
        let origin = Origin { what, option: self.option, renew };
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }
}
