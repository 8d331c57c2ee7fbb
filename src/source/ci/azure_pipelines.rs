//! Gets the ID token of an Azure Pipelines job, for a service connection or for the pipeline
//! itself.
//!
//! The job posts its access token to the URL in `SYSTEM_OIDCREQUESTURI` and reads the token from
//! the member `oidcToken` of the response. A script has the access token only if its step maps it
//! to `SYSTEM_ACCESSTOKEN`. The header `X-TFS-FedAuthRedirect: Suppress` prevents redirects to a
//! sign-in page. The audience of the token is always `api://AzureADTokenExchange`. To use a service
//! connection, a task of the same stage must refer to it, even if that task never runs.
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
    also: &["azure-devops", "ado", "vsts"],
    summary: "the ID token of an Azure Pipelines job",
    options: &[ServiceConnection::TABLE],
    rest: None,
    variables: VARIABLES,
    example: "wif-token azure-pipelines \\\n  --service-connection=00000000-0000-0000-0000-000000000000",
    build,
};

options! {
    /// The option that the sources `azure-pipelines` and `ci` share.
    pub(super) struct ServiceConnection {
        /// ID of the service connection whose token to request in Azure Pipelines (default: the
        /// token of the pipeline)
        pub(super) service_connection: Option<String> = "--service-connection=ID",
    }
}

/// The audience of every token.
const AUDIENCE: &str = "api://AzureADTokenExchange";
const URL: &str = "SYSTEM_OIDCREQUESTURI";
const NO_URL: &str = "run this source in a job of Azure Pipelines";
const BEARER: &str = "SYSTEM_ACCESSTOKEN";
pub(super) const VARIABLES: &[&str] = &[URL, BEARER];
const NO_BEARER: &str =
    "add `SYSTEM_ACCESSTOKEN: $(System.AccessToken)` to the env section of the step";

/// An Azure Pipelines job.
#[derive(Debug)]
pub(super) struct AzurePipelines {
    /// The ID of the service connection; `None` for the token of the pipeline.
    pub(super) service_connection: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let ServiceConnection { service_connection } = ServiceConnection::read(values)?;
    Ok(Box::new(AzurePipelines { service_connection }))
}

impl Source for AzurePipelines {
    fn trust(&self) -> Trust {
        let organization = "the ID in https://vstoken.dev.azure.com/ORGANIZATION_ID, the iss of the \
                            pipeline's token";
        let Some(connection) = &self.service_connection else {
            return Trust::issuer("https://vstoken.dev.azure.com/ORGANIZATION_ID")
                .for_audience(AUDIENCE)
                .explain("ORGANIZATION_ID", organization);
        };
        // The whole subject is longer than google.subject allows.
        let subject = r#"assertion.sub.extract("/sc/{connection}")"#;
        let name = format!("ORGANIZATION_ID/{connection}");
        let trust = Trust::issuer("https://login.microsoftonline.com/TENANT_ID/v2.0")
            .for_audience(AUDIENCE)
            .only_if(&format!("{subject} == \"{name}\""))
            .explain("TENANT_ID", "the tenant in the Issuer of the service connection")
            .explain("ORGANIZATION_ID", organization);
        Trust { subject, principal: Some(name), ..trust }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mut query = vec![("api-version", "7.1")];
        query.extend(self.service_connection.as_deref().map(|id| ("serviceConnectionId", id)));
        let url = job::url(URL, NO_URL, &query, cx)?;
        let post = http::Request::post(&url, URL)
            .header("Accept", "application/json")
            .header("Content-Type", "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        let post = job::authorized(post, BEARER, NO_BEARER, NO_BEARER, cx)?;
        let response = self.require_success(cx.send(post)?, &url)?;
        job::token(&response, "oidcToken", &url, URL, request, cx)
    }
}

impl AzurePipelines {
    /// Returns the response if it is a success.
    ///
    /// # Errors
    /// `DENIED` if the service refuses the request, or if it returns a sign-in page. A sign-in page
    /// has the status 200, 203 or 3xx.
    fn require_success(&self, response: Response, url: &Url) -> Result<Response, Error> {
        let status = response.status;
        if matches!(status, 203 | 300..=399) || (status == 200 && response.is_html()) {
            let what = format!("{url} refused the access token in {BEARER}");
            return Err(Error::new(Kind::Denied, what)
                .cause("it responded with a sign-in page")
                .fix(NO_BEARER));
        }
        let members = response.json().ok();
        let message = members.as_ref().and_then(|members| members.get("value")?.as_str());
        let message = message.map(|message| response.redacted(message));
        response.require_success().map_err(|error| {
            let refused = message.is_some() || matches!(status, 400 | 403 | 404);
            let error = match message {
                Some(message) => error.of_kind(Kind::Denied).cause(message),
                None => error,
            };
            match status {
                401 => error.fix(NO_BEARER),
                _ if refused && self.service_connection.is_some() => error.fix(
                    "set --service-connection to the resourceId in the URL of the service \
                     connection, and refer to the connection in a task of this stage",
                ),
                _ => error,
            }
        })
    }
}
