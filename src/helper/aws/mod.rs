//! The `credential_process` of the AWS CLI and the AWS SDKs: temporary credentials of an IAM role for
//! a Google service account.
//!
//! Google issues an ID token for the service account, and `AssumeRoleWithWebIdentity` of AWS STS
//! exchanges it. AWS accepts Google's tokens without an IAM OIDC provider; the trust policy of the
//! role compares `azp`, `aud` and `sub` of the token as `accounts.google.com:aud`, `:oaud` and
//! `:sub`. The tool splits the command into words as a shell does, but runs it without a shell. It
//! reads one JSON object from standard output, and shows standard error to the user if the status
//! is not 0.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

mod credentials;

use serde_json::json;

use self::credentials::RoleCredentials;
use super::{Call, HelperInfo};
use crate::client::credentials::{Credentials, Entry, Hop, Reuse};
use crate::context::Context;
use crate::contract::exit::{FailureForm, Output};
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::Seconds;
use crate::options::grammar::require;
use crate::secret::Secret;
use crate::source::aws::role_arn::RoleArn;
use crate::source::aws::role_session::{self, Fixes, RoleSession};
use crate::token::jwt;
use crate::world::IN_HELPER_AWS;

options! {
    /// Options of `helper aws`.
    struct Options {
        /// IAM role to assume
        role_arn: String = "--role-arn=ARN",
        /// audience of the ID token, which a trust policy checks as accounts.google.com:oaud
        /// (default: sts.amazonaws.com)
        audience: Option<String> = "--audience=AUDIENCE",
        /// name of the session (default: wif-token)
        session_name: Option<String> = "--session-name=NAME",
        /// lifetime of the credentials (default: 3600)
        duration: Option<Seconds<900, 43_200>> = "--duration",
        /// AWS region; overrides AWS_REGION
        region: Option<String> = "--region=NAME",
        /// AWS STS endpoint, for example a VPC interface endpoint
        sts_endpoint: Option<Url> = "--sts-endpoint",
    }
}

/// The default of `--audience`.
const AUDIENCE: &str = "sts.amazonaws.com";

/// The default of `--duration`, in seconds.
const DURATION: u64 = 3600;

/// When less than 15 minutes remain, the AWS SDK for Python starts the helper at every call.
/// Therefore the helper renews credentials whose remaining lifetime, in seconds, is less than this.
/// <https://github.com/boto/botocore/blob/develop/botocore/credentials.py>
const MIN_LIFE: i64 = 15 * 60;

/// The default of `--min-life` for this `--duration`, in seconds. Credentials with a short lifetime
/// are used for a third of it.
fn default_min_life(duration: Option<Seconds<900, 43_200>>) -> i64 {
    let seconds = duration.map_or(DURATION, |Seconds(seconds)| seconds);
    MIN_LIFE.min((seconds * 2 / 3) as i64)
}

pub(super) const INFO: HelperInfo = HelperInfo {
    name: "aws",
    also: &["boto3", "awscli", "aws-cli"],
    summary: "AWS CLI and SDKs: assume an IAM role with a service account",
    words: "",
    options: &[Options::TABLE],
    program: "",
    stanza: "\
add to ~/.aws/config, with the credential configuration in
GOOGLE_APPLICATION_CREDENTIALS or --credentials:
  [profile google]
  region = eu-west-1
  credential_process = wif-token helper aws --role-arn=ARN --region=eu-west-1
docs/helpers/aws.md shows the trust policy of the role.",
    failure: FailureForm::MESSAGE,
    run,
};

fn run(call: &Call, cx: &Context) -> Result<Output, Error> {
    if !call.words.is_empty() {
        return Err(call.wrong_words(&INFO));
    }
    let options = Options::read(&call.values)?;
    let audience = options.audience.as_deref().unwrap_or(AUDIENCE);
    let what = "does not consist of 1 to 255 printable ASCII characters without spaces";
    require(is_client_id(audience), "--audience", what, AUDIENCE)?;
    refuse_loop(cx)?;
    let session = RoleSession::new(&request(&options), cx)?;
    let google_cx = cx.narrowed(|world, _| world.env = world.env.clone().with(IN_HELPER_AWS, "1"));
    let google = Credentials::find(&call.values, &google_cx)?;
    let account = google.hops.last().map(Hop::identity);
    let request = format!("{} {audience:?} {account:?}", session.identity);
    let min_life = call.min_life(default_min_life(options.duration))?;
    let entry = Entry {
        reuse: Reuse::For(min_life),
        is_ours: RoleCredentials::is_ours,
        ..Entry::new("aws-credentials", &request)
    };
    let (found, _) = google.cached(entry, cx, &|| {
        let token = google.id_token(audience, false, "--audience", &google_cx)?.text;
        let (credentials, expiry) = session.assume(&token, fixes(&token, &options.role_arn))?;
        Ok(RoleCredentials::new(&credentials, [cx.clock.now(), expiry]))
    })?;
    let account = RoleArn::parse(&options.role_arn).map_or("", |arn| arn.account);
    Ok(found.to_json(account, found.expiry_for_clients(cx.clock.now(), min_life)).into())
}

/// Whether an IAM OIDC provider can have this audience as a client ID. Only such an audience can be
/// compared by a trust policy in every partition.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddClientIDToOpenIDConnectProvider.html>
fn is_client_id(audience: &str) -> bool {
    (1..=255).contains(&audience.len()) && audience.bytes().all(|byte| byte.is_ascii_graphic())
}

fn request(options: &Options) -> role_session::Request<'_> {
    role_session::Request {
        role_arn: &options.role_arn,
        session_name: options.session_name.as_deref(),
        duration: options.duration.map(|Seconds(seconds)| seconds),
        region: options.region.as_deref(),
        sts_endpoint: options.sts_endpoint.as_ref(),
    }
}

/// Refuses to run if the helper would get its own credentials from an AWS profile that runs the
/// helper.
fn refuse_loop(cx: &Context) -> Result<(), Error> {
    match cx.env.get(IN_HELPER_AWS) {
        None => Ok(()),
        Some(_) => {
            let what = "wif-token helper aws gets its own credentials from an AWS profile that runs \
                        wif-token helper aws";
            Err(Error::new(Kind::Configuration, what).fix(
                "set --profile in executable.command of the credential configuration to another \
                 profile",
            ))
        }
    }
}

/// What to do if AWS STS refuses this ID token for a role.
fn fixes(token: &Secret, role: &str) -> Fixes {
    let claims = jwt::claims(token.expose()).unwrap_or_default();
    let claim = |name: &str| claims.get(name).and_then(|claim| claim.as_str());
    let audiences = [claim("aud"), claim("azp")].into_iter().flatten().collect::<Vec<_>>();
    Fixes {
        denied: format!(
            "allow the service account in the trust policy of {role}, for example with {}",
            trust_policy(token)
        ),
        invalid: format!(
            "set the Federated principal in the trust policy of {role} to accounts.google.com, or \
             to an IAM OIDC provider for https://accounts.google.com with the client IDs {} if the \
             AWS partition does not support Google as a built-in provider",
            audiences.join(" and ")
        ),
        expired: "check that the service account is enabled and that the clock of this host is \
                  correct, then try again"
            .to_owned(),
    }
}

/// The trust policy that allows the service account of this ID token, and no other, to assume a role,
/// as one line of JSON.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>
fn trust_policy(token: &Secret) -> String {
    let claims = jwt::claims(token.expose()).unwrap_or_default();
    let claim = |name: &str| claims.get(name).and_then(|claim| claim.as_str());
    let (audience, subject) = (claim("aud"), claim("sub").unwrap_or("UNIQUE_ID"));
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": "accounts.google.com" },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    "accounts.google.com:aud": claim("azp").unwrap_or(subject),
                    "accounts.google.com:oaud": audience.unwrap_or(AUDIENCE),
                    "accounts.google.com:sub": subject,
                },
            },
        }],
    })
    .to_string()
}
