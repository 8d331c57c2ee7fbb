//! The CI systems: how a job knows that it runs in one, and how it gets its token there.

use serde_json::json;

use super::azure_pipelines::AzurePipelines;
use super::github::Actions;
use super::{Ci, SystemName, printed};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::source::Source;
use crate::token::SubjectToken;

/// A CI system.
#[derive(Debug)]
pub(super) struct System {
    /// Which one it is.
    pub(super) name: SystemName,
    /// The variable that every job of it has.
    pub(super) mark: &'static str,
    /// How a job gets its token.
    pub(super) way: Way,
}

/// How a job gets its token.
#[derive(Debug)]
pub(super) enum Way {
    /// It asks for a fresh one, at any time.
    Asked(Ask),
    /// It was given one in a variable.
    Given(Given),
    /// It asks, or takes what it was given where what asks is absent.
    AskedOrGiven(Ask, Given),
}

type Ask = fn(&Ci, &SubjectTokenRequest, &Context) -> Result<SubjectToken, Error>;

/// A token in a variable, which stays as it was when the job began.
#[derive(Debug)]
pub(super) struct Given {
    /// The variable.
    pub(super) variable: &'static str,
    /// What to do where it is not set.
    pub(super) absent: &'static str,
    /// What to do when its token is over.
    pub(super) renew: &'static str,
}

/// Every system. The first whose mark is set is the one that a job runs in.
pub(super) static SYSTEMS: &[System] = &[
    // Forgejo sets it too.
    System { name: SystemName::GitHub, mark: "GITHUB_ACTIONS", way: Way::Asked(github) },
    System { name: SystemName::AzurePipelines, mark: "TF_BUILD", way: Way::Asked(azure_pipelines) },
    // https://buildkite.com/docs/agent/v3/cli-oidc
    System { name: SystemName::Buildkite, mark: "BUILDKITE", way: Way::Asked(buildkite) },
    // https://circleci.com/docs/oidc-tokens-with-custom-claims/
    // https://circleci.com/docs/openid-connect-tokens/
    System {
        name: SystemName::CircleCi,
        mark: "CIRCLECI",
        way: Way::AskedOrGiven(
            circleci,
            Given {
                variable: "CIRCLE_OIDC_TOKEN_V2",
                absent: "for builds of forks turn on \"Pass secrets to builds from forked pull \
                     requests\" in the project's settings",
                renew: "let the job find the command circleci, which gets a fresh one, \
                    or raise the ttl in the organization's OIDC custom claims",
            },
        ),
    },
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/
    System {
        name: SystemName::GitLab,
        mark: "GITLAB_CI",
        way: Way::Given(Given {
            variable: "GITLAB_OIDC_TOKEN",
            absent: "declare it under id_tokens: in the job, or name yours with --name",
            renew: "GitLab renews none during a job: raise timeout: of the job, \
                    with which its tokens end",
        }),
    },
    // https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/
    System {
        name: SystemName::Bitbucket,
        mark: "BITBUCKET_BUILD_NUMBER",
        way: Way::Given(Given {
            variable: "BITBUCKET_STEP_OIDC_TOKEN",
            absent: "put oidc: true into the step",
            renew: "Bitbucket renews none during a step: \
                    move what comes this late into a step of its own",
        }),
    },
    // https://developer.hashicorp.com/terraform/cloud-docs/dynamic-provider-credentials/manual-generation
    System {
        name: SystemName::TerraformCloud,
        mark: "TFC_RUN_ID",
        way: Way::Given(Given {
            variable: "TFC_WORKLOAD_IDENTITY_TOKEN",
            absent: "set the workspace variable TFC_WORKLOAD_IDENTITY_AUDIENCE, \
                     or name the token of a tag with --name",
            renew: "HCP Terraform renews none during a run: start the plan or apply again",
        }),
    },
];

fn github(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    Actions.subject_token(request, cx)
}

fn azure_pipelines(
    ci: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let service_connection = ci.service_connection.service_connection.clone();
    AzurePipelines { service_connection }.subject_token(request, cx)
}

fn buildkite(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    let audience = request.audience_for_pool_provider()?;
    printed("buildkite-agent oidc request-token", ["--audience", &audience], request, cx)
}

fn circleci(_: &Ci, request: &SubjectTokenRequest, cx: &Context) -> Result<SubjectToken, Error> {
    let claims = json!({ "aud": request.audience_for_pool_provider()? }).to_string();
    printed("circleci run oidc get", ["--claims", &claims], request, cx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_system() {
        let systems: Vec<&str> = SYSTEMS.iter().map(|system| system.name.word()).collect();
        assert_eq!(systems, SystemName::WORDS);
    }
}
