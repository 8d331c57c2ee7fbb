//! Gets an ID token that Google issues for a service account, for services outside the organization
//! of the workload: a pool of another organization or universe, AWS, Azure.
//!
//! The account is the one that is attached to the host, or the one that a credential file leads to.
//! The client, which is a higher layer, requests the tokens: see [`crate::context::IdTokens`].
//! `GOOGLE_APPLICATION_CREDENTIALS` is not used. A client passes it on, and it usually names the
//! configuration whose command is this program.
//! <https://cloud.google.com/compute/docs/instances/verifying-instance-identity>,
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oidc>

use std::path::PathBuf;

use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::options::Values;
use crate::token::{Origin, SubjectToken};

options! {
    /// Options of `google`.
    struct Options {
        /// credential file with a service account (default: the account that is attached to the host)
        credentials: Option<PathBuf> = "--credentials=FILE",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "google",
    also: &["gcp", "gce", "gke", "google-cloud", "cloud-run", "metadata"],
    summary: "an ID token of a service account, from the host or a credential file",
    options: &[Options::TABLE],
    rest: None,
    variables: &["GCE_METADATA_HOST", "NO_GCE_CHECK"],
    example: "wif-token google --audience=api://AzureADTokenExchange --format=text",
    build,
};

#[derive(Debug)]
struct Google {
    credentials: Option<PathBuf>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Options { credentials } = Options::read(values)?;
    Ok(Box::new(Google { credentials }))
}

impl Source for Google {
    fn trust(&self) -> Trust {
        let trust = Trust::issuer("https://accounts.google.com");
        Trust { principal: Some("UNIQUE_ID".to_owned()), ..trust }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let audience = request.audience_for_pool_provider()?;
        let text = (cx.id_tokens.get)(self.credentials.as_deref(), &audience, cx)?;
        let what = "the response from Google".to_owned();
        let renew = "check the clock of this host";
        let origin = Origin::new(what, "--token-type", renew);
        SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
    }

    fn identity(&self, cx: &Context) -> Result<Option<String>, Error> {
        (cx.id_tokens.identity)(self.credentials.as_deref(), cx).map(Some)
    }
}
