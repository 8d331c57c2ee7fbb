//! Gets the ID token of a Codefresh build.
//!
//! Two variables of each build contain a URL and the value of the header `Authorization`, without a
//! scheme. The response contains the token, which is valid for five minutes, in the member
//! `id_token`. The build can request new tokens as long as it runs.
//! <https://codefresh.io/docs/docs/integrations/oidc-pipelines/>,
//! <https://github.com/codefresh-io/steps/blob/master/incubating/obtain-oidc-id-token/step.yaml>

use super::{Ci, job};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Request;
use crate::secret::Secret;
use crate::source::env;
use crate::token::SubjectToken;

pub(super) const URL: &str = "CF_OIDC_REQUEST_URL";
pub(super) const TOKEN: &str = "CF_OIDC_REQUEST_TOKEN";
const ABSENT: &str = "run this source in a build of Codefresh, and pass the variables of the build \
                      into the container";

pub(super) fn request_token(
    _: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    let url = job::url(URL, ABSENT, &[("audience", &audience)], cx)?;
    let token = Secret::new(env::read(TOKEN, ABSENT, cx)?.expose().trim());
    let get =
        Request::get(&url, URL).header("Accept", "application/json").header("Authorization", token);
    let response = cx.send(get)?.require_success().map_err(|error| match error.kind() {
        Kind::Denied => {
            error.fix(format!("use {TOKEN} only in its own build and only while the build runs"))
        }
        _ => error,
    })?;
    job::token(&response, "id_token", &url, URL, request, cx)
}
