//! A subject token in an environment variable, as CI systems hand one to a job: GitLab's
//! `id_tokens`, Bitbucket's `BITBUCKET_STEP_OIDC_TOKEN`, CircleCI's `CIRCLE_OIDC_TOKEN_V2`,
//! Terraform Cloud's `TFC_WORKLOAD_IDENTITY_TOKEN`.
//!
//! Such a token cannot be renewed while the job runs.

use super::{Source, SourceInfo, field};
use crate::cli::{OptionInfo, Takes, Values, missing};
use crate::context::Context;
use crate::contract::request::Request;
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "env",
    summary: "an environment variable, as text or as a member of JSON",
    options: &[
        OptionInfo::new("name", Takes::Text("VAR"), "the variable that holds the token").required(),
        field::OPTION,
    ],
    rest: None,
    build,
};

#[derive(Debug)]
struct Variable {
    name: String,
    field: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let name = values.text("name").ok_or_else(|| missing("name"))?.to_owned();
    Ok(Box::new(Variable { name, field: values.text("field").map(str::to_owned) }))
}

impl Source for Variable {
    fn subject_token(&self, request: &Request, cx: &Context) -> Result<SubjectToken, Error> {
        let what = format!("the variable {}", self.name);
        let text = cx.env.text(&self.name)?.filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| {
            Error::new(Kind::Absent, format!("{what} is not set"))
                .hint("let the job declare its token, or check --name")
        })?;
        let text = field::select(&Secret::new(text), self.field.as_deref(), &what)?;
        let renew = "a variable is not renewed while a job runs: start the job again, \
                     let its token live longer, or fetch the token later in the job";
        let origin = Origin { what, option: "--name", renew: renew.to_owned() };
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }
}
