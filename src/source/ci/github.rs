//! Gets the ID token of a GitHub Actions job, or of a Forgejo Actions job, which has the same API.
//!
//! A job with the required permission has a URL and a bearer token in its variables. This source
//! appends the audience to the URL, whose query is not empty, and reads the token from the member
//! `value` of the response. The token is valid for five minutes. The job can request new tokens as
//! long as it runs.
//! <https://docs.github.com/en/actions/reference/security/oidc>,
//! <https://forgejo.org/docs/latest/user/actions/security-openid-connect/>

use super::job;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http;
use crate::options::Values;
use crate::source::{Source, SourceInfo, Trust};
use crate::token::SubjectToken;

pub(in crate::source) const INFO: SourceInfo = SourceInfo {
    name: "github",
    also: &["github-actions", "gha", "gh", "actions", "forgejo", "gitea"],
    summary: "the ID token of a GitHub Actions or Forgejo Actions job",
    options: &[],
    rest: None,
    variables: VARIABLES,
    example: "wif-token github --audience=https://iam.example.com/my-pool",
    build,
};

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const BEARER: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Set by act, which runs workflows on any host but issues no tokens.
const ACT: &str = "ACT";
/// Set by the runners of Gitea and of Forgejo, whose runner also sets `FORGEJO_ACTIONS`.
const GITEA: &str = "GITEA_ACTIONS";
const FORGEJO: &str = "FORGEJO_ACTIONS";
pub(super) const VARIABLES: &[&str] = &[URL, BEARER, ACT, GITEA, FORGEJO];
const ABSENT: &str = "add the permission `id-token: write` to the job, or in Forgejo \
                      `enable-openid-connect: true` (jobs for pull requests from forks cannot \
                      have it)";

const WRONG: &str = "remove ACTIONS_ID_TOKEN_REQUEST_TOKEN from the env of the job, because the runner \
                     sets this variable";

/// An Actions job.
#[derive(Debug)]
pub(super) struct Actions;

fn build(_: &Values) -> Result<Box<dyn Source>, Error> {
    Ok(Box::new(Actions))
}

impl Source for Actions {
    fn trust(&self) -> Trust {
        Trust::issuer("https://token.actions.githubusercontent.com")
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        if let Some(runner) = without_tokens(cx) {
            let what = format!("{runner} does not issue OIDC tokens");
            return Err(Error::new(Kind::Absent, what).fix(format!(
                "run the job on GitHub or Forgejo, or configure another source for {runner}"
            )));
        }
        let audience = request.audience_for_pool_provider()?;
        let url = job::url(URL, ABSENT, &[("audience", &audience)], cx)?;
        let get = http::Request::get(&url, URL).header("Accept", "application/json");
        let get = job::authorized(get, BEARER, ABSENT, WRONG, cx)?;
        let response = cx.send(get)?.require_success();
        let response = response.map_err(|error| match error.kind() {
            Kind::Denied => {
                error.fix(format!("use {BEARER} only in its own job and only while the job runs"))
            }
            _ => error,
        })?;
        job::token(&response, "value", &url, URL, request, cx)
    }
}

/// The name of the system that runs this job, if it sets variables of GitHub but issues no tokens.
/// No release of Gitea issues tokens: <https://github.com/go-gitea/gitea/issues/26383>.
fn without_tokens(cx: &Context) -> Option<&'static str> {
    let is_set = |name| cx.env.get(name).is_some();
    match is_set(URL) {
        true => None,
        false if is_set(GITEA) && !is_set(FORGEJO) => Some("Gitea"),
        false => is_set(ACT).then_some("act"),
    }
}
