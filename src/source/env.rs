//! Reads a subject token from an environment variable.
//!
//! The program that set the variable cannot replace the token in a running process, so an expired
//! token cannot be renewed. The source `ci` knows the variables of common CI systems.

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{Values, VariableName};
use crate::secret::Secret;
use crate::show;
use crate::token::{Origin, SubjectToken};
use crate::world::env;

options! {
    /// Options of `env`.
    struct Options {
        /// environment variable with the token
        name: VariableName = "--name",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "env",
    also: &["environment", "variable"],
    summary: "an environment variable with the token, as text or JSON",
    options: &[Options::TABLE, field::Options::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token env --name=ID_TOKEN",
    build,
};

#[derive(Debug)]
struct Variable {
    name: String,
    field: Field,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { name: VariableName(name) } = Options::read(values)?;
    Ok(Box::new(Variable { name, field: Field::read(values)? }))
}

impl Source for Variable {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the variable {}", self.name);
        let text = read(&self.name, "check --name, or configure the job to set the variable", cx)?;
        let renew = "restart the job, or configure its CI system to issue tokens with a longer \
                     lifetime";
        self.field.token(&text, Origin::new(what, "--name", renew), request, cx)
    }
}

/// Reads a variable. `absent` is the fix in the error message if the variable is not set or empty.
///
/// # Errors
/// `ABSENT` if the variable is not set or is empty, `CONFIGURATION` if `name` looks like a value
/// instead of a name.
pub(super) fn read(name: &str, absent: &str, cx: &Context) -> Result<Secret, Error> {
    let text = cx.env.text(name)?.filter(|text| !text.trim().is_empty());
    text.map(Secret::new).ok_or_else(|| {
        if let Some(what) = show::looks_like(name) {
            return Error::new(Kind::Configuration, "--name is not the name of a variable")
                .cause(format!("the value looks like {what}"))
                .fix("set --name to the name of the variable with the token");
        }
        match cx.env.get(name) {
            Some(_) => Error::new(Kind::Absent, format!("{name} is empty")).fix(absent),
            None => {
                let upper = name.to_ascii_uppercase();
                let error = env::not_set(Kind::Absent, name, "--name", absent);
                match cx.env.undeclared().get(&upper) {
                    Some(_) => error
                        .cause(format!("{upper} is set, and names of variables are case-sensitive"))
                        .fix(format!("use --name={upper}")),
                    None => error,
                }
            }
        }
    })
}
