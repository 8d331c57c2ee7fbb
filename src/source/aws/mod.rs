//! AWS: the credentials that the AWS SDKs find, as a subject token.
//!
//! Mode `jwt` asks the regional STS for a web identity token (IAM outbound identity federation): an
//! RS256 JWT that every Google client exchanges. Mode `caller-identity` signs a `GetCallerIdentity`
//! request that Google's Security Token Service sends itself, without any network here.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>

mod account;
mod caller_identity;
mod credentials;
mod endpoint;
mod profile_file;
mod query_api;
mod sign;
mod web_identity_token;

use self::account::Account;
use self::credentials::AssumedRole;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{Pair, Seconds, Values};
use crate::token::{SubjectToken, TokenType};

choices! {
    /// What to make of the credentials.
    enum Mode {
        Jwt = "jwt",
        CallerIdentity = "caller-identity",
    }
}

options! {
    /// Options of `aws`.
    struct Options {
        /// a web identity token of AWS STS, or a signed GetCallerIdentity request; by default what
        /// the token type asks for
        mode: Option<Mode> = "--mode",
        /// the profile, before the environment's credentials
        profile: Option<String> = "--profile=NAME",
        /// the region, before AWS_REGION
        region: Option<String> = "--region=NAME",
        /// how long the JWT lives; by default as long as it may, at most 3600
        duration: Option<Seconds<60, 3600>> = "--duration",
        /// a tag in the JWT
        tag: Vec<Pair> = "--tag",
        /// another STS endpoint, such as a VPC interface endpoint
        sts_endpoint: Option<Url> = "--sts-endpoint",
        /// assume this role with the credentials found
        role_arn: Option<String> = "--role-arn=ARN",
        /// the session of --role-arn, wif-token by default
        role_session_name: Option<String> = "--role-session-name=NAME",
        /// the external id of --role-arn; may be env:NAME or file:PATH
        external_id: Option<String> = "--external-id=ID",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "aws",
    summary: "AWS credentials, wherever the AWS SDKs find them",
    options: &[Options::TABLE],
    rest: None,
    example: "wif-token aws --region=eu-west-1 --profile=dev",
    build,
};

/// The options, and the role that they name.
#[derive(Debug)]
struct Aws {
    options: Options,
    role: Option<AssumedRole>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    let of_jwt = options.duration.is_some() || !options.tag.is_empty();
    if options.mode == Some(Mode::CallerIdentity) && of_jwt {
        return Err(Error::new(Kind::Usage, "--duration and --tag are for --mode=jwt")
            .fix("a GetCallerIdentity request lives 15 minutes and has no tags"));
    }
    let role = role(&options)?;
    Ok(Box::new(Aws { options, role }))
}

/// The role of `--role-arn` and the options that belong to it.
fn role(options: &Options) -> Result<Option<AssumedRole>, Error> {
    let (session_name, external_id) =
        (options.role_session_name.clone(), options.external_id.clone());
    let Some(arn) = options.role_arn.clone() else {
        let of_role = [("role-session-name", session_name), ("external-id", external_id)];
        let given = of_role.iter().find(|(_, value)| value.is_some());
        return given.map_or(Ok(None), |(option, _)| {
            Err(Error::new(Kind::Usage, format!("--{option} is for --role-arn"))
                .fix("add --role-arn=…"))
        });
    };
    if !arn.starts_with("arn:") {
        return Err(Error::new(Kind::Usage, "--role-arn is not an ARN")
            .fix("use a value such as arn:aws:iam::123456789012:role/NAME"));
    }
    Ok(Some(AssumedRole { arn, session_name, external_id, duration: None }))
}

impl Source for Aws {
    fn trust(&self) -> Trust {
        match self.options.mode {
            Some(Mode::CallerIdentity) => Trust::aws("ACCOUNT"),
            _ => Trust::issuer("https://UUID.tokens.sts.global.api.aws"),
        }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mode = self.options.mode.unwrap_or(match request.token_type {
            TokenType::AwsRequest => Mode::CallerIdentity,
            _ => Mode::Jwt,
        });
        if request.token_type == TokenType::Saml2 {
            return Err(Error::new(
                Kind::Configuration,
                "AWS gives JWTs and signed requests, no SAML",
            )
            .fix("expect …:jwt or …:aws4_request as subject_token_type"));
        }
        if mode == Mode::Jwt && request.token_type == TokenType::AwsRequest {
            return Err(Error::new(Kind::Configuration, "--mode=jwt gives a JWT")
                .fix("leave --mode out, or set subject_token_type to urn:ietf:params:oauth:token-type:jwt"));
        }
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
