//! A subject token in an environment variable, which cannot be renewed. The source `ci` knows the
//! variables of CI systems.

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::Values;
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `env`.
    struct Options {
        /// the variable that holds the token
        name: String = "--name=VAR",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "env",
    summary: "an environment variable, as text or as a member of JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    example: "wif-token env --name=ID_TOKEN",
    build,
};

#[derive(Debug)]
struct Variable {
    name: String,
    field: Option<Field>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { name } = Options::read(values)?;
    Ok(Box::new(Variable { name, field: Field::read(values)? }))
}

impl Source for Variable {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the variable {}", self.name);
        let text = read(&self.name, "let the job declare its token, or check --name", cx)?;
        let text = field::select(&text, self.field.as_ref(), &what)?;
        let renew = "a variable is not renewed while a job runs: start the job again, \
                     let its token live longer, or fetch the token later in the job";
        let origin = Origin { what, option: "--name", renew: renew.to_owned() };
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }
}

/// The text of a variable; `absent` says what to do where it is not set.
pub(super) fn read(name: &str, absent: &str, cx: &Context) -> Result<Secret, Error> {
    let text = cx.env.text(name)?.filter(|text| !text.trim().is_empty());
    text.map(Secret::new).ok_or_else(|| {
        Error::new(Kind::Absent, format!("the variable {name} is not set")).fix(absent)
    })
}
