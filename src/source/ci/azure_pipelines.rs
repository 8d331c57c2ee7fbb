//! The id token of an Azure Pipelines job: that of a service connection, or the pipeline's own.
//!
//! The job posts to the address in `SYSTEM_OIDCREQUESTURI` with its access token, which reaches a
//! script only where the step maps it, and reads the token from the member `oidcToken`. Without
//! `X-TFS-FedAuthRedirect: Suppress` a refusal would be a redirect to a sign-in page. The audience
//! is always `api://AzureADTokenExchange`. A service connection has to be named by some task of the
//! same stage, even one that never runs.
//! <https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create>

use super::job;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url};
use crate::options::Values;
use crate::source::{Source, SourceInfo, Trust};
use crate::token::SubjectToken;

pub(in crate::source) const INFO: SourceInfo = SourceInfo {
    name: "azure-pipelines",
    summary: "the id token of an Azure Pipelines job",
    options: &[ServiceConnection::TABLE],
    rest: None,
    example: "wif-token azure-pipelines \\\n  --service-connection=00000000-0000-0000-0000-000000000000",
    build,
};

options! {
    /// The option of the sources that ask Azure Pipelines.
    pub(super) struct ServiceConnection {
        /// the Azure service connection whose token to request; by default the pipeline's own token
        pub(super) service_connection: Option<String> = "--service-connection=ID",
    }
}

const ADDRESS: &str = "SYSTEM_OIDCREQUESTURI";
const NO_ADDRESS: &str = "run this in a job of Azure Pipelines";
const BEARER: &str = "SYSTEM_ACCESSTOKEN";
const NO_BEARER: &str = "map it in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)";

/// An Azure Pipelines job.
#[derive(Debug)]
pub(super) struct AzurePipelines {
    /// The id of a service connection.
    pub(super) service_connection: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let ServiceConnection { service_connection } = ServiceConnection::read(values)?;
    Ok(Box::new(AzurePipelines { service_connection }))
}

impl Source for AzurePipelines {
    fn trust(&self) -> Trust {
        Trust::issuer("ISSUER").for_audience("api://AzureADTokenExchange")
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mut query = vec![("api-version", "7.1")];
        query.extend(self.service_connection.as_deref().map(|id| ("serviceConnectionId", id)));
        let url = job::address(ADDRESS, NO_ADDRESS, &query, cx)?;
        let post = http::Request::post(&url, ADDRESS)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        let post = job::authorized(post, BEARER, NO_BEARER, cx)?;
        let response = self.accepted(cx.send(post)?, &url)?;
        job::token(&response, "oidcToken", &url, ADDRESS, request, cx)
    }
}

impl AzurePipelines {
    /// The answer, unless it is a refusal or a sign-in page, which comes with status 203 or 302.
    fn accepted(&self, response: Response, url: &Url) -> Result<Response, Error> {
        let status = response.status;
        if matches!(status, 203 | 300..=399) || (status == 200 && response.is_html()) {
            let what = format!("{url} wants a sign-in: it does not know the token in {BEARER}");
            return Err(Error::new(Kind::Denied, what).fix(NO_BEARER));
        }
        let answer = response.json().ok();
        let value = answer.as_ref().and_then(|answer| answer.get("value")?.as_str());
        let value = value.map(|words| response.redacted(words));
        response.require_success().map_err(|error| {
            let refused = value.is_some() || matches!(status, 400 | 403 | 404);
            let error = match value {
                Some(words) => error.of_kind(Kind::Denied).cause(words),
                None => error,
            };
            match status {
                401 => error.fix(NO_BEARER),
                _ if refused && self.service_connection.is_some() => error.fix(
                    "check --service-connection, the resourceId in the address of its page, \
                     and name the connection in a task of this stage",
                ),
                _ => error,
            }
        })
    }
}
