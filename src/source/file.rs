//! Reads a subject token from a file: a Kubernetes projected token, or a token that another program
//! renews.
//!
//! Such files are rotated. The file is therefore read again whenever the output file does not
//! contain a valid token.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Values;
use crate::secret::Secret;
use crate::show;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `file`.
    struct Options {
        /// file with the token
        path: PathBuf = "--path=PATH",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "file",
    also: &["path"],
    summary: "a file with the token, as text or JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token file --path=/run/secrets/token",
    build,
};

/// A file whose content, or a JSON member of its content, is the token.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// The option or the configuration member that contains the path, for messages.
    pub(crate) option: &'static str,
    pub(crate) field: Field,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { path } = Options::read(values)?;
    Ok(Box::new(File { path, option: "--path", field: Field::read(values)? }))
}

/// The maximum number of times that an empty file is read again, and the pause before each time.
/// Some programs truncate the file before they write to it.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

impl File {
    /// Reads the file. The result is empty only if the file stays empty.
    fn read(&self, cx: &Context) -> Result<Secret, Error> {
        let read = || files::read_text(&self.path, self.option, Kind::Absent);
        let mut text = read()?;
        for _ in 0..ATTEMPTS {
            // A pipe has nothing more to read.
            if !text.expose().trim().is_empty() || !self.path.is_file() {
                break;
            }
            thread::sleep(PAUSE.min(cx.deadline.remaining()));
            text = read()?;
        }
        Ok(text)
    }
}

impl Source for File {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the file {}", show::path(&self.path));
        let text = self.read(cx)?;
        if text.expose().trim().is_empty() {
            return Err(Error::new(Kind::Configuration, format!("{what} is empty"))
                .fix(format!("check {} and the program that writes the file", self.option)));
        }
        let renew = format!("check the program or timer that renews {}", show::path(&self.path));
        self.field.token(&text, Origin::new(what, self.option, renew), request, cx)
    }
}
