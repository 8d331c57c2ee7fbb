//! The table of CI systems.

use super::github::Actions;
use super::system::{self, System, TokenSource, TokenVariable};
use super::{Ci, SystemName, codefresh, fly};
use crate::source::{Source as _, Trust};

/// All systems, in the order of the detection. A platform on which a runner of another system can run
/// comes after that system.
pub(super) static SYSTEMS: &[System] = &[
    // Forgejo also sets GITHUB_ACTIONS.
    System {
        name: SystemName::GitHub,
        detected_by: "GITHUB_ACTIONS",
        token_source: TokenSource::Request(system::github),
        trust: |_| Actions.trust(),
    },
    System {
        name: SystemName::AzurePipelines,
        detected_by: "TF_BUILD",
        token_source: TokenSource::Request(system::azure_pipelines),
        trust: |ci| system::pipelines(ci).trust(),
    },
    // https://buildkite.com/docs/agent/v3/cli-oidc
    System {
        name: SystemName::Buildkite,
        detected_by: "BUILDKITE",
        token_source: TokenSource::Request(system::buildkite),
        trust: |_| Trust::issuer("https://agent.buildkite.com"),
    },
    // https://circleci.com/docs/oidc-tokens-with-custom-claims/
    // https://circleci.com/docs/openid-connect-tokens/
    System {
        name: SystemName::CircleCi,
        detected_by: "CIRCLECI",
        token_source: TokenSource::RequestOrVariable(
            system::circleci,
            TokenVariable {
                name: "CIRCLE_OIDC_TOKEN_V2",
                absent: "for builds of forks, turn on \"Pass secrets to builds from forked pull \
                         requests\" in the project settings",
                renew: "add the command circleci to the PATH of the job to get a new token, or \
                        increase the ttl in the OIDC custom claims of the organization",
            },
        ),
        trust: trust_of_circleci,
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
        trust: trust_of_bitbucket,
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
    // https://docs.spacelift.io/integrations/cloud-providers/oidc
    // https://docs.spacelift.io/concepts/configuration/environment#spacelift-environment
    System {
        name: SystemName::Spacelift,
        detected_by: "TF_VAR_spacelift_run_id",
        token_source: TokenSource::Variable(TokenVariable {
            name: "SPACELIFT_OIDC_TOKEN",
            absent: "pass the variable into the container, and use a paid Spacelift account",
            renew: "start the run again: a token of Spacelift is valid for one hour",
        }),
        trust: trust_of_spacelift,
    },
    // https://docs.semaphore.io/reference/openid
    // https://docs.semaphore.io/reference/env-vars#semaphore
    System {
        name: SystemName::Semaphore,
        detected_by: "SEMAPHORE",
        token_source: TokenSource::Variable(TokenVariable {
            name: "SEMAPHORE_OIDC_TOKEN",
            absent: "pass the variable into the container, and check that the plan of the \
                     organization includes OpenID Connect",
            renew: "move this command to a separate job: Semaphore issues one token for each job",
        }),
        trust: trust_of_semaphore,
    },
    // https://docs.envzero.com/guides/integrations/oidc-integrations
    // https://docs.envzero.com/guides/integrations/oidc-integrations/oidc-with-google-cloud-platform
    // https://docs.env0.com/docs/custom-flows#exposed-env0-system-environment-variables
    System {
        name: SystemName::Env0,
        detected_by: "ENV0_ENVIRONMENT_ID",
        token_source: TokenSource::Variable(TokenVariable {
            name: "ENV0_OIDC_TOKEN",
            absent: "select Enable OIDC in the policies of the organization",
            renew: "deploy again: env0 issues the token before the deployment, for 24 hours",
        }),
        trust: |_| {
            Trust::issuer("https://login.app.env0.com/").for_audience("https://prod.env0.com")
        },
    },
    // Every build has the variable with the URL.
    System {
        name: SystemName::Codefresh,
        detected_by: codefresh::URL,
        token_source: TokenSource::Request(codefresh::request_token),
        trust: trust_of_codefresh,
    },
    // https://vercel.com/docs/oidc/reference
    // https://vercel.com/docs/environment-variables/system-environment-variables
    System {
        name: SystemName::Vercel,
        detected_by: "VERCEL",
        token_source: TokenSource::Variable(TokenVariable {
            name: "VERCEL_OIDC_TOKEN",
            absent: "turn on OIDC federation in the security settings of the project, or, in a \
                     Vercel Function, set this variable to the request header x-vercel-oidc-token",
            renew: "start the build again, or, in a Vercel Function, pass the request header \
                    x-vercel-oidc-token of the current request",
        }),
        trust: trust_of_vercel,
    },
    System {
        name: SystemName::Fly,
        detected_by: "FLY_MACHINE_ID",
        token_source: TokenSource::Request(fly::request_token),
        trust: |_| {
            Trust::issuer("https://oidc.fly.io/ORGANIZATION")
                .explain("ORGANIZATION", "the slug of the organization in: fly orgs list")
        },
    },
    // https://modal.com/docs/guide/oidc-integration
    System {
        name: SystemName::Modal,
        detected_by: "MODAL_IDENTITY_TOKEN",
        token_source: TokenSource::Variable(TokenVariable {
            name: "MODAL_IDENTITY_TOKEN",
            absent: "give the Modal app a name of at most 64 letters, digits, dashes, periods and \
                     underscores, and pass the variable to this process",
            renew: "restart the container, because its environment variables do not change while \
                    it runs",
        }),
        trust: trust_of_modal,
    },
];

fn trust_of_circleci(_: &Ci) -> Trust {
    Trust::issuer("https://oidc.circleci.com/org/ORGANIZATION_ID").explain(
        "ORGANIZATION_ID",
        "the organization ID in the organization settings of CircleCI; for CIRCLE_OIDC_TOKEN_V2, \
         add --allowed-audiences with this ID",
    )
}

fn trust_of_bitbucket(_: &Ci) -> Trust {
    let issuer =
        "https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc";
    Trust::issuer(issuer).explain(
        "WORKSPACE",
        "the workspace ID, as in the URL of the workspace; if the step has oidc: true, add \
         --allowed-audiences with the audience of the workspace",
    )
}

fn trust_of_spacelift(_: &Ci) -> Trust {
    Trust::issuer("https://ACCOUNT.app.spacelift.io")
        .for_audience("ACCOUNT.app.spacelift.io")
        .explain("ACCOUNT", "the name in the URL of the Spacelift account")
}

/// Maps `prj_id`, because the subject of a token can be longer than `google.subject` allows.
fn trust_of_semaphore(_: &Ci) -> Trust {
    let organization = "https://ORGANIZATION.semaphoreci.com";
    let trust = Trust::issuer(organization)
        .for_audience(organization)
        .explain("ORGANIZATION", "the name in the URL of the Semaphore organization")
        .explain("PROJECT_ID", "the prj_id of the token; wif-token check prints it");
    Trust { subject: "assertion.prj_id", principal: Some("PROJECT_ID".to_owned()), ..trust }
}

/// Maps `pipeline_id`, because the subject of a token contains the URL of the repository, and
/// changes with the trigger.
fn trust_of_codefresh(_: &Ci) -> Trust {
    let trust = Trust::issuer("https://oidc.codefresh.io")
        .explain("PIPELINE_ID", "the pipeline_id of the token; wif-token check prints it");
    Trust { subject: "assertion.pipeline_id", principal: Some("PIPELINE_ID".to_owned()), ..trust }
}

fn trust_of_vercel(_: &Ci) -> Trust {
    Trust::issuer("https://oidc.vercel.com/TEAM").for_audience("https://vercel.com/TEAM").explain(
        "TEAM",
        "the team in the URL of the project in Vercel; the issuer mode of the project must be Team",
    )
}

/// Maps `app_id`, because the subject of a token contains the ID of the container.
fn trust_of_modal(_: &Ci) -> Trust {
    let trust = Trust::issuer("https://oidc.modal.com")
        .for_audience("oidc.modal.com")
        .explain("APP_ID", "the app_id of the token; wif-token check prints it");
    Trust { subject: "assertion.app_id", principal: Some("APP_ID".to_owned()), ..trust }
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
