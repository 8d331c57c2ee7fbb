//! Runs another program that prints the subject token on its standard output. [`crate::program`]
//! describes how it is run.

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::Values;
use crate::program::Program;
use crate::show;
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "command",
    also: &["exec", "executable", "process", "program", "run", "script"],
    summary: "a program that prints the token, as text or JSON",
    options: &[field::Options::TABLE],
    rest: Some("PROGRAM [ARG]..."),
    variables: &[],
    example: "wif-token command --field=access_token -- /usr/local/bin/issue-token --json",
    build,
};

/// Where the command line names the program, for messages.
const PLACE: &str = "the program after --";

#[derive(Debug)]
struct Output {
    program: Program,
    field: Field,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Some((name, args)) = values.rest.split_first().filter(|(name, _)| !name.is_empty()) else {
        return Err(Error::new(Kind::Usage, "the command line has no program to run")
            .fix("add -- and the program to the end of the command line"));
    };
    let program = Program {
        name: name.clone(),
        args: args.to_vec(),
        variables: Vec::new(),
        place: PLACE.to_owned(),
    };
    Ok(Box::new(Output { program, field: Field::read(values)? }))
}

impl Source for Output {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the output of {}", show::path(self.program.name.as_ref()));
        let text = self.program.output(cx)?;
        if text.expose().trim().is_empty() {
            return Err(Error::new(Kind::Protocol, format!("{what} is empty"))
                .fix("run the program after -- by hand to see its error output"));
        }
        let renew = "configure the program to print a valid token, \
                     and check the clocks of this host and of the issuer";
        self.field.token(&text, Origin::new(what, PLACE, renew), request, cx)
    }
}
