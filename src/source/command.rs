//! Runs another program that prints the subject token on its standard output. [`crate::program`]
//! describes how it is run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::field::{self, Field};
use super::{Source, SourceInfo};
use crate::context::Context;
use crate::contract::request::{SubjectTokenRequest, digest};
use crate::contract::{document, judgement};
use crate::error::{Error, Kind};
use crate::files;
use crate::options::Values;
use crate::program::{self, Program};
use crate::secret::Secret;
use crate::show;
use crate::token::{Origin, SubjectToken, TokenType};

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

/// Explains the failure of a program. If the program printed a failure document, as wif-token does,
/// the error gets its code and message.
fn reported(failure: Error, output: &Secret, token_type: TokenType) -> Error {
    let is_ours = |document: &Value| {
        document.get("version").is_some_and(|version| *version == 1)
            && judgement::is_failure(document)
    };
    let document = serde_json::from_str(output.expose()).ok().filter(is_ours);
    let Some(document) = document else { return failure };
    let code = document.get("code").and_then(Value::as_str).and_then(Kind::from_code);
    let kind = code.unwrap_or(failure.kind());
    match document::token(&document, token_type) {
        Err(why) => failure.of_kind(kind).cause(why),
        Ok(_) => failure,
    }
}

impl Source for Output {
    /// A digest of the path of the program, which depends on `PATH`, and of the absolute paths of
    /// the files that relative arguments name, which depend on the current directory.
    fn identity(&self, cx: &Context) -> Result<Option<String>, Error> {
        let program = program::find(&self.program.name, &cx.env);
        let relative = self.program.args.iter().map(Path::new).filter(|arg| arg.is_relative());
        let named = relative.filter(|arg| arg.exists());
        let paths: Vec<PathBuf> =
            program.iter().map(PathBuf::as_path).chain(named).map(files::absolute).collect();
        let parts = paths.iter().map(|path| path.as_os_str().as_encoded_bytes());
        Ok((!paths.is_empty()).then(|| digest(parts)))
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let what = format!("the output of {}", show::path(self.program.name.as_ref()));
        let (status, text) = self.program.run(cx)?;
        if !status.success() {
            let failed = self.by_shell(self.program.failed(status, cx));
            return Err(reported(failed, &text, request.token_type));
        }
        if text.expose().trim().is_empty() {
            return Err(Error::new(Kind::Protocol, format!("{what} is empty"))
                .fix("run the program after -- by hand to see its error output"));
        }
        let renew = "configure the program to print a valid token, \
                     and check the clocks of this host and of the issuer";
        let token = self.field.token(&text, Origin::new(what, PLACE, renew), request, cx);
        token.map_err(|error| self.by_shell(error))
    }
}

impl Output {
    /// Adds the fix for a command line that only a shell can run.
    fn by_shell(&self, error: Error) -> Error {
        match self.program.without_shell() {
            Some(fix) if matches!(error.kind(), Kind::Protocol | Kind::Unreachable) => {
                error.fix(fix)
            }
            _ => error,
        }
    }
}
