//! AWS: a subject token from the credentials that the AWS SDKs would use on this host.
//!
//! There are two kinds of subject tokens, selected with `--mode`:
//!
//! - `jwt` calls `GetWebIdentityToken` of the regional AWS STS (IAM outbound identity federation),
//!   which returns an RS256 JWT. The pool provider is an OIDC provider.
//! - `caller-identity` signs a `GetCallerIdentity` request (Signature Version 4), but does not
//!   send it. Google's Security Token Service sends the request to AWS to learn the caller's role.
//!   The pool provider is an AWS provider.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

mod account;
mod caller_identity;
mod credentials;
mod endpoint;
mod fields;
mod profile_file;
mod query_api;
mod region;
pub mod role_arn;
pub mod role_session;
mod sign;
mod web_identity_token;

#[cfg(feature = "fuzzing")]
pub(crate) use self::credentials::fuzzing;

use self::account::Account;
use self::credentials::AssumedRole;
use self::role_arn::RoleArn;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{Pair, Seconds, TextOrRef, Values};
use crate::token::{SubjectToken, TokenType};

choices! {
    /// The kind of subject token to create from the credentials.
    enum Mode {
        Jwt = "jwt",
        CallerIdentity = "caller-identity",
    }
}

options! {
    /// Options of `aws`.
    struct Options {
        /// jwt: request a web identity token from AWS STS; caller-identity: sign a
        /// GetCallerIdentity request (default: what subject_token_type requires)
        mode: Option<Mode> = "--mode",
        /// profile in the AWS config files; overrides AWS_PROFILE and the credentials in
        /// environment variables
        profile: Option<String> = "--profile=NAME",
        /// AWS region; overrides AWS_REGION
        region: Option<String> = "--region=NAME",
        /// lifetime of the JWT (default: the remaining lifetime of the credentials, at most 3600)
        duration: Option<Seconds<60, 3600>> = "--duration",
        /// tag to include in the JWT
        tag: Vec<Pair> = "--tag",
        /// AWS STS endpoint, for example a VPC interface endpoint
        sts_endpoint: Option<Url> = "--sts-endpoint",
        /// role to assume with the credentials that were found
        role_arn: Option<String> = "--role-arn=ARN",
        /// session name for --role-arn (default: wif-token)
        role_session_name: Option<String> = "--role-session-name=NAME",
        /// external ID for --role-arn; env:NAME and file:PATH are allowed
        external_id: Option<TextOrRef> = "--external-id=ID",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "aws",
    also: &["ec2", "ecs", "eks", "lambda", "amazon", "sts", "imds", "irsa", "sso"],
    summary: "AWS credentials from any place that the AWS SDKs search",
    options: &[Options::TABLE],
    rest: None,
    variables: account::VARIABLES,
    example: "wif-token aws --region=eu-west-1 --profile=dev",
    build,
};

/// The source `aws`: its options, and the role of `--role-arn`.
#[derive(Debug)]
struct Aws {
    options: Options,
    role: Option<AssumedRole>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    refuse_jwt_only(&options)?;
    let role = role(&options)?;
    Ok(Box::new(Aws { options, role }))
}

/// In the mode `caller-identity`, refuses options and roles that only the mode `jwt` supports.
fn refuse_jwt_only(options: &Options) -> Result<(), Error> {
    let jwt_options =
        [("--duration", options.duration.is_some()), ("--tag", !options.tag.is_empty())];
    let role = options.role_arn.as_deref();
    match jwt_options.iter().find(|(_, is_set)| *is_set) {
        _ if options.mode != Some(Mode::CallerIdentity) => Ok(()),
        _ if role.is_some_and(|arn| arn.starts_with("arn:aws-cn:")) => Err(Error::new(
            Kind::Usage,
            "--mode=caller-identity does not work in AWS China regions",
        )
        .fix("set --mode=jwt")),
        Some((option, _)) => Err(Error::new(Kind::Usage, format!("{option} requires --mode=jwt"))
            .fix(format!("remove {option}, or set --mode=jwt"))),
        None => Ok(()),
    }
}

/// The role of `--role-arn`, with the options that require it.
fn role(options: &Options) -> Result<Option<AssumedRole>, Error> {
    let session_name = options.role_session_name.clone();
    let Some(arn) = options.role_arn.clone() else {
        let role_options = [
            ("--role-session-name", session_name.is_some()),
            ("--external-id", options.external_id.is_some()),
        ];
        let set = role_options.iter().find(|(_, is_set)| *is_set);
        return set.map_or(Ok(None), |(option, _)| {
            Err(Error::new(Kind::Usage, format!("{option} requires --role-arn"))
                .fix("add --role-arn=ARN"))
        });
    };
    RoleArn::require(&arn, "--role-arn", Kind::Usage)?;
    let external_id = options.external_id.clone();
    Ok(Some(AssumedRole { arn, session_name, external_id, duration: None }))
}

/// The settings with which a pool provider trusts the signed requests of the role with this ARN.
fn trust_of_role(arn: &str) -> Option<Trust> {
    let RoleArn { partition, account, name } = RoleArn::parse(arn)?;
    let session = format!("arn:{partition}:sts::{account}:assumed-role/{name}");
    Some(Trust { principal: Some(session), ..Trust::aws(account) })
}

impl Source for Aws {
    fn trust(&self) -> Trust {
        let role = self.options.role_arn.as_deref();
        let trust = match self.options.mode {
            Some(Mode::CallerIdentity) => {
                if let Some(trust) = role.and_then(trust_of_role) {
                    return trust;
                }
                Trust::of_any_aws_account()
            }
            _ => Trust::issuer("https://UUID.tokens.sts.global.api.aws").explain(
                "UUID",
                "the first label of the issuer in the output of: aws iam get-outbound-web-identity-federation-info",
            ),
        };
        // Without --mode, subject_token_type selects the mode.
        let token_type = self.options.mode.and(trust.token_type);
        Trust { principal: role.map(str::to_owned), token_type, ..trust }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mode = self.mode(request.token_type)?;
        let account = Account::new(&self.options, cx)?;
        let mut credentials = credentials::find(&account)?;
        if let Some(role) = &self.role {
            credentials = credentials::assume_role(role, &credentials, "--role-arn", &account)?;
        }
        match mode {
            Mode::Jwt => web_identity_token::get(request, &self.options, &credentials, &account),
            Mode::CallerIdentity => caller_identity::sign(request, &credentials, &account),
        }
    }
}

impl Aws {
    /// The mode to use for a token type.
    ///
    /// # Errors
    /// `CONFIGURATION` if AWS cannot create a token of this type in the mode of `--mode`.
    fn mode(&self, token_type: TokenType) -> Result<Mode, Error> {
        let refuse = |what: &str, fix: &str| Err(Error::new(Kind::Configuration, what).fix(fix));
        match (self.options.mode, token_type) {
            (_, TokenType::Saml2) => refuse(
                "AWS does not issue SAML assertions",
                "set subject_token_type to urn:ietf:params:oauth:token-type:jwt or \
                 urn:ietf:params:aws:token-type:aws4_request",
            ),
            (Some(Mode::Jwt), TokenType::AwsRequest) => refuse(
                "--mode=jwt does not match the subject_token_type \
                 urn:ietf:params:aws:token-type:aws4_request",
                "remove --mode, or set subject_token_type to urn:ietf:params:oauth:token-type:jwt",
            ),
            (Some(mode), _) => Ok(mode),
            (None, TokenType::AwsRequest) => Ok(Mode::CallerIdentity),
            (None, _) => Ok(Mode::Jwt),
        }
    }
}
