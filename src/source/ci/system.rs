//! A CI system: how to detect it, and how to get the token of its jobs.

use serde_json::json;

use super::azure_pipelines::AzurePipelines;
use super::github::Actions;
use super::{Ci, SystemName, codefresh, run};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::source::{Source, Trust};
use crate::token::SubjectToken;

/// A CI system.
#[derive(Debug)]
pub(super) struct System {
    /// Its name in `--system`.
    pub(super) name: SystemName,
    /// A variable that is set in all its jobs.
    pub(super) detected_by: &'static str,
    /// How a job gets its token.
    pub(super) token_source: TokenSource,
    /// How a pool provider trusts its tokens.
    pub(super) trust: fn(&Ci) -> Trust,
}

/// How a job gets its token.
#[derive(Debug)]
pub(super) enum TokenSource {
    /// The job can request a new token at any time.
    Request(GetToken),
    /// A variable contains the token.
    Variable(TokenVariable),
    /// Like `Request`, or like `Variable` if the program that requests tokens is not installed.
    RequestOrVariable(GetToken, TokenVariable),
}

pub(super) type GetToken = fn(&Ci, &SubjectTokenRequest, &Context) -> Result<SubjectToken, Error>;

/// A variable with a token, which does not change during the job.
#[derive(Debug)]
pub(super) struct TokenVariable {
    /// The name of the variable.
    pub(super) name: &'static str,
    /// The fix if the variable is not set.
    pub(super) absent: &'static str,
    /// The fix if the token has expired.
    pub(super) renew: &'static str,
}

/// The variables of all systems. The programs of Buildkite and CircleCI read the variables of their
/// job themselves.
pub(super) const VARIABLES: &[&str] = &[
    "GITHUB_ACTIONS",
    "TF_BUILD",
    "BUILDKITE",
    "CIRCLECI",
    "GITLAB_CI",
    "BITBUCKET_BUILD_NUMBER",
    "TFC_RUN_ID",
    "TF_VAR_spacelift_run_id",
    "SEMAPHORE",
    "ENV0_ENVIRONMENT_ID",
    "VERCEL",
    "FLY_MACHINE_ID",
    "ACT",
    "GITEA_ACTIONS",
    "FORGEJO_ACTIONS",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "SYSTEM_OIDCREQUESTURI",
    "SYSTEM_ACCESSTOKEN",
    "BUILDKITE_JOB_ID",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "BUILDKITE_AGENT_ENDPOINT",
    "CIRCLE_WORKFLOW_JOB_ID",
    "CIRCLE_OIDC_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
    "GITLAB_OIDC_TOKEN",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "TFC_WORKLOAD_IDENTITY_TOKEN",
    "SPACELIFT_OIDC_TOKEN",
    "SEMAPHORE_OIDC_TOKEN",
    "ENV0_OIDC_TOKEN",
    codefresh::URL,
    codefresh::TOKEN,
    "VERCEL_OIDC_TOKEN",
    "MODAL_IDENTITY_TOKEN",
];

pub(super) fn github(
    _: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    Actions.subject_token(request, cx)
}

pub(super) fn azure_pipelines(
    ci: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    pipelines(ci).subject_token(request, cx)
}

pub(super) fn pipelines(ci: &Ci) -> AzurePipelines {
    AzurePipelines { service_connection: ci.service_connection.service_connection.clone() }
}

pub(super) fn buildkite(
    _: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    run("buildkite-agent oidc request-token", ["--audience", &audience], request, cx)
}

pub(super) fn circleci(
    _: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let claims = json!({ "aud": request.audience_for_pool_provider()? }).to_string();
    run("circleci run oidc get", ["--claims", &claims], request, cx)
}
