//! The table of CI systems: how to detect each system, and how to get the token of its jobs.

use serde_json::json;

use super::azure_pipelines::AzurePipelines;
use super::github::Actions;
use super::{Ci, SystemName, run};
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
    /// As `Request`; as `Variable` if the program that requests tokens is not installed.
    RequestOrVariable(GetToken, TokenVariable),
}

type GetToken = fn(&Ci, &SubjectTokenRequest, &Context) -> Result<SubjectToken, Error>;

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
    "ACT",
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
];

/// All systems, in the order of the detection.
pub(super) static SYSTEMS: &[System] = &[
    // Forgejo also sets GITHUB_ACTIONS.
    System {
        name: SystemName::GitHub,
        detected_by: "GITHUB_ACTIONS",
        token_source: TokenSource::Request(github),
        trust: |_| Actions.trust(),
    },
    System {
        name: SystemName::AzurePipelines,
        detected_by: "TF_BUILD",
        token_source: TokenSource::Request(azure_pipelines),
        trust: |ci| pipelines(ci).trust(),
    },
    // https://buildkite.com/docs/agent/v3/cli-oidc
    System {
        name: SystemName::Buildkite,
        detected_by: "BUILDKITE",
        token_source: TokenSource::Request(buildkite),
        trust: |_| Trust::issuer("https://agent.buildkite.com"),
    },
    // https://circleci.com/docs/oidc-tokens-with-custom-claims/
    // https://circleci.com/docs/openid-connect-tokens/
    System {
        name: SystemName::CircleCi,
        detected_by: "CIRCLECI",
        token_source: TokenSource::RequestOrVariable(
            circleci,
            TokenVariable {
                name: "CIRCLE_OIDC_TOKEN_V2",
                absent: "for builds of forks, turn on \"Pass secrets to builds from forked pull \
                         requests\" in the project settings",
                renew: "add the command circleci to the PATH of the job to get a new token, or \
                        increase the ttl in the OIDC custom claims of the organization",
            },
        ),
        trust: |_| trust_of_circleci(),
    },
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/
    System {
        name: SystemName::GitLab,
        detected_by: "GITLAB_CI",
        token_source: TokenSource::Variable(TokenVariable {
            name: "GITLAB_OIDC_TOKEN",
            absent: "declare it in the id_tokens section of the job, or set --name to the variable \
                     that is declared there",
            renew: "increase the timeout of the job: GitLab sets the lifetime of the token to this \
                    timeout and does not renew the token",
        }),
        trust: |_| Trust::issuer("https://gitlab.com"),
    },
    // https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/
    System {
        name: SystemName::Bitbucket,
        detected_by: "BITBUCKET_BUILD_NUMBER",
        token_source: TokenSource::Variable(TokenVariable {
            name: "BITBUCKET_STEP_OIDC_TOKEN",
            absent: "add `oidc: true` to the step",
            renew: "move this command to a separate step: Bitbucket does not renew the token \
                    during a step",
        }),
        trust: |_| trust_of_bitbucket(),
    },
    // https://developer.hashicorp.com/terraform/cloud-docs/dynamic-provider-credentials/manual-generation
    System {
        name: SystemName::TerraformCloud,
        detected_by: "TFC_RUN_ID",
        token_source: TokenSource::Variable(TokenVariable {
            name: "TFC_WORKLOAD_IDENTITY_TOKEN",
            absent: "set the workspace variable TFC_WORKLOAD_IDENTITY_AUDIENCE, or set --name to \
                     the variable of a tagged token",
            renew: "start the plan or apply again: HCP Terraform does not renew the token during a \
                    run",
        }),
        trust: |_| Trust::issuer("https://app.terraform.io"),
    },
];

fn trust_of_circleci() -> Trust {
    Trust::issuer("https://oidc.circleci.com/org/ORGANIZATION_ID")
        .explain("ORGANIZATION_ID", "the organization ID in the organization settings of CircleCI; for CIRCLE_OIDC_TOKEN_V2, add \
             --allowed-audiences with this ID")
}

fn trust_of_bitbucket() -> Trust {
    let issuer =
        "https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc";
    Trust::issuer(issuer).explain(
        "WORKSPACE",
        "the workspace ID, as in the URL of the workspace; if the step has oidc: true, add \
         --allowed-audiences with the audience of the workspace",
    )
}

fn github(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    Actions.subject_token(request, cx)
}

fn azure_pipelines(
    ci: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    pipelines(ci).subject_token(request, cx)
}

fn pipelines(ci: &Ci) -> AzurePipelines {
    AzurePipelines { service_connection: ci.service_connection.service_connection.clone() }
}

fn buildkite(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    run("buildkite-agent oidc request-token", ["--audience", &audience], request, cx)
}

fn circleci(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    let claims = json!({ "aud": request.audience_for_pool_provider()? }).to_string();
    run("circleci run oidc get", ["--claims", &claims], request, cx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_the_option_is_in_the_table() {
        let systems: Vec<&str> = SYSTEMS.iter().map(|system| system.name.word()).collect();
        assert_eq!(systems, SystemName::WORDS);
    }
}
