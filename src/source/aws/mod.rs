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
use crate::options::{OptionInfo, Takes, Values};
use crate::token::{SubjectToken, TokenType};

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "aws",
    summary: "AWS credentials, wherever the AWS SDKs find them",
    options: &[
        OptionInfo::new(
            "mode",
            Takes::Choice(&["jwt", "caller-identity"]),
            "a web identity token of AWS STS, or a signed GetCallerIdentity request; by default what \
             the token type asks for",
        ),
        OptionInfo::new(
            "profile",
            Takes::Text("NAME"),
            "the profile, before the environment's credentials",
        ),
        OptionInfo::new("region", Takes::Text("NAME"), "the region, before AWS_REGION"),
        OptionInfo::new(
            "duration",
            Takes::Seconds(60, 3600),
            "how long the JWT lives; by default as long as it may, at most 3600",
        ),
        OptionInfo::new("tag", Takes::Pair, "a tag in the JWT").repeated(),
        OptionInfo::new(
            "sts-endpoint",
            Takes::Url,
            "another STS endpoint, such as a VPC interface endpoint",
        ),
        OptionInfo::new(
            "role-arn",
            Takes::Text("ARN"),
            "assume this role with the credentials found",
        ),
        OptionInfo::new(
            "role-session-name",
            Takes::Text("NAME"),
            "the session of --role-arn, wif-token by default",
        ),
        OptionInfo::new(
            "external-id",
            Takes::Text("ID"),
            "the external id of --role-arn; may be env:NAME or file:PATH",
        ),
    ],
    rest: None,
    build,
};

/// What to make of the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Jwt,
    CallerIdentity,
}

/// The options, as they were given.
#[derive(Debug)]
struct Aws {
    mode: Option<Mode>,
    profile: Option<String>,
    region: Option<String>,
    duration: Option<u64>,
    tags: Vec<(String, String)>,
    sts_endpoint: Option<Url>,
    role: Option<AssumedRole>,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let text = |name: &'static str| values.text(name).map(str::to_owned);
    let mode = values.text("mode").map(|mode| match mode {
        "jwt" => Mode::Jwt,
        _ => Mode::CallerIdentity,
    });
    let tags: Vec<_> = values.pairs("tag").map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let duration = values.seconds("duration");
    if mode == Some(Mode::CallerIdentity) && (duration.is_some() || !tags.is_empty()) {
        return Err(Error::new(Kind::Usage, "--duration and --tag are for --mode=jwt")
            .fix("a GetCallerIdentity request lives 15 minutes and has no tags"));
    }
    if let Some(arn) = values.text("role-arn")
        && !arn.starts_with("arn:")
    {
        return Err(Error::new(Kind::Usage, "--role-arn is no ARN")
            .fix("one looks like arn:aws:iam::123456789012:role/NAME"));
    }
    let of_role = ["role-session-name", "external-id"];
    if let Some(option) = of_role.iter().find(|option| values.text(option).is_some())
        && values.text("role-arn").is_none()
    {
        return Err(Error::new(Kind::Usage, format!("--{option} is for --role-arn"))
            .fix("add --role-arn=…"));
    }
    let role = text("role-arn").map(|arn| AssumedRole {
        arn,
        session_name: text("role-session-name"),
        external_id: text("external-id"),
        duration: None,
    });
    Ok(Box::new(Aws {
        mode,
        profile: text("profile"),
        region: text("region"),
        duration,
        tags,
        sts_endpoint: values.url("sts-endpoint").cloned(),
        role,
    }))
}

impl Source for Aws {
    fn trust(&self) -> Trust {
        match self.mode {
            Some(Mode::CallerIdentity) => Trust {
                kind: "aws",
                options: vec!["--account-id=ACCOUNT".to_owned()],
                subject: "assertion.arn",
                token_type: Some(TokenType::AwsRequest),
                ..Trust::issuer("")
            },
            _ => Trust::issuer("https://UUID.tokens.sts.global.api.aws"),
        }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let mode = self.mode.unwrap_or(match request.token_type {
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
        let account = Account::new(self, cx)?;
        let mut credentials = credentials::find(&account)?;
        if let Some(role) = &self.role {
            credentials = credentials::assume_role(role, &credentials, "--role-arn", &account)?;
        }
        match mode {
            Mode::Jwt => {
                web_identity_token::get(request, self.duration, &self.tags, &credentials, &account)
            }
            Mode::CallerIdentity => caller_identity::sign(request, &credentials, &account),
        }
    }
}
