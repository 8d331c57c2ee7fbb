//! What a job of a CI system asks its token service with: an address and a bearer token, each in a
//! variable of the job, and JSON that holds the token.

use serde_json::Value;

use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, form};
use crate::secret::Secret;
use crate::source::env;
use crate::token::{Origin, SubjectToken};

/// The address in a variable, with these fields at the end of its query. `absent` says what to do
/// where it is not set.
pub(super) fn address(
    variable: &str,
    absent: &str,
    query: &[(&str, &str)],
    cx: &Context,
) -> Result<Url, Error> {
    let text = env::read(variable, absent, cx)?;
    let base = text.expose().trim();
    let mark = if base.contains('?') { '&' } else { '?' };
    let whole = format!("{base}{mark}{}", form::encode(query.iter().copied()));
    Url::parse(&whole).map_err(|why| {
        Error::new(Kind::Configuration, format!("{variable} {why}"))
            .fix(format!("leave {variable} as the job got it"))
    })
}

/// The request with the bearer token in a variable.
pub(super) fn authorized<'a>(
    request: http::Request<'a>,
    variable: &str,
    absent: &str,
    cx: &Context,
) -> Result<http::Request<'a>, Error> {
    let bearer = Secret::new(env::read(variable, absent, cx)?.expose().trim());
    let header = Secret::new(format!("Bearer {}", bearer.expose()));
    Ok(request.header("Authorization", header).hiding(bearer))
}

/// The token in a member of the answer from `url`, which `variable` led to.
pub(super) fn token(
    response: &Response,
    member: &str,
    url: &Url,
    variable: &'static str,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let answer = response.json()?;
    let text = answer.get(member).and_then(Value::as_str).map(Secret::new).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the answer of {url} has no {member}"))
            .fix(format!("check {variable}"))
    })?;
    let origin = Origin {
        what: format!("the {member} of {url}"),
        option: variable,
        renew: "the clocks of this host and of the CI system may differ".to_owned(),
    };
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}
