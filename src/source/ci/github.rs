//! The id token of a GitHub Actions job, or of a Forgejo Actions job, whose endpoint is the same.
//!
//! A job that may ask finds an address and a bearer token in its variables. It adds the audience to
//! the address, whose query is not empty, and reads the token from the member `value`. The token
//! lives five minutes, but the job may ask as often as it likes while it runs.
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
    summary: "the id token of a GitHub Actions or Forgejo Actions job",
    options: &[],
    rest: None,
    example: "wif-token github --audience=https://iam.example.com/my-pool",
    build,
};

const ADDRESS: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const BEARER: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const ABSENT: &str = "give the job permissions: id-token: write (on Forgejo \
                      enable-openid-connect: true); a pull request from a fork gets neither";

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
        let audience = request.audience_for_pool_provider()?;
        let url = job::address(ADDRESS, ABSENT, &[("audience", &audience)], cx)?;
        let get = http::Request::get(&url, ADDRESS).header("Accept", "application/json");
        let get = job::authorized(get, BEARER, ABSENT, cx)?;
        let response = cx.send(get)?.require_success();
        let response = response.map_err(|error| match error.kind() {
            Kind::Denied => error.fix(format!("{BEARER} works only while its own job runs")),
            _ => error,
        })?;
        job::token(&response, "value", &url, ADDRESS, request, cx)
    }
}
